"""The folder of one fitted model: files that may be kept, and a manifest that lists every byte."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from warehouse.errors import UnstorableModel
from warehouse.private_files import FILE_MODE, FOLDER_MODE, sync

MANIFEST = "manifest.json"
_PICKLE_CARRIERS = frozenset({"pkl", "pickle", "joblib", "dill", "pt", "pth", "ckpt", "bin"})


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


def seal(folder: Path) -> ModelVersion:
    """Check, restrict, sync and list the files of a new model; write its manifest.

    Raises
    ------
    UnstorableModel
        If there is no file, a link, a pickle-carrying format or a top-level manifest.json.
    """
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


def fault_in(folder: Path, sha256: str) -> str | None:
    """Return what is wrong with a stored model, or None if every byte is as saved."""
    try:
        files = _regular_files(folder)
    except UnstorableModel:
        return "now holds a file that the store never accepts"
    if MANIFEST not in files:
        return f"has lost its {MANIFEST}"
    manifest = files.pop(MANIFEST).read_bytes()
    if hashlib.sha256(manifest).hexdigest() != sha256:
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
