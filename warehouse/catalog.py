"""What one open database holds: SQL on its tables and current models, every identifier quoted."""

from collections.abc import Iterable, Iterator, Mapping

import duckdb
import pyarrow as pa

from warehouse.errors import TableNotFound
from warehouse.model_folder import ModelVersion
from warehouse.names import quoted, quoted_text, table_name

# A space in the name: no asset can have it, so the view hides no table.
_INCOMING = "incoming table"
_BATCH_ROWS = 50_000


def replace_table(
    connection: duckdb.DuckDBPyConnection, name: str, blocks: Iterable[pa.Table]
) -> None:
    """Create or replace the table `name`, matching columns by name and keeping row order.

    A lake writes the chunks of one statement in the order in which its threads are done, so each
    block goes in alone and as one chunk.
    """
    table = f"main.{quoted(name)}"
    opened = False
    for block in blocks:
        columns = ", ".join(quoted(column) for column in block.column_names)
        rows = f"SELECT {columns} FROM temp.{quoted(_INCOMING)}"
        connection.register(_INCOMING, block.combine_chunks())
        if opened:
            connection.execute(f"INSERT INTO {table} ({columns}) {rows}")
        else:
            connection.execute(f"CREATE OR REPLACE TABLE {table} AS {rows}")
            opened = True
        connection.unregister(_INCOMING)


def table_blocks(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[pa.Table]:
    """Read a quoted table in row order, some rows at a time; one without rows is one block."""
    found = connection.execute(f"SELECT * FROM {table}").to_arrow_reader(_BATCH_ROWS)
    yield found.schema.empty_table()
    for batch in found:
        yield pa.Table.from_batches([batch])


def comment_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    comment: str,
    column_comments: Mapping[str, str],
) -> None:
    """Set the comments that a person sees who browses the database."""
    table = f"main.{quoted(name)}"
    connection.execute(f"COMMENT ON TABLE {table} IS {quoted_text(comment)}")
    for column, text in column_comments.items():
        connection.execute(f"COMMENT ON COLUMN {table}.{quoted(column)} IS {quoted_text(text)}")


def comments(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[str, dict[str, str]]:
    """Return the comment of a table in the schema main, and column -> comment."""
    here = "database_name = current_database() AND schema_name = 'main' AND table_name = ?"
    found = connection.execute(
        f"SELECT NULL, comment FROM duckdb_tables() WHERE {here} UNION ALL "
        f"SELECT column_name, comment FROM duckdb_columns() WHERE {here}",
        [name, name],
    ).fetchall()
    told = {column: str(comment) for column, comment in found if comment is not None}
    return told.pop(None, ""), told


def table_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the tables in the schema main, sorted."""
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() "
        "WHERE database_name = current_database() AND schema_name = 'main' ORDER BY table_name"
    ).fetchall()
    return [name for (name,) in rows]


def logged_version(
    connection: duckdb.DuckDBPyConnection, asset: str, kind: str = "table"
) -> str | None:
    """Return the data version that the audit log gives for an asset, None without entry."""
    row = connection.execute(
        "SELECT data_version FROM audit.current_versions WHERE kind = ? AND asset = ?",
        [kind, asset],
    ).fetchone()
    return None if row is None else str(row[0])


def moved_upstream(connection: duckdb.DuckDBPyConnection, asset: str) -> list[str]:
    """Return what `asset` was made from, directly or not, that has another version now, sorted."""
    rows = connection.execute(
        """
        WITH RECURSIVE made AS (
            SELECT asset, max(sequence) AS sequence FROM audit.log
            WHERE kind IN ('table', 'model') GROUP BY asset
        ), link AS (
            SELECT made.asset, upstream_asset, upstream_version,
                   regexp_replace(upstream_asset, ' \\(files\\)$', '') AS origin
            FROM audit.lineage JOIN made ON made.sequence = lineage.sequence
        ), reached AS (
            SELECT ? AS asset
            UNION SELECT link.origin FROM reached JOIN link ON link.asset = reached.asset
        ), now AS (
            SELECT asset, data_version FROM audit.current_versions WHERE kind = 'table'
            UNION ALL SELECT asset || ' (files)', sha256 FROM audit.current_model
        )
        SELECT DISTINCT upstream_asset FROM reached
        JOIN link ON link.asset = reached.asset
        JOIN now ON now.asset = upstream_asset AND now.data_version <> upstream_version
        ORDER BY upstream_asset
        """,
        [asset],
    ).fetchall()
    return [upstream for (upstream,) in rows]


def logged_assets(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the assets that the audit log has tables of, sorted."""
    rows = connection.execute(
        "SELECT asset FROM audit.current_versions WHERE kind = 'table' ORDER BY asset"
    ).fetchall()
    return [asset for (asset,) in rows]


def require_table(connection: duckdb.DuckDBPyConnection, study: str, asset: str) -> str:
    """Return the quoted table of `asset`.

    Raises
    ------
    TableNotFound
        If it was not written yet; names the tables that were.
    """
    name, available = table_name(asset), table_names(connection)
    if name not in available:
        raise TableNotFound(
            f"study {study!r} has no table of {asset!r}; materialize that asset first. "
            f"Tables so far: {', '.join(available) or 'none'}"
        )
    return f"main.{quoted(name)}"


def table_size(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, int]:
    """Return the numbers of rows and columns of a quoted table."""
    counted = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    columns = connection.execute(f"DESCRIBE {table}").fetchall()
    return int(counted[0][0]), len(columns)


def set_current_model(
    connection: duckdb.DuckDBPyConnection, asset: str, model: ModelVersion
) -> None:
    """Make `model` the one that `asset` stands for."""
    connection.execute("DELETE FROM audit.current_model WHERE asset = ?", [asset])
    connection.execute(
        "INSERT INTO audit.current_model (asset, sha256, n_bytes, n_files) VALUES (?, ?, ?, ?)",
        [asset, model.sha256, model.n_bytes, model.n_files],
    )


def current_model(connection: duckdb.DuckDBPyConnection, asset: str) -> ModelVersion | None:
    """Return the model that `asset` stands for, None if there is none."""
    row = connection.execute(
        "SELECT sha256, n_bytes, n_files FROM audit.current_model WHERE asset = ?", [asset]
    ).fetchone()
    return None if row is None else ModelVersion(*row)


def current_models(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return asset -> SHA-256 of the model that it stands for."""
    rows = connection.execute("SELECT asset, sha256 FROM audit.current_model").fetchall()
    return {str(asset): str(sha256) for asset, sha256 in rows}
