"""``SHA256SUMS`` as coreutils writes it: who has the folder can run ``sha256sum -c SHA256SUMS``."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from warehouse.errors import CorruptRelease, InvalidName

CHECKSUMS = "SHA256SUMS"
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # nothing that coreutils would escape


def checksums(digests: Mapping[str, str]) -> bytes:
    """List the SHA-256 of named contents, sorted by name.

    Raises
    ------
    InvalidName
        See `require_names`.
    """
    require_names(digests)
    return b"".join(f"{digests[name]}  {name}\n".encode() for name in sorted(digests))


def require_names(names: Iterable[str]) -> None:
    """Refuse names that the list cannot hold.

    Raises
    ------
    InvalidName
        If a name is not made of letters, digits, points, dashes and underscores, or is that of
        the list itself.
    """
    for name in names:
        if not _FILE.fullmatch(name) or name == CHECKSUMS:
            raise InvalidName(f"release file {name!r}: use letters, digits, '.', '-' and '_'")


def folder_digests(folder: Path) -> dict[str, str]:
    """Hash the files of a release by name, plain ones in one folder, whatever they hold.

    Raises
    ------
    CorruptRelease
        If there is no such folder, or something in it that no release has: a link, a folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CorruptRelease(f"{folder} is not a release: there is no such folder")
    digests = {}
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            raise CorruptRelease(f"{path.name!r} is not a plain file: no release has such a thing")
        digests[path.name] = sha256_of(path)
    return digests


def sha256_of(path: Path) -> str:
    """Hash a file, however large."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def altered(folder: Path, digests: Mapping[str, str]) -> list[str]:
    """Say which files of a folder differ from the list among them; empty if none does.

    The list must also be written as `checksums` writes it, so that no byte of it is free.

    Parameters
    ----------
    folder : pathlib.Path
    digests : mapping of str to str
        As `folder_digests` gives them.
    """
    found = {name: digest for name, digest in digests.items() if name != CHECKSUMS}
    if CHECKSUMS not in digests:
        return [f"{CHECKSUMS} is missing"]
    written = (Path(folder) / CHECKSUMS).read_bytes()
    lines = written.decode("utf-8", "replace").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines if line)}
    faults = [f"{name} is missing" for name in sorted(listed.keys() - found.keys())]
    for name, digest in found.items():
        if name not in listed:
            faults.append(f"{name} is not listed")
        elif digest != listed[name]:
            faults.append(f"{name} is altered")
    if not faults and checksums(found) != written:
        faults.append(f"{CHECKSUMS} is altered")
    return faults
