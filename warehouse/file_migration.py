"""Copying what a home keeps beside its tables to where hosts share it, or back."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from warehouse.checksums import CHECKSUMS, sha256_of
from warehouse.errors import CorruptDocument, StorageUnavailable
from warehouse.model_folder import MANIFEST
from warehouse.private_files import make_private_folder
from warehouse.release_folder import protect
from warehouse.shared_files import WRITING, SharedFiles

# A folder of models or releases is there when its list is: the list comes last.
_LISTS = (MANIFEST, CHECKSUMS)
_KINDS = ("models", "pages", "decisions", "unfinished", "releases")


def copy_files(origin: SharedFiles, copy: SharedFiles, aside: Path) -> int:
    """Copy models, pages, decisions, unfinished parts and releases, and compare every hash.

    What is there already and equal is left; a copy that was cut off goes on. A release that was
    begun and never finished is none.

    Parameters
    ----------
    origin, copy : SharedFiles
    aside : pathlib.Path
        Where a file lies between the two: the home.

    Returns
    -------
    int
        Number of files, each with the same SHA-256 in both places.

    Raises
    ------
    StorageUnavailable
        If a place refuses, or another release has the same number there.
    CorruptDocument
        If a file reads differently after the copy.
    """
    folder = aside / WRITING
    make_private_folder(folder)
    names = list(_in_order(origin))
    for begun in _begun(copy.names("releases")) & {_folder(name) for name in names}:
        copy.remove(begun)
    with NamedTemporaryFile(dir=folder) as file, NamedTemporaryFile(dir=folder) as again:
        for name in names:
            if not origin.get_file(name, Path(file.name)):
                raise StorageUnavailable(f"{origin.place}/{name} went away; run again")
            _copy_file(name, Path(file.name), copy, Path(again.name))
    return len(names)


def _copy_file(name: str, file: Path, copy: SharedFiles, again: Path) -> None:
    expected, there = sha256_of(file), _sha256_in(copy, name, again)
    if there == expected:
        return
    if there is not None and name.startswith("releases/"):
        raise StorageUnavailable(
            f"another release is there already: {copy.place}/{name}; nothing was moved"
        )
    copy.put_file(name, file)
    if _sha256_in(copy, name, again) != expected:
        raise CorruptDocument(
            f"{copy.place}/{name} reads differently after the copy; nothing was moved"
        )


def _sha256_in(files: SharedFiles, name: str, aside: Path) -> str | None:
    return sha256_of(aside) if files.get_file(name, aside) else None


def protect_releases(home: Path) -> None:
    """Let nobody write to the releases that were copied into a home."""
    for listed in (home / "releases").glob(f"*/*/*/{CHECKSUMS}"):
        protect(listed.parent)


def _in_order(origin: SharedFiles) -> Iterator[str]:
    for kind in _KINDS:
        names = origin.names(kind)
        begun = _begun(names) if kind == "releases" else set()
        kept = (name for name in names if _folder(name) not in begun)
        yield from sorted(kept, key=lambda name: name.endswith(_LISTS))


def _begun(releases: list[str]) -> set[str]:
    """Name the folders without a list: their writer was killed, they are no releases."""
    whole = {_folder(name) for name in releases if name.endswith(f"/{CHECKSUMS}")}
    return {_folder(name) for name in releases} - whole


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
