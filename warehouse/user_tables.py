"""Reading a table from a DuckDB file that belongs to the user, without ever changing it."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

import duckdb
import pandas as pd
import pyarrow as pa

from warehouse.arrow_tables import storable_table
from warehouse.connection import BoundedWait, open_duckdb
from warehouse.data_version import data_version_of
from warehouse.errors import StorageUnavailable, TableNotFound
from warehouse.names import quoted
from warehouse.raw_columns import RawColumns
from warehouse.table_blocks import BLOCK_ROWS

_WAIT_SECONDS = 2.0
Made = TypeVar("Made")


def read_duckdb_table(path: Path, table: str, aside: Path) -> pd.DataFrame | RawColumns:
    """Return a table or view of the user's own DuckDB file, opened read-only.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    table : str
        Its name as stored, with the schema in front unless that is ``main``: ``"trial"`` or
        ``"raw.trial"``. Letter case counts.
    aside : pathlib.Path
        Where rows are laid aside if there are more than `BLOCK_ROWS`.

    Returns
    -------
    pandas.DataFrame or RawColumns
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

    def columns(blocks: Iterator[pa.Table]) -> pd.DataFrame | RawColumns:
        first, second = next(blocks), next(blocks, None)
        if second is None:
            whole: pd.DataFrame = first.to_pandas()
            return whole
        return RawColumns(chain((first, second), blocks), aside)

    return _made_of(path, table, columns)


def duckdb_table_version(path: Path, table: str) -> str:
    """Hash the content of such a table; raises as `read_duckdb_table` does."""
    return _made_of(path, table, lambda blocks: data_version_of(map(storable_table, blocks)))


def _made_of(path: Path, table: str, make: Callable[[Iterator[pa.Table]], Made]) -> Made:
    """Open the file, make something of the table's blocks, and close it."""
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
        # raised outside the handler, because DuckDB's message may quote cells
        with suppress(duckdb.Error, pa.ArrowException, OSError):
            return make(_blocks(connection, available[table]))
    raise StorageUnavailable(
        f"{path}: reading {table!r} failed; run the query in DuckDB to see why"
    )


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


def _blocks(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[pa.Table]:
    """Give `BLOCK_ROWS` rows at a time, in order; a table without rows is one block."""
    found = connection.sql(f"SELECT * FROM {table}").to_arrow_reader(BLOCK_ROWS)
    rows = False
    for batch in found:
        rows = True
        yield _with_floats(pa.Table.from_batches([batch]))
    if not rows:
        yield _with_floats(found.schema.empty_table())


def _with_floats(block: pa.Table) -> pa.Table:
    for i, field in enumerate(block.schema):
        if pa.types.is_decimal(field.type):
            block = block.set_column(i, field.name, block.column(i).cast(pa.float64()))
    return block
