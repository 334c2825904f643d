"""Tracing a person to the seed versions, generators and releases that used their row.

Rows are not kept for it. Each version of the seed leaves keyed hashes of what tells its people
apart: the study's identifiers, or the whole row where it names none.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import numpy as np
import pandas as pd

from dagster_project.study_file import StudyFile
from hybrid_assets.blocks import BLOCK_ROWS
from hybrid_assets.columnwise import Columns
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
    parts : tuple of {"train", "holdout", "not drawn"}
        On which side of the split the person was, if on any.
    used_by : tuple of LogEntry
        Everything made from those splits, oldest first.
    """

    seed_version: str
    seed_entry: LogEntry | None
    parts: tuple[str, ...]
    used_by: tuple[LogEntry, ...]


def identified_by(study: StudyFile, schema: TableSchema, seed: Columns) -> IdentifiedBy:
    """Say which columns tell a person: the identifiers, or all columns of a study without any."""
    names = study.identifiers or schema.names
    return tuple((name, _kind(seed[name])) for name in names)


def _kind(values: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(values):
        return "number"
    return "date" if pd.api.types.is_datetime64_any_dtype(values) else "text"


def row_digests(rows: Columns, columns: IdentifiedBy, keyed: KeyedHash) -> tuple[str, ...]:
    """Hash each row's identifying values."""
    cells = [canonical_cells(rows[name], kind) for name, kind in columns]
    keys = (json.dumps(key) for key in zip(*cells, strict=True))
    found: list[str] = []
    while some := list(islice(keys, BLOCK_ROWS)):
        found += keyed.of_all(PURPOSE, some)
    return tuple(found)


def canonical_cells(values: pd.Series, kind: str) -> np.ndarray:
    """Write the cells of a column, each of its distinct values once."""
    codes, distinct = pd.factorize(values)
    written = [*(canonical_value(value, kind) for value in distinct), None]
    return np.array(written, dtype=object)[codes]


def canonical_value(value: object, kind: str) -> str | None:
    """Write a value so that a cell and what a person types of it agree; missing is None.

    Examples
    --------
    >>> canonical_value(7.0, "number"), canonical_value("7", "number"), canonical_value("", "text")
    ('7', '7', None)
    >>> canonical_value(pd.Timestamp("1960-02-01"), "date"), canonical_value("1960-02-01", "date")
    ('1960-02-01', '1960-02-01')
    """
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    text = unicodedata.normalize("NFC", str(value)).strip()
    if not text:
        return None
    write = {"number": _number_text, "date": _date_text}.get(kind, lambda _, text: text)
    return write(value, text)


def _date_text(value: object, text: str) -> str:
    """Write a day without its midnight, and a time that has a zone in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.isoformat().removesuffix("T00:00:00")


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
    parts: Mapping[str, Columns],
    keyed: KeyedHash,
    *,
    seed_version: str,
    splits_version: str,
) -> SubjectSplit:
    """Give what is kept of a split: digests of its ``train`` and ``holdout`` rows.

    A holdout of its own may lack the identifiers: nothing is kept of it then.
    """
    names = {name for name, _ in columns}
    digests = {
        part: row_digests(rows, columns, keyed)
        for part, rows in parts.items()
        if names <= set(rows.columns)
    }
    return SubjectSplit(seed_version, splits_version, columns, digests, keyed.key_name)


def asked_columns(splits: Sequence[SubjectSplit]) -> list[str]:
    """Name the columns whose values are needed to look a person up in all versions."""
    return list(dict.fromkeys(name for split in splits for name, _ in split.identified_by))


def untold(splits: Sequence[SubjectSplit], keyed: KeyedHash) -> list[str]:
    """Say of which versions nobody can tell whether they hold a person, and why."""
    readable = {"", keyed.key_name}
    told = {split.splits_version for split in splits if split.key_name in readable}
    said = []
    for split in splits:
        version = f"seed version {split.seed_version[:12]}"
        if split.splits_version not in told:
            said.append(f"{version}: its people were hashed with another key than keys/audit.key")
        elif split.key_name in readable and "holdout" not in split.digests:
            names = ", ".join(name for name, _ in split.identified_by)
            said.append(f"the holdout of {version}: it came without {names}")
    return said


def typed_key(values: Mapping[str, str], columns: IdentifiedBy) -> list[str | None]:
    """Write what was typed of a person as their row is written."""
    return [canonical_value(values[name], kind) for name, kind in columns]


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
    keys = {split.identified_by for split in trail.subject_splits()}
    digest_of = {
        columns: keyed.of(PURPOSE, json.dumps(typed_key(values, columns))) for columns in keys
    }
    found = []
    for split in trail.subject_splits(digest_of.values()):
        digest = digest_of[split.identified_by]
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
