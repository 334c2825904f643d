"""The folder of one release: its files, `CHECKSUMS` last, then nobody may write to it."""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from warehouse.checksums import CHECKSUMS, checksums, require_names
from warehouse.private_files import make_private_folder, sync

READ_ONLY_FILE, READ_ONLY_FOLDER = 0o400, 0o500
Content = bytes | IO[bytes]
_UNFINISHED, _FETCHED = "unfinished", "fetched"
_LEFTOVER_SECONDS = 24 * 60 * 60.0
_CHUNK_BYTES = 1 << 20


@contextmanager
def unfinished_folder(final: Path) -> Iterator[Path]:
    """Lend a new folder beside `final`, gone afterwards unless it was moved there.

    What killed writers left is removed first: who is here has the study's lock, so nobody is
    writing.
    """
    make_private_folder(final.parent)
    for leftover in final.parent.glob(f".{_UNFINISHED}-*"):
        remove_folder(leftover)
    unfinished = final.parent / f".{_UNFINISHED}-{final.name}"
    unfinished.mkdir(mode=0o700)
    try:
        yield unfinished
    finally:
        if unfinished.is_dir():
            remove_folder(unfinished)


def write_files(files: Mapping[str, Content], folder: Path) -> str:
    """Write named contents and the list of their hashes; give the list's own.

    Parameters
    ----------
    files : mapping of str to bytes or open binary file
        A file is read from its start, a little at a time.
    folder : pathlib.Path
        Empty.

    Raises
    ------
    InvalidName
        Before anything is written; see `warehouse.checksums.require_names`.
    """
    require_names(files)
    digests = {name: _written(content, folder / name) for name, content in files.items()}
    listed = _written(checksums(digests), folder / CHECKSUMS)
    sync(folder)
    return listed


def _written(content: Content, path: Path) -> str:
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in _chunks(content):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(descriptor)
    return digest.hexdigest()


def _chunks(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    content.seek(0)
    yield from iter(lambda: content.read(_CHUNK_BYTES), b"")


def move_into_place(folder: Path, final: Path) -> None:
    """Protect a folder that is whole and give it its name."""
    protect(folder)
    folder.rename(final)
    sync(final.parent)


def protect(folder: Path) -> None:
    """Make a release's files and folder read-only."""
    for file in folder.iterdir():
        file.chmod(READ_ONLY_FILE)
    folder.chmod(READ_ONLY_FOLDER)


@contextmanager
def fetched_folder(final: Path) -> Iterator[Path]:
    """Lend a new folder for a copy of what hosts share, gone afterwards unless it was moved."""
    make_private_folder(final.parent)
    copy = final.with_name(f".{_FETCHED}-{secrets.token_hex(8)}")
    copy.mkdir(mode=0o700)
    try:
        yield copy
    finally:
        for leftover in final.parent.glob(f".{_FETCHED}-*"):
            with suppress(FileNotFoundError):  # removed by another reader
                if leftover == copy or leftover.stat().st_ctime < time.time() - _LEFTOVER_SECONDS:
                    remove_folder(leftover)


def replace_folder(copy: Path, final: Path) -> None:
    """Put a checked copy into its place, unless another reader just did."""
    if final.is_dir():
        aside = final.with_name(f".{_FETCHED}-{secrets.token_hex(8)}")
        with suppress(FileNotFoundError):  # put aside by another reader
            final.chmod(0o700)
            final.rename(aside)
            remove_folder(aside)
    for path in (*copy.iterdir(), copy):
        sync(path)
    try:
        move_into_place(copy, final)
    except OSError:
        if not final.is_dir():
            raise


def remove_folder(folder: Path) -> None:
    """Remove a folder, though it may be protected."""
    folder.chmod(0o700)
    shutil.rmtree(folder)
