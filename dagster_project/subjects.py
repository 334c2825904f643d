"""Tracing a person to the seed versions, generators and releases that used their row.

Rows are not kept for it. Each version of the seed leaves keyed hashes of what tells its people
apart: the study's identifiers, or the whole row where it names none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dagster_project.study_file import StudyFile
from hybrid_assets.schema import TableSchema
from warehouse import AuditTrail, KeyedHash, LogEntry, SubjectSplit
from warehouse.log_entries import FILES

PURPOSE = "subject"
IdentifiedBy = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SubjectUse:
    """Where one version of the seed that holds a person was used.

    Attributes
    ----------
    seed_version : str
    seed_entry : LogEntry or None
        When that version was recorded; None if the log does not know it.
    parts : tuple of {"train", "holdout"}
        On which side of the split the person was.
    used_by : tuple of LogEntry
        Everything made from those splits, oldest first.
    """

    seed_version: str
    seed_entry: LogEntry | None
    parts: tuple[str, ...]
    used_by: tuple[LogEntry, ...]


def identified_by(study: StudyFile, schema: TableSchema, seed: pd.DataFrame) -> IdentifiedBy:
    """Say which columns tell a person: the identifiers, or all columns of a study without any."""
    names = study.identifiers or schema.names
    return tuple(
        (name, "number" if pd.api.types.is_numeric_dtype(seed[name]) else "text") for name in names
    )


def row_digests(rows: pd.DataFrame, columns: IdentifiedBy, keyed: KeyedHash) -> tuple[str, ...]:
    """Hash each row's identifying values; none if `rows` lacks one of the columns."""
    if any(name not in rows.columns for name, _ in columns):
        return ()
    told = [[canonical_value(value, kind) for value in rows[name]] for name, kind in columns]
    return tuple(keyed.of_all(PURPOSE, [json.dumps(key) for key in zip(*told, strict=True)]))


def canonical_value(value: object, kind: str) -> str | None:
    """Write a value so that a cell and what a person types of it agree; missing is None.

    Examples
    --------
    >>> canonical_value(7.0, "number"), canonical_value("7", "number"), canonical_value("", "text")
    ('7', '7', None)
    """
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    text = str(value).strip()
    if not text:
        return None
    return _number_text(value, text) if kind == "number" else text


def _number_text(value: object, text: str) -> str:
    try:
        return str(int(text))  # exact beyond 2**53
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else repr(number)


def split_of(
    columns: IdentifiedBy,
    parts: Mapping[str, pd.DataFrame],
    keyed: KeyedHash,
    *,
    seed_version: str,
    splits_version: str,
) -> SubjectSplit:
    """Give what is kept of a split: digests of its ``train`` and ``holdout`` rows."""
    digests = {part: row_digests(rows, columns, keyed) for part, rows in parts.items()}
    return SubjectSplit(seed_version, splits_version, columns, digests)


def asked_columns(splits: Sequence[SubjectSplit]) -> list[str]:
    """Name the columns whose values are needed to look a person up in all versions."""
    return list(dict.fromkeys(name for split in splits for name, _ in split.identified_by))


def uses_of(trail: AuditTrail, keyed: KeyedHash, values: Mapping[str, str]) -> list[SubjectUse]:
    """Find a person in every version of the seed, and what was made from it.

    Parameters
    ----------
    trail : AuditTrail
    keyed : KeyedHash
        Of the home where the versions were recorded.
    values : mapping of str to str
        Column -> the person's value, as typed.
    """
    entries = trail.entries()
    found = []
    for split in trail.subject_splits():
        key = [canonical_value(values[name], kind) for name, kind in split.identified_by]
        digest = keyed.of(PURPOSE, json.dumps(key))
        parts = tuple(part for part, many in split.digests.items() if digest in many)
        if parts:
            seeds = [e for e in entries if e.data_version == split.seed_version]
            used_by = _made_from(entries, split.splits_version)
            first = seeds[0] if seeds else None
            found.append(SubjectUse(split.seed_version, first, parts, used_by))
    return found


def _made_from(entries: Sequence[LogEntry], splits_version: str) -> tuple[LogEntry, ...]:
    """Follow one version of the splits forward through the log."""
    reached = {("splits", splits_version)}
    made = []
    for entry in entries:
        if not reached.isdisjoint(entry.upstream.items()):
            made.append(entry)
            name = f"{entry.asset}{FILES}" if entry.kind == "model" else entry.asset
            reached.add((name, entry.data_version))
    return tuple(made)
