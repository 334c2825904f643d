"""Copying what a home keeps beside its tables to where hosts share it, or back."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from warehouse.checksums import CHECKSUMS
from warehouse.errors import CorruptDocument, StorageUnavailable
from warehouse.model_folder import MANIFEST
from warehouse.release_folder import protect
from warehouse.shared_files import SharedFiles

# A folder of models or releases is there when its list is: the list comes last.
_LISTS = (MANIFEST, CHECKSUMS)
_KINDS = ("models", "pages", "decisions", "unfinished", "releases")


def copy_files(origin: SharedFiles, copy: SharedFiles) -> int:
    """Copy models, pages, decisions, unfinished parts and releases, and compare every hash.

    What is there already and equal is left; a copy that was cut off goes on.

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
    n_files = 0
    for name in _in_order(origin):
        content, there = origin.get(name), copy.get(name)
        if content is None:
            raise StorageUnavailable(f"{origin.place}/{name} went away; run again")
        if there != content:
            if there is not None and name.startswith("releases/"):
                raise StorageUnavailable(
                    f"another release is there already: {copy.place}/{name}; nothing was moved"
                )
            copy.put(name, content)
            if _sha256(copy.get(name)) != _sha256(content):
                raise CorruptDocument(
                    f"{copy.place}/{name} reads differently after the copy; nothing was moved"
                )
        n_files += 1
    return n_files


def protect_releases(home: Path) -> None:
    """Let nobody write to the releases that were copied into a home."""
    for listed in (home / "releases").glob(f"*/*/*/{CHECKSUMS}"):
        protect(listed.parent)


def _in_order(origin: SharedFiles) -> Iterator[str]:
    for kind in _KINDS:
        yield from sorted(origin.names(kind), key=lambda name: name.endswith(_LISTS))


def _sha256(content: bytes | None) -> str:
    return hashlib.sha256(content or b"").hexdigest()
