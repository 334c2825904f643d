"""Folders and files that only their owner can read, replaced whole or not at all."""

import os
import tempfile
from pathlib import Path
from typing import IO

from warehouse.errors import StorageUnavailable

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_BYTES_IN_MEMORY = 32_000_000


def make_private_folder(folder: Path) -> None:
    """Create `folder` and its missing parents with mode 700; leave existing ones as they are."""
    for missing in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
        missing.mkdir(mode=FOLDER_MODE, exist_ok=True)


def unnamed_file(folder: Path) -> IO[bytes]:
    """Open a file that moves from memory to an unnamed place on disk as it grows beyond 32 MB.

    Raises
    ------
    StorageUnavailable
        If the folder cannot be made.
    """
    try:
        make_private_folder(folder)
    except OSError as error:
        raise StorageUnavailable(f"{folder} cannot be made; check its permissions") from error
    return tempfile.SpooledTemporaryFile(_BYTES_IN_MEMORY, dir=str(folder))


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` with mode 600 so that a reader sees the old or the new, whole.

    Two writers of one path must take turns: they share the unfinished file beside it, which a
    killed writer leaves behind and the next one overwrites.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Ask the disk to keep a file, or the names in a folder, through a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
