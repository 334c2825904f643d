"""Fitted models as content-addressed folders: ``models/<sha256>/`` with a manifest inside.

The name of a folder is the SHA-256 of its ``manifest.json``, which holds the SHA-256 and size of
every other file: who has the name can check every byte. Hosts that share studies share their
models too; the folders of a home are then copies that were checked. A shared model without its
manifest, which is written last, is not there.
"""

import hashlib
import json
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.databases import shared_files
from warehouse.errors import CorruptModel, ModelNotFound
from warehouse.model_folder import MANIFEST, ModelVersion, fault_in, seal
from warehouse.private_files import FOLDER_MODE, make_private_folder, replace_file, sync

_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = ".unfinished-"
_LEFTOVER_SECONDS = 24 * 60 * 60.0


class ModelStore:
    """The models of all studies under one home.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state; ``models/`` is created in it at the first save.
    """

    def __init__(self, home: Path) -> None:
        self._folder = Path(home) / "models"
        self._shared = shared_files(home)

    def save(self, write: Callable[[Path], None]) -> ModelVersion:
        """Keep the files that `write` puts into the folder it is given.

        The folder appears under its final name whole or not at all. Saving the same files again
        gives the same version, and mends it if the stored one was damaged.

        Parameters
        ----------
        write : callable
            Takes an empty folder and fills it: safetensors, JSON, text; any depth.

        Raises
        ------
        UnstorableModel
            If there is no file, a link, a pickle-carrying format or a top-level manifest.json.
        """
        with self._unfinished() as unfinished:
            write(unfinished)
            version = seal(unfinished)
            files = (path for path in unfinished.rglob("*") if path.is_file())
            for file in sorted(files, key=lambda file: file == unfinished / MANIFEST):
                name = file.relative_to(unfinished).as_posix()
                self._shared.put_file(f"models/{version.sha256}/{name}", file)
            self._place(unfinished, version.sha256)
        return version

    def open(self, version: ModelVersion | str) -> Path:
        """Return the folder of a saved model after checking every file in it.

        Parameters
        ----------
        version : ModelVersion or str
            The version, or its `sha256`.

        Raises
        ------
        ModelNotFound
            If this home has no such model.
        CorruptModel
            If a file is altered, missing, added or replaced by a link.
        """
        sha256 = version if isinstance(version, str) else version.sha256
        folder = self._folder / sha256
        if not _SHA256.fullmatch(sha256):
            raise self._not_found(sha256)
        fault = fault_in(folder, sha256) if folder.is_dir() else "is not here"
        if fault and not self._fetch(sha256):
            if not folder.is_dir():
                raise self._not_found(sha256)
            raise _corrupt(sha256, fault)
        return folder

    def _fetch(self, sha256: str) -> bool:
        """Put the shared model into its place here, once every byte is checked."""
        manifest = self._shared.get(f"models/{sha256}/{MANIFEST}")
        if manifest is None:
            return False
        if hashlib.sha256(manifest).hexdigest() != sha256:
            raise _corrupt(sha256, f"has an altered {MANIFEST} in {self._shared.place}")
        with self._unfinished() as unfinished:
            for name in (*json.loads(manifest), MANIFEST):
                content = self._shared.get(f"models/{sha256}/{name}")
                if content is not None:
                    make_private_folder((unfinished / name).parent)
                    replace_file(unfinished / name, content)
            if fault := fault_in(unfinished, sha256):
                raise _corrupt(sha256, f"{fault} in {self._shared.place}")
            self._place(unfinished, sha256)
        return True

    def _not_found(self, sha256: str) -> ModelNotFound:
        return ModelNotFound(
            f"model {sha256!r} is not in {self._folder}; materialize the asset that fits it"
        )

    @contextmanager
    def _unfinished(self) -> Iterator[Path]:
        """Lend a new folder, gone afterwards unless it was moved into its place."""
        make_private_folder(self._folder)
        self._sweep()
        unfinished = self._folder / f"{_UNFINISHED}{uuid.uuid4().hex}"
        unfinished.mkdir(mode=FOLDER_MODE)
        try:
            yield unfinished
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _place(self, sealed: Path, sha256: str) -> None:
        final = self._folder / sha256
        if final.exists() and fault_in(final, sha256):
            final.rename(self._folder / f"{_UNFINISHED}{uuid.uuid4().hex}")
        try:
            sealed.rename(final)
        except OSError:
            # It was there already: saved before, or just now by another process.
            if not final.is_dir() or fault_in(final, sha256):
                raise
        sync(self._folder)

    def _sweep(self) -> None:
        """Remove folders that processes killed more than a day ago left behind."""
        oldest = time.time() - _LEFTOVER_SECONDS
        for leftover in self._folder.glob(f"{_UNFINISHED}*"):
            try:
                is_old = leftover.stat().st_mtime < oldest
            except FileNotFoundError:
                continue
            if is_old:
                shutil.rmtree(leftover, ignore_errors=True)


def _corrupt(sha256: str, fault: str) -> CorruptModel:
    return CorruptModel(
        f"model {sha256} {fault}; do not use it: materialize the asset that fits it "
        "again, or restore the folder from a backup"
    )
