"""Reading a table from a DuckDB file that belongs to the user, without ever changing it."""

from contextlib import closing
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from warehouse.connection import BoundedWait, open_duckdb
from warehouse.errors import StorageUnavailable, TableNotFound
from warehouse.names import quoted

_WAIT_SECONDS = 2.0


def read_duckdb_table(path: Path, table: str) -> pd.DataFrame:
    """Return a table or view of the user's own DuckDB file, opened read-only.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    table : str
        Its name as stored, with the schema in front unless that is ``main``: ``"trial"`` or
        ``"raw.trial"``. Letter case counts.

    Returns
    -------
    pandas.DataFrame
        Enumerations as categories, decimals as floating-point numbers.

    Raises
    ------
    TableNotFound
        If there is no such file, or no such table in it; names those that there are.
    WarehouseBusy
        If another program has the file open for writing.
    StorageUnavailable
        If it is not a DuckDB file, or the table cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise TableNotFound(f"there is no file {path}; check the path in the study file")
    wait = BoundedWait(str(path), _WAIT_SECONDS)
    with closing(open_duckdb(path, read_only=True, wait=wait)) as connection:
        available = _readable_tables(connection)
        if table not in available:
            raise TableNotFound(
                f"{path} has no table {table!r}; use one of: {', '.join(available) or 'none'}"
            )
        content = _read(connection, available[table])
    if content is None:
        raise StorageUnavailable(
            f"{path}: reading {table!r} failed; run the query in DuckDB to see why"
        )
    frame: pd.DataFrame = content.to_pandas()
    return frame


def _readable_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return name as users write it -> quoted name."""
    rows = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_catalog = current_database() ORDER BY ALL"
    ).fetchall()
    return {
        name if schema == "main" else f"{schema}.{name}": f"{quoted(schema)}.{quoted(name)}"
        for schema, name in rows
    }


def _read(connection: duckdb.DuckDBPyConnection, table: str) -> pa.Table | None:
    """Return the content, or None if that fails: DuckDB's message may quote cells."""
    try:
        content = connection.sql(f"SELECT * FROM {table}").to_arrow_table()
    except duckdb.Error:
        return None
    for i, field in enumerate(content.schema):
        if pa.types.is_decimal(field.type):
            numbers = content.column(i).cast(pa.float64())
            content = content.set_column(i, field.name, numbers)
    return content
