"""Numbered, immutable release folders: ``releases/<study>/<generator>/<number>/``.

A folder appears whole or not at all, its files cannot be written to, and its number is never
given again. Nothing here deletes a release. Hosts that share studies share their releases: each
file is written once, `CHECKSUMS` last, before the log knows the release; a home's folders are
copies. One without `CHECKSUMS`, whose writer was killed, is none, and its number stays taken.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warehouse import audit_log
from warehouse.audit_log import Materialization
from warehouse.checksums import CHECKSUMS, altered, checksums, read_folder
from warehouse.connection import BoundedWait
from warehouse.databases import shared_files, study_database
from warehouse.errors import CorruptRelease, ReleaseNotFound, StorageUnavailable
from warehouse.names import check_study, table_name
from warehouse.private_files import make_private_folder, sync
from warehouse.provenance import Provenance

READ_ONLY_FILE, READ_ONLY_FOLDER = 0o400, 0o500
_UNFINISHED = "unfinished"


@dataclass(frozen=True)
class ReleaseSlot:
    """What a release is told before it is made.

    Attributes
    ----------
    number : int
        Its own, from 1.
    n_entries : int
        Entries of the audit log so far; the release's own will be the next.
    entry_hash : str
        Hash of the last one: who keeps it can tell later if the log was cut or rewritten.
    snapshot : int or None
        Of the lake, which holds what the release is made from; None for a home of files.
    """

    number: int
    n_entries: int
    entry_hash: str
    snapshot: int | None = None


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes
    ----------
    generator : str
    number : int
    folder : pathlib.Path
        In this home, where `ReleaseStore.folder` puts it if another host made it.
    sha256 : str
        Of its ``SHA256SUMS``, and so of all of it; the data version in the audit log.
    """

    generator: str
    number: int
    folder: Path
    sha256: str


