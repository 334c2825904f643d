"""Files that every host of a lake sees: models, releases, pages, decisions, unfinished parts.

Names are those in a home: ``models/<sha256>/manifest.json``. Where a home keeps copies of its own,
the shared file is written first and the copy after it.
"""

import io
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from warehouse.errors import InvalidName, StorageUnavailable, reason
from warehouse.private_files import FILE_MODE, make_private_folder, sync

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
WRITING = ".writing"
_LEFTOVER_SECONDS = 24 * 60 * 60.0


class SharedFiles(Protocol):
    """A place for whole files; every method raises `StorageUnavailable` if it refuses."""

    @property
    def place(self) -> str:
        """Tell people where it is."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file, which readers see whole, and durable once this returns."""

    def put_file(self, name: str, file: Path) -> None:
        """Write the content of a file of this host, which may be large."""

    def put_new(self, name: str, content: bytes) -> bool:
        """Write a file unless it is there: False if it is, whoever was first."""

    def put_new_file(self, name: str, file: Path) -> bool:
        """Write the content of a file of this host unless the name is taken: False if it is."""

    def get(self, name: str) -> bytes | None:
        """Give a file's content, None if it is not there."""

    def get_file(self, name: str, file: Path) -> bool:
        """Write what is there to a file of this host: False if there is nothing."""

    def names(self, folder: str) -> list[str]:
        """Name all files below a folder, sorted; none if there is no such folder."""

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing if there is none."""


def is_plain(name: str) -> bool:
    """Whether a name can be one of ours: nothing hidden or unfinished, no way out of its place."""
    return not any(part in ("", ".", "..") or part.startswith(".") for part in name.split("/"))


def required_plain(name: str) -> str:
    """Return a name, or refuse one that is not plain.

    Raises
    ------
    InvalidName
    """
    if not is_plain(name):
        raise InvalidName(f"{name!r} cannot name a shared file")
    return name


class Unshared:
    """What a home of files shares with other hosts: nothing."""

    place = "this host alone"

    def put(self, name: str, content: bytes) -> None:
        """Leave it to the home."""

    def put_file(self, name: str, file: Path) -> None:
        """Leave it to the home."""

    def put_new(self, name: str, content: bytes) -> bool:
        """Leave it to the home, in which nobody else is first."""
        return True

    def put_new_file(self, name: str, file: Path) -> bool:
        """Leave it to the home, in which nobody else is first."""
        return True

    def get(self, name: str) -> bytes | None:
        """Give nothing: what there is is in the home."""

    def get_file(self, name: str, file: Path) -> bool:
        """Give nothing: what there is is in the home."""
        return False

    def names(self, folder: str) -> list[str]:
        """Name nothing."""
        return []

    def remove(self, name: str) -> None:
        """Leave it to the home."""


class SharedFolder:
    """Files below a folder that all hosts mount, or of one host.

    What is being written lies in its ``.writing/``: a killed writer leaves nothing among the files
    of a model or a release.

    Parameters
    ----------
    root : pathlib.Path
        The folder; made, private to its owner, at the first write.
    marker : str
        Of a folder that all hosts mount: without this file, nothing but it is written.
    """

    def __init__(self, root: Path, marker: str = "") -> None:
        self._root, self._marker = Path(root), marker
        self._is_swept = False

    @property
    def place(self) -> str:
        """Tell people where it is."""
        return str(self._root)

    def put(self, name: str, content: bytes) -> None:
        """Write a file beside its place and move it there."""
        self._put(name, io.BytesIO(content))

    def put_file(self, name: str, file: Path) -> None:
        """Write the content of another file."""
        with file.open("rb") as content:
            self._put(name, content)

    def put_new(self, name: str, content: bytes) -> bool:
        """Write a file unless it is there."""
        return self._put_new(name, io.BytesIO(content))

    def put_new_file(self, name: str, file: Path) -> bool:
        """Write the content of another file unless the name is taken."""
        with file.open("rb") as content:
            return self._put_new(name, content)

    def get(self, name: str) -> bytes | None:
        """Give a file's content, None if it is not there."""
        with self._refusals(), suppress(*_ABSENT):
            return self._path(name).read_bytes()
        return None

    def get_file(self, name: str, file: Path) -> bool:
        """Copy a file to this host."""
        with self._refusals(), suppress(*_ABSENT):
            shutil.copyfile(self._path(name), file)
            return True
        return False

    def names(self, folder: str) -> list[str]:
        """Name all files below a folder but hidden ones, which are not finished."""
        with self._refusals():
            found = [
                Path(path, file).relative_to(self._root).as_posix()
                for path, _, files in os.walk(self._path(folder) if folder else self._root)
                for file in files
            ]
        return sorted(filter(is_plain, found))

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        with self._refusals():
            path = self._path(name)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._root / required_plain(name)

    def _put(self, name: str, content: IO[bytes]) -> None:
        with self._refusals(), self._written(name, content) as own:
            own.replace(self._path(name))
            sync(self._path(name).parent)

    def _put_new(self, name: str, content: IO[bytes]) -> bool:
        with self._refusals(), self._written(name, content) as own:
            try:
                os.link(own, self._path(name))
            except FileExistsError:
                # NFS repeats a request whose answer was lost: then it is ours that is there
                return own.samefile(self._path(name))
            sync(self._path(name).parent)
        return True

    @contextmanager
    def _written(self, name: str, content: IO[bytes]) -> Iterator[Path]:
        """Write a file of our own: two hosts may write one name at once."""
        if self._marker not in ("", name):
            (self._root / self._marker).stat()  # a folder that is not mounted may be there
        own = self._root / WRITING / secrets.token_hex(8)
        for folder in (own.parent, self._path(name).parent):
            make_private_folder(folder)
        if not self._is_swept:
            self._is_swept = True
            _sweep(own.parent)
        try:
            descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
            with os.fdopen(descriptor, "wb") as file:
                shutil.copyfileobj(content, file)
                file.flush()
                os.fsync(file.fileno())
            yield own
        finally:
            own.unlink(missing_ok=True)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageUnavailable(
                f"{self._root} refuses ({reason(error)}); check that it is mounted, its "
                "permissions, free space and that it knows hard links, then run again"
            ) from None


def _sweep(folder: Path) -> None:
    """Remove what writers that were killed more than a day ago left unfinished."""
    oldest = time.time() - _LEFTOVER_SECONDS
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # removed by another writer
            if file.stat().st_mtime < oldest:
                file.unlink()
