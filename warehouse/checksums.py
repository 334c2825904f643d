"""``SHA256SUMS`` as coreutils writes it: who has the folder can run ``sha256sum -c SHA256SUMS``."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from warehouse.errors import CorruptRelease, InvalidName

CHECKSUMS = "SHA256SUMS"
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # nothing that coreutils would escape


def checksums(files: Mapping[str, bytes]) -> bytes:
    """List the SHA-256 of named contents, sorted by name.

    Raises
    ------
    InvalidName
        If a name is not made of letters, digits, points, dashes and underscores, or is that of
        the list itself.
    """
    for name in files:
        if not _FILE.fullmatch(name) or name == CHECKSUMS:
            raise InvalidName(f"release file {name!r}: use letters, digits, '.', '-' and '_'")
    return b"".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n".encode() for name in sorted(files)
    )


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read the files of a release, plain ones in one folder, whatever they hold.

    Raises
    ------
    CorruptRelease
        If there is no such folder, or something in it that no release has: a link, a folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CorruptRelease(f"{folder} is not a release: there is no such folder")
    files = {}
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            raise CorruptRelease(f"{path.name!r} is not a plain file: no release has such a thing")
        files[path.name] = path.read_bytes()
    return files


def altered(files: Mapping[str, bytes]) -> list[str]:
    """Say which files differ from the list among them; empty if every byte is as listed.

    The list must also be written as `checksums` writes it, so that no byte of it is free.
    """
    content = {name: each for name, each in files.items() if name != CHECKSUMS}
    if CHECKSUMS not in files:
        return [f"{CHECKSUMS} is missing"]
    lines = files[CHECKSUMS].decode("utf-8", "replace").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines if line)}
    faults = [f"{name} is missing" for name in sorted(listed.keys() - content.keys())]
    for name, each in content.items():
        if name not in listed:
            faults.append(f"{name} is not listed")
        elif hashlib.sha256(each).hexdigest() != listed[name]:
            faults.append(f"{name} is altered")
    if not faults and checksums(content) != files[CHECKSUMS]:
        faults.append(f"{CHECKSUMS} is altered")
    return faults