class ReleaseStore:
    """The releases of one study.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state; ``releases/`` is created in it at the first write.
    study : str
        Name of the study.
    wait_seconds : float
        How long a write waits for other processes before it raises `WarehouseBusy`.
    """

    def __init__(self, home: Path, study: str, *, wait_seconds: float = 120.0) -> None:
        self.study = check_study(study)
        self.wait_seconds = wait_seconds
        self._database = study_database(home, study)
        self._home = Path(home)
        self._shared = shared_files(home)

    def write(
        self,
        asset: str,
        make: Callable[[ReleaseSlot], Mapping[str, bytes]],
        provenance: Provenance,
    ) -> Release:
        """Make a release under the next number, put it into place and log it.

        The study's database is locked meanwhile, so that number and end of the audit log are
        true when the release is there; `make` should only write out what was computed before.

        Parameters
        ----------
        asset : str
            ``"<generator>/release_bundle"``.
        make : callable
            Gives the contents by file name, `CHECKSUMS` not among them.
        provenance : Provenance
            Where the release came from.

        Raises
        ------
        InvalidName
            If the asset or a file has a name that storage cannot accept.
        WarehouseBusy, StorageUnavailable
            If the database, the disk or what hosts share cannot be had; no release appears.
        """
        generator = asset.rpartition("/")[0]
        folder = self._home / self._name(generator)
        wait = BoundedWait(f"the warehouse of study {self.study!r}", self.wait_seconds)
        with self._database.writing(wait, provenance.run_id) as connection:
            make_private_folder(folder)
            _remove_unfinished(folder)
            slot = self._slot(connection, asset, generator)
            files = dict(make(slot))
            files[CHECKSUMS] = checksums(files)
            final = folder / f"{slot.number:04d}"
            self._publish(files, self._name(generator, slot.number))
            _place(files, final)
            sha256 = hashlib.sha256(files[CHECKSUMS]).hexdigest()
            made = Materialization(asset, "document", sha256, None, provenance)
            audit_log.append_entry(connection, made)
        return Release(generator, slot.number, final, sha256)

    def releases(self, generator: str | None = None) -> list[Release]:
        """List the releases of one generator, or of all, oldest number first."""
        found = {
            (folder.parent.name, int(folder.name)): folder
            for folder in _numbered(self._home.glob(f"{self._name()}/*/*"))
        }
        for name in self._shared.names(self._name()):
            folder = self._home / name
            if folder.name == CHECKSUMS:
                found.setdefault((folder.parts[-3], int(folder.parts[-2])), folder.parent)
        wanted = None if generator is None else table_name(generator)
        return [
            Release(of, number, folder, hashlib.sha256(self._list_in(folder)).hexdigest())
            for (of, number), folder in sorted(found.items())
            if wanted in (None, of)
        ]

    def folder(self, generator: str, number: int) -> Path:
        """Return the folder of a release in this home, fetched if another host made it.

        Raises
        ------
        ReleaseNotFound
            If the study has no such release.
        CorruptRelease
            If what hosts share is not what was released.
        """
        name = self._name(generator, number)
        folder = self._home / name
        if folder.is_dir():
            return folder
        if self._shared.get(f"{name}/{CHECKSUMS}") is None:
            raise ReleaseNotFound(
                f"study {self.study!r} has no release {number} of {generator!r}; hybrid release "
                "makes one"
            )
        shared = self._shared.names(name)
        files = {each.rpartition("/")[2]: self._shared.get(each) or b"" for each in shared}
        _require_intact(files, f"{self._shared.place}/{name}")
        make_private_folder(folder.parent)
        _place(files, folder)
        return folder

    def read(self, generator: str, number: int) -> dict[str, bytes]:
        """Read a release's files by name after checking every byte.

        Raises
        ------
        ReleaseNotFound
            If the study has no such release.
        CorruptRelease
            If a file is altered, missing or added.
        """
        folder = self.folder(generator, number)
        files = read_folder(folder)
        _require_intact(files, str(folder))
        return files

    def _name(self, generator: str = "", number: int = 0) -> str:
        parts = ["releases", self.study]
        parts += [table_name(generator)] if generator else []
        return "/".join([*parts, f"{number:04d}"] if number else parts)

    def _list_in(self, folder: Path) -> bytes:
        listed = folder / CHECKSUMS
        if folder.is_dir():
            return listed.read_bytes() if listed.is_file() else b""
        return self._shared.get(listed.relative_to(self._home).as_posix()) or b""

    def _publish(self, files: Mapping[str, bytes], name: str) -> None:
        for file in sorted(files, key=lambda file: (file == CHECKSUMS, file)):
            if not self._shared.put_new(f"{name}/{file}", files[file]):
                raise StorageUnavailable(
                    f"{name} was given to another release in {self._shared.place} meanwhile; "
                    "nothing was released: run again"
                )

    def _slot(
        self, connection: duckdb.DuckDBPyConnection, asset: str, generator: str
    ) -> ReleaseSlot:
        """Count folders and log entries: a number stays taken if its folder was moved away."""
        folder = self._home / self._name(generator)
        numbers = [int(each.name) for each in _numbered(folder.iterdir())]
        shared = self._shared.names(self._name(generator))
        numbers += [int(name.split("/")[3]) for name in shared]
        n_logged = audit_log.count_entries(connection, asset, "document")
        number, end = max([n_logged, *numbers]) + 1, audit_log.chain_end(connection)
        return ReleaseSlot(number, *end, self._database.snapshot())


def _require_intact(files: Mapping[str, bytes], where: str) -> None:
    faults = altered(files)
    if faults:
        raise CorruptRelease(f"release {where}: {'; '.join(faults)}; do not hand it out")


def _numbered(folders: Iterable[Path]) -> list[Path]:
    return [folder for folder in folders if folder.name.isdecimal() and folder.is_dir()]


def _remove_unfinished(folder: Path) -> None:
    """Remove what killed writers left: who is here has the lock, so nobody is writing."""
    for leftover in folder.glob(f".{_UNFINISHED}-*"):
        leftover.chmod(0o700)
        shutil.rmtree(leftover)


def protect(folder: Path) -> None:
    """Make a release's files and folder read-only."""
    for file in folder.iterdir():
        file.chmod(READ_ONLY_FILE)
    folder.chmod(READ_ONLY_FOLDER)


def _place(files: Mapping[str, bytes], final: Path) -> None:
    unfinished = final.with_name(f".{_UNFINISHED}-{final.name}")
    unfinished.mkdir(mode=0o700)
    for name, content in files.items():
        descriptor = os.open(unfinished / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    sync(unfinished)
    protect(unfinished)
    unfinished.rename(final)
    sync(final.parent)
