"""Numbered, immutable release folders: ``releases/<study>/<generator>/<number>/``.

A folder appears whole or not at all, its files cannot be written to, and its number is never
given again. Nothing here deletes a release. Hosts that share studies share their releases: each
file is written once, `CHECKSUMS` last, before the log knows the release; a home's folders are
copies. One without `CHECKSUMS`, whose writer was killed, is none, and its number stays taken.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import duckdb

from warehouse import audit_log
from warehouse.audit_log import Materialization
from warehouse.checksums import CHECKSUMS, altered, folder_digests
from warehouse.connection import BoundedWait
from warehouse.databases import shared_files, study_database
from warehouse.errors import CorruptRelease, ReleaseNotFound, StorageUnavailable
from warehouse.log_entries import read_log
from warehouse.names import check_study, table_name
from warehouse.provenance import Provenance
from warehouse.release_folder import (
    Content,
    fetched_folder,
    move_into_place,
    replace_folder,
    unfinished_folder,
    write_files,
)


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
        make: Callable[[ReleaseSlot], Mapping[str, Content]],
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
            Gives the contents by file name, `CHECKSUMS` not among them: bytes, or an open binary
            file where they are many, which is copied from its start.
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
        wait = BoundedWait(f"the warehouse of study {self.study!r}", self.wait_seconds)
        with self._database.writing(wait, provenance.run_id) as connection:
            slot = self._slot(connection, asset, generator)
            name = self._name(generator, slot.number)
            final = self._home / name
            with unfinished_folder(final) as unfinished:
                sha256 = write_files(make(slot), unfinished)
                self._publish(unfinished, name)
                move_into_place(unfinished, final)
            made = Materialization(asset, "document", sha256, None, provenance)
            audit_log.append_entry(connection, made)
        return Release(generator, slot.number, final, sha256)

    def releases(self, generator: str | None = None) -> list[Release]:
        """List the releases that the log knows, of one generator or of all, by number."""
        wanted = self._name(generator or "")
        shared = (PurePosixPath(name) for name in self._shared.names(wanted))
        folders = {self._home / name.parent for name in shared if name.name == CHECKSUMS}
        folders |= set(self._home.glob(f"{self._name()}/*/*"))
        logged = self._logged()
        found = [
            Release(of, int(folder.name), folder, sha256)
            for folder in _numbered(folders)
            if ((of := folder.parent.name), (sha256 := self._sha256(folder))) in logged
            and of == (table_name(generator) if generator else of)
        ]
        return sorted(found, key=lambda each: (each.generator, each.number))

    def folder(self, generator: str, number: int) -> Path:
        """Return the folder of a release in this home, fetched if another host made it.

        Raises
        ------
        ReleaseNotFound
            If the study has no such release, or what hosts share is none that the log knows.
        CorruptRelease
            If a file that hosts share is not what was released.
        """
        name = self._name(generator, number)
        folder, logged = self._home / name, self._logged()
        listed = self._shared.get(f"{name}/{CHECKSUMS}")
        of_log = (table_name(generator), self._sha256(folder)) in logged
        if folder.is_dir() and (listed is None or of_log):
            return folder
        version = hashlib.sha256(listed or b"").hexdigest()
        if listed is None or (table_name(generator), version) not in logged:
            raise ReleaseNotFound(
                f"study {self.study!r} has no release {number} of {generator!r}; hybrid release "
                "makes one"
            )
        with fetched_folder(folder) as copy:
            for each in self._shared.names(name):
                self._shared.get_file(each, copy / each.rpartition("/")[2])
            _require_intact(copy, f"{self._shared.place}/{name}")
            replace_folder(copy, folder)
        return folder

    def _logged(self) -> frozenset[tuple[str, str]]:
        """Give generator and SHA-256 of everything beside a generator that the log names."""
        wait = BoundedWait(f"the warehouse of study {self.study!r}", self.wait_seconds)
        with self._database.reading(wait) as connection:
            entries = read_log(connection)
        assets = ((e.asset.rpartition("/")[0], e) for e in entries if e.kind == "document")
        return frozenset((table_name(of), entry.data_version) for of, entry in assets if of)

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
        _require_intact(folder, str(folder))
        return {file.name: file.read_bytes() for file in folder.iterdir()}

    def _name(self, generator: str = "", number: int = 0) -> str:
        parts = ["releases", self.study]
        parts += [table_name(generator)] if generator else []
        return "/".join([*parts, f"{number:04d}"] if number else parts)

    def _sha256(self, folder: Path) -> str:
        """Hash the list of a release, in this home or where hosts share it."""
        listed = folder / CHECKSUMS
        content = listed.read_bytes() if listed.is_file() else None
        if content is None and not folder.is_dir():
            content = self._shared.get(listed.relative_to(self._home).as_posix())
        return hashlib.sha256(content or b"").hexdigest()

    def _publish(self, folder: Path, name: str) -> None:
        files = (file.name for file in folder.iterdir())
        for file in sorted(files, key=lambda file: (file == CHECKSUMS, file)):
            if not self._shared.put_new_file(f"{name}/{file}", folder / file):
                raise StorageUnavailable(
                    f"{name} was given to another release in {self._shared.place} meanwhile; "
                    "nothing was released: run again"
                )

    def _slot(
        self, connection: duckdb.DuckDBPyConnection, asset: str, generator: str
    ) -> ReleaseSlot:
        """Count folders and log entries: a number stays taken if its folder was moved away."""
        folder = self._home / self._name(generator)
        numbers = [int(each.name) for each in _numbered(folder.glob("*"))]
        shared = self._shared.names(self._name(generator))
        begun = (name.split("/")[3] for name in shared)
        numbers += [int(number) for number in begun if number.isdecimal()]
        n_logged = audit_log.count_entries(connection, asset, "document")
        number, end = max([n_logged, *numbers]) + 1, audit_log.chain_end(connection)
        return ReleaseSlot(number, *end, self._database.snapshot())


def _require_intact(folder: Path, where: str) -> None:
    faults = altered(folder, folder_digests(folder))
    if faults:
        raise CorruptRelease(f"release {where}: {'; '.join(faults)}; do not hand it out")


def _numbered(folders: Iterable[Path]) -> list[Path]:
    return [folder for folder in folders if folder.name.isdecimal()]
