"""Rows beside the audit log, each sealed by an entry that holds their hash."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from warehouse.audit_log import Materialization, append_entry
from warehouse.catalog import logged_version
from warehouse.data_version import data_version
from warehouse.provenance import Provenance

CHECKS: Final = "check_result"
SUBJECTS: Final = "subject"
SEALED_ASSETS = {CHECKS: " (checks)", SUBJECTS: " (subjects)"}
_ORDER = {
    CHECKS: ("asset", "checked_version", "check_name", "passed", "severity"),
    SUBJECTS: ("seed_version", "splits_version", "identified_by", "part", "digest"),
}
_INCOMING = "incoming records"


def append_sealed(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Iterable[tuple[object, ...]],
    *,
    asset: str,
    provenance: Provenance,
) -> bool:
    """Add rows to ``audit.<table>`` and the log entry ``"<asset> (checks)"`` that seals them.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With an open transaction.
    table : {"check_result", "subject"}
    rows : iterable of tuple
        Values of the table's columns after `sequence`; their order is not kept.
    asset : str
        What the rows are about.
    provenance : Provenance

    Returns
    -------
    bool
        False if the asset's last entry seals the same rows already: nothing is added.
    """
    content = _arrow(table, sorted(rows))
    version, sealed_asset = data_version(content), asset + SEALED_ASSETS[table]
    if logged_version(connection, sealed_asset, "document") == version and table == SUBJECTS:
        return False
    made = Materialization(sealed_asset, "document", version, None, provenance)
    append_entry(connection, made)
    connection.register(_INCOMING, content)
    columns = ", ".join(_ORDER[table])
    connection.execute(
        f"INSERT INTO audit.{table} (sequence, {columns}) SELECT "
        f'(SELECT n_entries FROM audit.chain_end), {columns} FROM temp."{_INCOMING}"'
    )
    connection.unregister(_INCOMING)
    return True


def sealed_rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    """Return all rows of ``audit.<table>`` in order; none if the study is older than the table."""
    if not _is_there(connection, table):
        return []
    columns = ", ".join(("sequence", *_ORDER[table]))
    return connection.execute(f"SELECT {columns} FROM audit.{table} ORDER BY ALL").fetchall()


def subject_rows(
    connection: duckdb.DuckDBPyConnection, digests: Collection[str], *, told: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Return each part of each version once, and a row more for each of the digests in it.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    digests : collection of str
    told : sequence of str
        Parts of which what stands for the digest is given, whatever it is.
    """
    if not _is_there(connection, SUBJECTS):
        return []
    wanted = "part IN (SELECT unnest(?)) OR digest IN (SELECT unnest(?))"
    columns = ", ".join(("sequence", *_ORDER[SUBJECTS][:-1]))
    return connection.execute(
        f"SELECT DISTINCT {columns}, CASE WHEN {wanted} THEN digest END AS digest "
        f"FROM audit.{SUBJECTS} ORDER BY ALL",
        [list(told), list(digests)],
    ).fetchall()


def _is_there(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    known = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'audit' AND table_name = ?",
        [table],
    ).fetchall()
    return bool(known[0][0])


def broken_seals(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Name every sealing entry whose rows are not those that it sealed, and rows without entry."""
    logged = connection.execute(
        "SELECT sequence, asset, data_version FROM audit.log WHERE kind = 'document'"
    ).fetchall()
    for table, ending in SEALED_ASSETS.items():
        rows = sealed_rows(connection, table)
        by_sequence: dict[object, list[tuple[object, ...]]] = {}
        for sequence, *values in rows:
            by_sequence.setdefault(sequence, []).append(tuple(values))
        for sequence, asset, version in logged:
            if asset.endswith(ending):
                found = by_sequence.pop(sequence, [])
                if data_version(_arrow(table, found)) != version:
                    yield f"audit log entry {sequence}: the rows of {asset} are not those it sealed"
        for sequence in by_sequence:
            yield f"audit.{table} has rows of entry {sequence}, which the log does not know"


def _arrow(table: str, rows: list[tuple[object, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(_ORDER[table])
    types = [pa.bool_() if name == "passed" else pa.string() for name in _ORDER[table]]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=list(_ORDER[table]))
