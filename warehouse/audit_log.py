"""Append-only record of what was made from what, by which code and seed, chained by hashes.

Each entry holds the hash of the one before, so an entry that is changed, removed or moved breaks
the chain at its place; a separate row tells where the chain ends. This finds accidents and edits,
not someone who rewrites the whole log with this code: keep the last `entry_hash` elsewhere (every
release can) to find that too.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import duckdb
import pandas as pd

from warehouse.errors import CorruptAuditLog
from warehouse.provenance import Provenance

FIRST_PREVIOUS_HASH = "0" * 64
COLUMNS = (
    "sequence",
    "recorded_at",
    "run_id",
    "asset",
    "kind",
    "data_version",
    "code_version",
    "study_hash",
    "random_seed",
    "upstream",
    "n_rows",
    "started_at",
    "seconds",
    "user_name",
    "previous_hash",
    "entry_hash",
)


@dataclass(frozen=True)
class Materialization:
    """Something that was made and is about to be logged.

    Attributes
    ----------
    asset : str
        Its name.
    kind : {'table', 'model', 'document'}
        What it is.
    data_version : str
        SHA-256 of its content.
    n_rows : int or None
        Rows of a table, None for the other kinds.
    provenance : Provenance
        Where it came from.
    """

    asset: str
    kind: Literal["table", "model", "document"]
    data_version: str
    n_rows: int | None
    provenance: Provenance


def append_entry(connection: duckdb.DuckDBPyConnection, made: Materialization) -> None:
    """Add one entry to the log, inside the transaction that `connection` has open."""
    n_entries, previous_hash = chain_end(connection)
    origin = made.provenance
    entry: dict[str, object] = {
        "sequence": n_entries + 1,
        "recorded_at": datetime.now(UTC).replace(tzinfo=None),
        "run_id": origin.run_id,
        "asset": made.asset,
        "kind": made.kind,
        "data_version": made.data_version,
        "code_version": origin.code_version,
        "study_hash": origin.study_hash,
        "random_seed": origin.random_seed,
        "upstream": json.dumps(dict(origin.upstream), sort_keys=True),
        "n_rows": made.n_rows,
        "started_at": origin.started(),
        "seconds": float(origin.seconds),
        "user_name": origin.user,
        "previous_hash": previous_hash,
    }
    entry["entry_hash"] = entry_hash(entry)
    places = ", ".join("?" for _ in COLUMNS)
    connection.execute(
        f"INSERT INTO audit.log ({', '.join(COLUMNS)}) VALUES ({places})",
        [entry[column] for column in COLUMNS],
    )
    connection.execute(
        "UPDATE audit.chain_end SET n_entries = ?, entry_hash = ?",
        [entry["sequence"], entry["entry_hash"]],
    )


def entry_hash(entry: dict[str, object]) -> str:
    """Return the SHA-256 of an entry as canonical JSON, its own hash left out."""
    content = {
        column: value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
        for column, value in entry.items()
        if column != "entry_hash"
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_entries(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the log, oldest entry first, times in UTC."""
    query = f"SELECT {', '.join(COLUMNS)} FROM audit.log ORDER BY sequence"
    entries: pd.DataFrame = connection.sql(query).to_arrow_table().to_pandas()
    entries["n_rows"] = entries["n_rows"].astype("Int64")
    for column in ("recorded_at", "started_at"):
        entries[column] = entries[column].dt.tz_localize("UTC")
    return entries


def count_entries(connection: duckdb.DuckDBPyConnection, asset: str, kind: str) -> int:
    """Return how many entries of one kind an asset has."""
    query = "SELECT count(*) FROM audit.log WHERE asset = ? AND kind = ?"
    return int(connection.execute(query, [asset, kind]).fetchall()[0][0])


def check_chain(connection: duckdb.DuckDBPyConnection) -> int:
    """Recompute every hash of the log.

    Returns
    -------
    int
        Number of entries, all of them intact.

    Raises
    ------
    CorruptAuditLog
        Naming the first entry that is altered, missing or out of place.
    """
    query = f"SELECT {', '.join(COLUMNS)} FROM audit.log ORDER BY sequence"
    previous_hash = FIRST_PREVIOUS_HASH
    rows = connection.execute(query).fetchall()
    for expected, row in enumerate(rows, start=1):
        entry = dict(zip(COLUMNS, row, strict=True))
        if entry["sequence"] != expected:
            raise _corrupt(expected, "is missing, or not where it was written")
        if entry["previous_hash"] != previous_hash:
            raise _corrupt(expected, "does not continue the entry before it")
        if entry_hash(entry) != entry["entry_hash"]:
            raise _corrupt(expected, "was altered after it was written")
        previous_hash = entry["entry_hash"]
    n_entries, last_hash = chain_end(connection)
    if n_entries != len(rows):
        raise _corrupt(min(n_entries, len(rows)) + 1, "is missing, or was added by another program")
    if last_hash != previous_hash:
        raise _corrupt(n_entries, "is not the last one that was written")
    return n_entries


def chain_end(connection: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    """Return the number of entries and the hash of the last; 64 zeros before the first."""
    ends = connection.execute("SELECT n_entries, entry_hash FROM audit.chain_end").fetchall()
    if len(ends) != 1:
        raise _corrupt(1, "cannot be checked, because the end of the log is not recorded once")
    return int(ends[0][0]), str(ends[0][1])


def _corrupt(sequence: int, fault: str) -> CorruptAuditLog:
    return CorruptAuditLog(
        f"audit log entry {sequence} {fault}; keep the file as evidence, and restore the study's "
        "database from a backup or materialize the study again in a new HYBRID_HOME",
        sequence,
    )
