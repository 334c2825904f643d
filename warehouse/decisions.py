"""Decisions of people, each kept for good: ``decisions/<study>/<asset>/<sha256>.json``."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from warehouse import audit_log
from warehouse.audit_log import Materialization
from warehouse.connection import BoundedWait
from warehouse.databases import study_database
from warehouse.errors import CorruptDocument
from warehouse.log_entries import LogEntry, read_log
from warehouse.names import check_study, table_name
from warehouse.private_files import make_private_folder, replace_file
from warehouse.provenance import Provenance


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes
    ----------
    entry : LogEntry
        Of the audit log.
    file : pathlib.Path
        Named by the content's hash, so that no later decision takes its place.
    """

    entry: LogEntry
    file: Path

    @property
    def is_intact(self) -> bool:
        """Whether its file holds what was logged."""
        content = self.file.read_bytes() if self.file.is_file() else b""
        return hashlib.sha256(content).hexdigest() == self.entry.data_version

    def read(self) -> bytes:
        """Return what was decided.

        Raises
        ------
        CorruptDocument
            If its file is altered or missing.
        """
        if not self.is_intact:
            raise CorruptDocument(
                f"{self.file} is not what was logged as {self.entry.asset} (audit log entry "
                f"{self.entry.sequence}); restore it from a backup, or decide again"
            )
        return self.file.read_bytes()


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
        self._folder = decision_folder(home, study)
        self._database = study_database(home, study)
        self._wait_seconds = wait_seconds

    def record(self, asset: str, content: bytes, provenance: Provenance) -> Decision:
        """Keep a decision and log it; earlier ones stay.

        Parameters
        ----------
        asset : str
            Such as ``"cart/approval"``.
        content : bytes
            JSON.
        provenance : Provenance
            What was decided on, as its upstream.
        """
        version = hashlib.sha256(content).hexdigest()
        file = self._file(asset, version)
        made = Materialization(asset, "document", version, None, provenance)
        with self._database.writing(self._wait(), provenance.run_id) as connection:
            make_private_folder(file.parent)
            replace_file(file, content)
            audit_log.append_entry(connection, made)
            entry = read_log(connection)[-1]
        return Decision(entry, file)

    def history(self, asset: str) -> tuple[Decision, ...]:
        """Return every decision of one name, oldest first; the last one counts."""
        with self._database.reading(self._wait()) as connection:
            entries = read_log(connection)
        return tuple(self.of(entry) for entry in entries if entry.asset == asset)

    def unlogged(self, asset: str) -> tuple[Path, ...]:
        """Return files of decisions that no entry of the log names, by name.

        They were logged in a database that was lost or put back to an earlier
        state, or their writer was killed just before it logged them.
        """
        with self._database.reading(self._wait()) as connection:
            logged = {entry.data_version for entry in read_log(connection)}
            files = sorted((self._folder / table_name(asset)).glob("[!.]*.json"))
        return tuple(file for file in files if file.stem not in logged)

    def of(self, entry: LogEntry) -> Decision:
        """Give the decision that an entry of the log stands for."""
        return Decision(entry, self._file(entry.asset, entry.data_version))

    def _file(self, asset: str, version: str) -> Path:
        return self._folder / table_name(asset) / f"{version}.json"

    def _wait(self) -> BoundedWait:
        return BoundedWait(f"the warehouse of study {self.study!r}", self._wait_seconds)


def decision_folder(home: Path, study: str) -> Path:
    """Give the folder of a study's decisions, with one folder in it for each asset."""
    return Path(home) / "decisions" / study
