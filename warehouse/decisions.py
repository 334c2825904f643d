"""Decisions of people, each kept for good: ``decisions/<study>/<asset>/<sha256>.json``.

Hosts that share studies share these files, and read them where they are: nobody decides, or
spends, by a copy.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import duckdb

from warehouse import audit_log
from warehouse.audit_log import Materialization
from warehouse.connection import BoundedWait
from warehouse.databases import kept_files, study_database
from warehouse.errors import CorruptDocument
from warehouse.log_entries import LogEntry, read_log
from warehouse.names import check_study, table_name
from warehouse.provenance import Provenance

Permit: TypeAlias = Callable[[Sequence[bytes]], None]


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes
    ----------
    entry : LogEntry
        Of the audit log.
    place : str
        Of its file, which is named by the content's hash: no later decision takes its place.
    content : bytes or None
        Of the file, whether it is what was logged or not; None if it is missing.
    """

    entry: LogEntry
    place: str
    content: bytes | None = field(repr=False)

    @property
    def is_intact(self) -> bool:
        """Whether its file holds what was logged."""
        return hashlib.sha256(self.content or b"").hexdigest() == self.entry.data_version

    def read(self) -> bytes:
        """Return what was decided.

        Raises
        ------
        CorruptDocument
            If its file is altered or missing.
        """
        if self.content is None or not self.is_intact:
            raise CorruptDocument(
                f"{self.place} is not what was logged as {self.entry.asset} (audit log entry "
                f"{self.entry.sequence}); restore it from a backup, or decide again"
            )
        return self.content


class DecisionStore:
    """What people decided about the assets of one study.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the project's state.
    study : str
        Name of the study.
    wait_seconds : float
        How long a call waits for other processes before it raises `WarehouseBusy`.
    """

    def __init__(self, home: Path, study: str, *, wait_seconds: float = 120.0) -> None:
        self.study = check_study(study)
        self._files = kept_files(home)
        self._database = study_database(home, study)
        self._wait_seconds = wait_seconds

    def record(
        self, asset: str, content: bytes, provenance: Provenance, *, permit: Permit | None = None
    ) -> Decision:
        """Keep a decision and log it; earlier ones stay.

        Parameters
        ----------
        asset : str
            Such as ``"cart/approval"``.
        content : bytes
            JSON.
        provenance : Provenance
            What was decided on, as its upstream.
        permit : callable, optional
            Takes what `contents` gives, and raises to forbid this one. Nobody on any host can
            decide between its answer and the entry.

        Raises
        ------
        CorruptDocument
            If there is a `permit`, and what it has to know is altered or missing.
        """
        version = hashlib.sha256(content).hexdigest()
        name = self._name(asset, version)
        made = Materialization(asset, "document", version, None, provenance)
        with self._database.writing(self._wait(), provenance.run_id) as connection:
            if permit is not None:
                permit(self._contents(connection, asset))
            self._files.put(name, content)
            audit_log.append_entry(connection, made)
            entry = read_log(connection)[-1]
        return Decision(entry, f"{self._files.place}/{name}", content)

    def history(self, asset: str) -> tuple[Decision, ...]:
        """Return every decision of one name, oldest first; the last one counts."""
        with self._database.reading(self._wait()) as connection:
            entries = read_log(connection)
        return tuple(self.of(entry) for entry in entries if entry.asset == asset)

    def contents(self, asset: str) -> tuple[bytes, ...]:
        """Return all that was ever decided of one name: what no entry names first, then the log's.

        Files that no entry names were logged in a database that was lost or put
        back to an earlier state, or their writer was killed just before it
        logged them.

        Raises
        ------
        CorruptDocument
            If a file is not what it is named by, or what was logged.
        """
        with self._database.reading(self._wait()) as connection:
            return self._contents(connection, asset)

    def table_names(self) -> frozenset[str]:
        """Name the assets that there are decisions about, each as its table would be called."""
        names = self._files.names(f"decisions/{self.study}")
        return frozenset(name.split("/")[2] for name in names)

    def of(self, entry: LogEntry) -> Decision:
        """Give the decision that an entry of the log stands for."""
        name = self._name(entry.asset, entry.data_version)
        return Decision(entry, f"{self._files.place}/{name}", self._files.get(name))

    def _contents(self, connection: duckdb.DuckDBPyConnection, asset: str) -> tuple[bytes, ...]:
        entries = read_log(connection)
        logged = {entry.data_version for entry in entries}
        found = [
            self._unlogged(name)
            for name in self._files.names(f"decisions/{self.study}/{table_name(asset)}")
            if Path(name).stem not in logged
        ]
        return (*found, *(self.of(entry).read() for entry in entries if entry.asset == asset))

    def _unlogged(self, name: str) -> bytes:
        content = self._files.get(name) or b""
        if hashlib.sha256(content).hexdigest() != Path(name).stem:
            raise CorruptDocument(
                f"{self._files.place}/{name} is not what it is named by; restore it from a backup"
            )
        return content

    def _name(self, asset: str, version: str) -> str:
        return f"decisions/{self.study}/{table_name(asset)}/{version}.json"

    def _wait(self) -> BoundedWait:
        return BoundedWait(f"the warehouse of study {self.study!r}", self._wait_seconds)
