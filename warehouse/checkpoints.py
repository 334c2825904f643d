"""Where a long fit pauses: one private file for each fit, gone when its result is recorded."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from warehouse.private_files import make_private_folder, replace_file


class CheckpointFile:
    """The last state of one fit, under a name that no other fit has.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state; the file lies below ``checkpoints/`` in it.
    fit : mapping of str to str
        What the result of the fit depends on: the study's hash, the versions of data and code,
        the asset. A fit of anything else has another file.
    """

    def __init__(self, home: Path, fit: Mapping[str, str]) -> None:
        told = "\n".join(f"{name}={value}" for name, value in sorted(fit.items()))
        self._folder = Path(home) / "checkpoints" / hashlib.sha256(told.encode()).hexdigest()
        self._file = self._folder / "state.safetensors"

    def read(self) -> bytes | None:
        """Give what was written last; None if nothing was."""
        return self._file.read_bytes() if self._file.is_file() else None

    def write(self, content: bytes) -> None:
        """Put `content` in the place of what was there, whole or not at all."""
        make_private_folder(self._folder)
        replace_file(self._file, content)

    def remove(self) -> None:
        """Forget the fit."""
        shutil.rmtree(self._folder, ignore_errors=True)
