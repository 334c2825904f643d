"""A table in blocks of rows: however many there are, few of them are in memory at once."""

import weakref
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from warehouse.arrow_tables import check_column_names, storable_table
from warehouse.batch_file import BatchFile
from warehouse.data_version import data_version_of
from warehouse.errors import UnstorableTable

BLOCK_ROWS = 250_000
_BATCH_ROWS = 50_000  # read at once for a few of them


class TableBlocks:
    """The rows of a table, laid aside once and read any number of times.

    A table of more than 32 MB lies in a file without a name in `folder`, of which nothing is left
    when it is closed or its process is killed.

    Parameters
    ----------
    blocks : iterable of pandas.DataFrame or pyarrow.Table
        At least one; of any numbers of rows and of the same columns, which become what storage
        keeps (see `storable_table`).
    folder : pathlib.Path
        Created, private to its owner, if it is not there.

    Raises
    ------
    UnstorableTable
        If a column cannot be kept exactly, or is of another type in a later block.
    StorageUnavailable
        If the disk refuses.

    Attributes
    ----------
    schema : pyarrow.Schema
    n_rows : int
    """

    def __init__(self, blocks: Iterable[pd.DataFrame | pa.Table], folder: Path) -> None:
        self._lay_aside([blocks], folder)

    def _lay_aside(self, strips: Iterable[Iterable[pd.DataFrame | pa.Table]], folder: Path) -> None:
        """Write the blocks of each strip of columns: the batches of all have the same rows."""
        file = BatchFile(folder)
        weakref.finalize(self, file.close)
        self._strips = [file.append(_batches_of_one_size(_alike(strip))) for strip in strips]
        if len({strip.n_rows for strip in self._strips}) != 1:
            raise UnstorableTable("columns of one table have other numbers of rows")
        self.n_rows = self._strips[0].n_rows
        self.schema = pa.schema([field for strip in self._strips for field in strip.schema])
        check_column_names(self.schema.names)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns in order."""
        return list(self.schema.names)

    @cached_property
    def data_version(self) -> str:
        """The hash that identifies the content."""
        return data_version_of(self._batches())

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Give `BLOCK_ROWS` rows at a time, in order, of some columns or of all.

        A table without rows gives one block without rows.
        """
        waiting: list[pa.Table] = []
        for batch in self._batches(columns):
            waiting.append(batch)
            if sum(map(len, waiting)) == BLOCK_ROWS:
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)

    def column(self, name: str) -> pd.Series:
        """Give one column at once."""
        values: pd.Series = pa.concat_tables(self._batches([name])).to_pandas()[name]
        return values

    def sample(self, n_rows: int, rng: np.random.Generator) -> pa.Table:
        """Draw rows without replacement, each equally likely; they stay in order.

        All rows, without a draw, where there are no more than asked for.
        """
        if n_rows >= self.n_rows:
            return self.whole()
        chosen = np.sort(rng.choice(self.n_rows, size=n_rows, replace=False, shuffle=False))
        edges = np.arange(0, self.n_rows + _BATCH_ROWS, _BATCH_ROWS)
        ends = np.searchsorted(chosen, edges)
        parts = [
            batch.take(chosen[first:end] - start)
            for batch, start, first, end in zip(
                self._batches(), edges[:-1], ends[:-1], ends[1:], strict=True
            )
        ]
        return pa.concat_tables(parts)

    def whole(self) -> pa.Table:
        """Give all rows at once."""
        return pa.concat_tables(self._batches())

    def _batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        names = self.column_names if columns is None else list(columns)
        if not self.n_rows:
            yield self.schema.empty_table().select(names)
            return
        found = [(strip, _positions(strip.schema, names)) for strip in self._strips]
        parts = [strip.read(fields) for strip, fields in found if fields]
        for batches in zip(*parts, strict=True):
            yield _side_by_side(batches).select(names)


class TableOfColumns(TableBlocks):
    """A table in blocks that was laid aside a column at a time: each is in memory alone, whole.

    Parameters
    ----------
    columns : iterable of pandas.Series
        At least one, with their names; of one length.
    folder : pathlib.Path
        As for `TableBlocks`, which see for what is raised.
    """

    def __init__(self, columns: Iterable[pd.Series], folder: Path) -> None:
        self._lay_aside(([column.to_frame()] for column in columns), folder)


def _positions(schema: pa.Schema, names: Sequence[str]) -> list[int]:
    return [k for k, name in enumerate(schema.names) if name in names]


def _side_by_side(batches: Sequence[pa.Table]) -> pa.Table:
    if len(batches) == 1:
        return batches[0]
    columns = {name: batch[name] for batch in batches for name in batch.column_names}
    return pa.table(columns)


def _alike(blocks: Iterable[pd.DataFrame | pa.Table]) -> Iterator[pa.Table]:
    """Pass blocks on as storage keeps them, with the schema of the first."""
    schema: pa.Schema | None = None
    for block in map(storable_table, blocks):
        schema = schema or block.schema
        yield block if block.schema == schema else _with_schema(block, schema)


def _with_schema(block: pa.Table, schema: pa.Schema) -> pa.Table:
    if block.column_names != schema.names:
        raise UnstorableTable("blocks of one table have other columns; give each the same")
    for field, column in zip(schema, block.columns, strict=True):
        if column.type != field.type and column.null_count < len(column):
            raise UnstorableTable(
                f"column {field.name!r} is {field.type} in one block and {column.type} in "
                "another; convert it to one type first"
            )
    return pa.table(
        [
            column if column.type == field.type else pa.nulls(len(column), field.type)
            for field, column in zip(schema, block.columns, strict=True)
        ],
        schema=schema,
    )


def _batches_of_one_size(blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Cut and join blocks so that a row's number tells its batch."""
    waiting: pa.Table | None = None
    for block in blocks:
        waiting = block if waiting is None else pa.concat_tables([waiting, block])
        while len(waiting) > _BATCH_ROWS:
            yield waiting.slice(0, _BATCH_ROWS).combine_chunks()
            waiting = waiting.slice(_BATCH_ROWS)
    if waiting is not None:
        yield waiting.combine_chunks()
