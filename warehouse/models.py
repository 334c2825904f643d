"""Fitted models as content-addressed folders: ``models/<sha256>/`` with a manifest inside.

The name of a folder is the SHA-256 of its ``manifest.json``, which holds the SHA-256 and size of
every other file: who has the name can check every byte.
"""

import hashlib
import json
import re
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from warehouse.errors import CorruptModel, ModelNotFound, UnstorableModel
from warehouse.private_files import FILE_MODE, FOLDER_MODE, make_private_folder, sync

MANIFEST = "manifest.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PICKLE_CARRIERS = frozenset({"pkl", "pickle", "joblib", "dill", "pt", "pth", "ckpt", "bin"})
_UNFINISHED = "unfinished-"
_LEFTOVER_SECONDS = 24 * 60 * 60.0


@dataclass(frozen=True)
class ModelVersion:
    """One saved model.

    Attributes
    ----------
    sha256 : str
        SHA-256 of the manifest, and name of the folder.
    n_bytes, n_files : int
        Size of the files, the manifest not counted.
    """

    sha256: str
    n_bytes: int
    n_files: int


class ModelStore:
    """The models of all studies under one home.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state; ``models/`` is created in it at the first save.
    """

    def __init__(self, home: Path) -> None:
        self._folder = Path(home) / "models"

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
        make_private_folder(self._folder)
        self._sweep()
        unfinished = self._folder / f"{_UNFINISHED}{uuid.uuid4().hex}"
        unfinished.mkdir(mode=FOLDER_MODE)
        try:
            write(unfinished)
            version = _seal(unfinished)
            self._place(unfinished, version)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
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
        if not _SHA256.fullmatch(sha256) or not folder.is_dir():
            raise ModelNotFound(
                f"model {sha256!r} is not in {self._folder}; materialize the asset that fits it"
            )
        fault = _fault(folder)
        if fault:
            raise CorruptModel(
                f"model {sha256} {fault}; do not use it: materialize the asset that fits it "
                "again, or restore the folder from a backup"
            )
        return folder

    def _place(self, sealed: Path, version: ModelVersion) -> None:
        final = self._folder / version.sha256
        if final.exists() and _fault(final):
            final.rename(self._folder / f"{_UNFINISHED}{uuid.uuid4().hex}")
        try:
            sealed.rename(final)
        except OSError:
            if not final.is_dir():
                raise
            # It was there already: saved before, or just now by another process.
            self.open(version)
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


def _seal(folder: Path) -> ModelVersion:
    """Check, restrict, sync and list the files of a new model; write its manifest."""
    if (folder / MANIFEST).exists():
        raise UnstorableModel(f"{MANIFEST} is reserved for the store; rename the model's own file")
    files = _regular_files(folder)
    if not files:
        raise UnstorableModel("the model has no files; write at least one")
    for path in files.values():
        path.chmod(FILE_MODE)
        sync(path)
    for subfolder in (path for path in folder.rglob("*") if path.is_dir()):
        subfolder.chmod(FOLDER_MODE)
    listing = {
        name: {"sha256": _sha256(path), "n_bytes": path.stat().st_size}
        for name, path in files.items()
    }
    manifest = json.dumps(listing, sort_keys=True, separators=(",", ":")).encode()
    (folder / MANIFEST).write_bytes(manifest)
    (folder / MANIFEST).chmod(FILE_MODE)
    sync(folder / MANIFEST)
    sync(folder)
    n_bytes = sum(path.stat().st_size for path in files.values())
    return ModelVersion(hashlib.sha256(manifest).hexdigest(), n_bytes, len(files))


def _regular_files(folder: Path) -> dict[str, Path]:
    """Return relative name -> path of every file, the manifest included, refusing what may not be.

    Raises
    ------
    UnstorableModel
        Naming a link, a device or a pickle-carrying file.
    """
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UnstorableModel(f"model file {name!r} is a link or device; write a plain file")
        if path.is_file():
            if _PICKLE_CARRIERS.intersection(path.name.lower().split(".")[1:]):
                raise UnstorableModel(
                    f"model file {name!r} has a format that can carry a pickle, which runs code "
                    "when it is read; save safetensors or JSON"
                )
            files[name] = path
    return files


def _fault(folder: Path) -> str | None:
    """Return what is wrong with a stored model, or None if every byte is as saved."""
    try:
        files = _regular_files(folder)
    except UnstorableModel:
        return "now holds a file that the store never accepts"
    if MANIFEST not in files:
        return f"has lost its {MANIFEST}"
    manifest = files.pop(MANIFEST).read_bytes()
    if hashlib.sha256(manifest).hexdigest() != folder.name:
        return f"has an altered {MANIFEST}"
    listing = json.loads(manifest)
    if files.keys() != listing.keys():
        odd = sorted(files.keys() ^ listing.keys())[0]
        return f"has a missing or added file, {odd!r}"
    altered = [name for name, path in files.items() if _sha256(path) != listing[name]["sha256"]]
    return f"has an altered file, {altered[0]!r}" if altered else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
