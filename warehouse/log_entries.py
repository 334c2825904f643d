"""The audit log as objects, and the entries that one of them was made from."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import duckdb

from warehouse.audit_log import COLUMNS
from warehouse.errors import TableNotFound

Kind = Literal["table", "model", "document"]
FILES = " (files)"
SOURCE = " (source)"


@dataclass(frozen=True)
class LogEntry:
    """One entry of the audit log; see the comments in ``schema.sql``.

    Attributes
    ----------
    sequence : int
        1, 2, 3, ...
    recorded_at, started_at : datetime
        UTC.
    run_id, asset, data_version, code_version, study_hash, user_name, entry_hash : str
    previous_hash : str
    kind : {"table", "model", "document"}
    random_seed : int
    upstream : mapping of str to str
        Asset, ``"<asset> (files)"`` or ``"<what> (source)"`` -> data version.
    n_rows : int or None
    seconds : float
    """

    sequence: int
    recorded_at: datetime
    run_id: str
    asset: str
    kind: Kind
    data_version: str
    code_version: str
    study_hash: str
    random_seed: int
    upstream: Mapping[str, str]
    n_rows: int | None
    started_at: datetime
    seconds: float
    user_name: str
    previous_hash: str
    entry_hash: str


def read_log(connection: duckdb.DuckDBPyConnection) -> tuple[LogEntry, ...]:
    """Return the log, oldest entry first."""
    rows = connection.execute(
        f"SELECT {', '.join(COLUMNS)} FROM audit.log ORDER BY sequence"
    ).fetchall()
    return tuple(_entry(dict(zip(COLUMNS, row, strict=True))) for row in rows)


def _entry(row: dict[str, object]) -> LogEntry:
    times = {name: _utc(row[name]) for name in ("recorded_at", "started_at")}
    return LogEntry(**{**row, **times, "upstream": json.loads(str(row["upstream"]))})


def _utc(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"expected a time, got {type(value)}")
    return value.replace(tzinfo=UTC)


def latest_entry(
    entries: Sequence[LogEntry],
    asset: str,
    *,
    data_version: str | None = None,
    last: int | None = None,
) -> LogEntry:
    """Find the newest entry of an asset: its table if it has one, else its model or document.

    Parameters
    ----------
    entries : sequence of LogEntry
    asset : str
    data_version : str, optional
        Of this version only.
    last : int, optional
        Highest sequence that is considered.

    Raises
    ------
    TableNotFound
        If there is none.
    """
    kinds = ("table", "document", "model")
    found = [
        entry
        for entry in entries
        if entry.asset == asset
        and (data_version is None or entry.data_version == data_version)
        and (last is None or entry.sequence <= last)
    ]
    if not found:
        of_version = "" if data_version is None else f" of data version {data_version}"
        raise TableNotFound(
            f"the audit log has no entry of {asset!r}{of_version}; materialize that asset first"
        )
    best = min(kinds.index(entry.kind) for entry in found)
    return max((e for e in found if e.kind == kinds[best]), key=lambda e: e.sequence)


@dataclass(frozen=True)
class Trace:
    """Something, and everything it was made from.

    Attributes
    ----------
    target : LogEntry
    entries : tuple of LogEntry
        The target and all upstream, oldest first.
    parents : mapping of int to tuple of LogEntry
        Sequence of an entry -> what it was made from directly, as far as the log knows it.
    sources : mapping of int to mapping of str to str
        Sequence of an entry -> what it read that is not in the log (a donor's table, ...) and its
        data version.
    """

    target: LogEntry
    entries: tuple[LogEntry, ...]
    parents: Mapping[int, tuple[LogEntry, ...]]
    sources: Mapping[int, Mapping[str, str]]

    def versions_of(self, asset: str) -> tuple[LogEntry, ...]:
        """Return the entries of one asset in the trace, oldest first."""
        return tuple(entry for entry in self.entries if entry.asset == asset)


def trace(entries: Sequence[LogEntry], target: LogEntry) -> Trace:
    """Follow the upstream versions of `target` back to the sources.

    Parameters
    ----------
    entries : sequence of LogEntry
        The whole log.
    target : LogEntry
        One of them.
    """
    by_version: dict[tuple[str, bool, str], list[LogEntry]] = {}
    for entry in entries:
        key = (entry.asset, entry.kind == "model", entry.data_version)
        by_version.setdefault(key, []).append(entry)
    found: dict[int, LogEntry] = {}
    parents: dict[int, tuple[LogEntry, ...]] = {}
    sources: dict[int, Mapping[str, str]] = {}
    waiting = [target]
    while waiting:
        entry = waiting.pop()
        if entry.sequence in found:
            continue
        known, unknown = _direct(entry, by_version)
        found[entry.sequence], parents[entry.sequence] = entry, known
        sources[entry.sequence] = unknown
        waiting += known
    ordered = tuple(found[sequence] for sequence in sorted(found))
    return Trace(target, ordered, parents, sources)


def _direct(
    entry: LogEntry, by_version: Mapping[tuple[str, bool, str], Iterable[LogEntry]]
) -> tuple[tuple[LogEntry, ...], dict[str, str]]:
    known, unknown = [], {}
    for name, version in sorted(entry.upstream.items()):
        asset, is_model = name.removesuffix(FILES), name.endswith(FILES)
        earlier = [
            other
            for other in by_version.get((asset, is_model, version), ())
            if other.sequence < entry.sequence
        ]
        if earlier:
            known.append(earlier[-1])
        else:
            unknown[name] = version
    return tuple(known), unknown
