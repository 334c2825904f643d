"""What the audit log answers: entries, results of checks, and where a person's rows were used."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from warehouse.connection import BoundedWait
from warehouse.databases import study_database
from warehouse.log_entries import LogEntry, read_log
from warehouse.names import check_study
from warehouse.provenance import Provenance
from warehouse.sealed_records import CHECKS, SUBJECTS, append_sealed, sealed_rows, subject_rows

Severity = Literal["blocking", "error", "warning"]
KEY = "key"  # of a row that names the key instead of a person
NOT_DRAWN = "not drawn"  # of a row that counts who is in neither part


@dataclass(frozen=True)
class CheckRecord:
    """How one check of one version ended.

    Attributes
    ----------
    asset, checked_version : str
        What was checked, and its data version.
    check_name : str
    passed : bool
    severity : {"blocking", "error", "warning"}
        What a failure means.
    sequence : int
        Log entry that seals the record; 0 before it is written.
    """

    asset: str
    checked_version: str
    check_name: str
    passed: bool
    severity: Severity
    sequence: int = 0


@dataclass(frozen=True)
class SubjectSplit:
    """Whose rows one version of the seed held, and on which side of the split.

    Attributes
    ----------
    seed_version, splits_version : str
    identified_by : tuple of (str, {"number", "date", "text"})
        Columns whose values tell a person, and how they are written.
    digests : mapping of str to tuple of str
        ``train`` and ``holdout`` -> keyed hashes of the rows' identifying values, all that are
        recorded or those that were asked for; a part whose rows lack an identifier is not there.
    key_name : str
        Of the key they were hashed with; empty if an older version did not write it down.
    n_not_drawn : int
        People who are in neither part; nothing is kept of them here.
    """

    seed_version: str
    splits_version: str
    identified_by: tuple[tuple[str, str], ...]
    digests: dict[str, tuple[str, ...]]
    key_name: str = ""
    n_not_drawn: int = 0


def append_checks(
    connection: duckdb.DuckDBPyConnection,
    asset: str,
    records: Sequence[CheckRecord],
    provenance: Provenance,
) -> None:
    """Seal how checks ended, if there are any, inside the transaction that is open."""
    rows = [(r.asset, r.checked_version, r.check_name, r.passed, r.severity) for r in records]
    if rows:
        append_sealed(connection, CHECKS, rows, asset=asset, provenance=provenance)


class AuditTrail:
    """The audit log of one study and the records that it seals.

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
        self.home = Path(home)
        self._wait_seconds = wait_seconds
        self._database = study_database(home, study)

    def entries(self) -> tuple[LogEntry, ...]:
        """Return the log, oldest entry first."""
        with self._database.reading(self._wait()) as connection:
            return read_log(connection)

    def record_checks(
        self, asset: str, records: Sequence[CheckRecord], provenance: Provenance
    ) -> None:
        """Seal how the checks of an asset ended; nothing is written if there are none."""
        if not records:
            return
        with self._database.writing(self._wait(), provenance.run_id) as connection:
            append_checks(connection, asset, records, provenance)

    def check_records(self) -> tuple[CheckRecord, ...]:
        """Return how every check ended, oldest first."""
        with self._database.reading(self._wait()) as connection:
            rows = sealed_rows(connection, CHECKS)
        return tuple(
            CheckRecord(asset, version, name, passed, severity, sequence)
            for sequence, asset, version, name, passed, severity in rows
        )

    def record_subjects(self, split: SubjectSplit, provenance: Provenance) -> None:
        """Seal whose rows a version of the seed holds, unless that version is the last known."""
        fixed = (split.seed_version, split.splits_version, json.dumps(split.identified_by))
        rows = [(*fixed, part, digest) for part, many in split.digests.items() for digest in many]
        rows += [(*fixed, KEY, split.key_name)] if split.key_name else []
        rows += [(*fixed, NOT_DRAWN, str(split.n_not_drawn))] if split.n_not_drawn else []
        with self._database.writing(self._wait(), provenance.run_id) as connection:
            append_sealed(connection, SUBJECTS, rows, asset="splits", provenance=provenance)

    def subject_splits(self, digests: Collection[str] = ()) -> tuple[SubjectSplit, ...]:
        """Return which versions held people, oldest first, with those digests that are asked for.

        The others, one for each person, are not read.
        """
        with self._database.reading(self._wait()) as connection:
            rows = subject_rows(connection, digests, told=(KEY, NOT_DRAWN))
        keys, undrawn = (
            {row[0]: str(row[-1]) for row in rows if row[-2] == part} for part in (KEY, NOT_DRAWN)
        )
        parts: dict[tuple[str, str, str, str, int], dict[str, list[str]]] = {}
        for sequence, seed, splits, identified_by, part, digest in rows:
            told = keys.get(sequence, ""), int(undrawn.get(sequence, 0))
            found = parts.setdefault((str(seed), str(splits), str(identified_by), *told), {})
            if part not in (KEY, NOT_DRAWN):
                found.setdefault(str(part), []).extend([str(digest)] if digest else [])
        return tuple(
            SubjectSplit(
                seed_version=seed,
                splits_version=splits,
                identified_by=tuple((name, kind) for name, kind in json.loads(identified_by)),
                digests={part: tuple(many) for part, many in found.items()},
                key_name=key_name,
                n_not_drawn=n_not_drawn,
            )
            for (seed, splits, identified_by, key_name, n_not_drawn), found in parts.items()
        )

    def _wait(self) -> BoundedWait:
        return BoundedWait(f"the warehouse of study {self.study!r}", self._wait_seconds)
