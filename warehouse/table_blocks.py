"""A table in blocks of rows: however many there are, few of them are in memory at once."""

import weakref
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa

from warehouse.arrow_tables import storable_table
from warehouse.data_version import data_version_of
from warehouse.errors import StorageUnavailable, UnstorableTable
from warehouse.private_files import unnamed_file

BLOCK_ROWS = 250_000
_BATCH_ROWS = 50_000  # read at once for a few of them
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


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
        file = unnamed_file(folder)
        weakref.finalize(self, file.close)
        batches = _batches_of_one_size(_alike(storable_table(block) for block in blocks))
        try:
            self.schema, self.n_rows = _written(batches, file)
        except OSError as error:
            raise StorageUnavailable(
                f"rows cannot be laid aside in {folder}; check its permissions and free disk "
                f"space, then run again ({error})"
            ) from error
        self._file = pa.ipc.open_file(pa.PythonFile(file, mode="r"))

    @property
    def column_names(self) -> list[str]:
        """Names of the columns in order."""
        return list(self.schema.names)

    @cached_property
    def data_version(self) -> str:
        """The hash that identifies the content."""
        return data_version_of(chain([self.schema.empty_table()], self._batches()))

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Give `BLOCK_ROWS` rows at a time, in order, of some columns or of all.

        A table without rows gives one block without rows.
        """
        waiting = [self.schema.empty_table()]
        for batch in self._batches():
            waiting.append(batch)
            if sum(map(len, waiting)) == BLOCK_ROWS:
                yield _joined(waiting, columns)
                waiting = [self.schema.empty_table()]
        if len(waiting) > 1 or not self.n_rows:
            yield _joined(waiting, columns)

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
        return _joined(parts)

    def whole(self) -> pa.Table:
        """Give all rows at once."""
        return _joined([self.schema.empty_table(), *self._batches()])

    def _batches(self) -> Iterator[pa.Table]:
        for k in range(self._file.num_record_batches):
            yield pa.Table.from_batches([self._file.get_batch(k)])


def _written(batches: Iterator[pa.Table], file: IO[bytes]) -> tuple[pa.Schema, int]:
    first = next(batches, None)
    if first is None:
        raise UnstorableTable("no block of rows was given; a table has at least one")
    n_rows = 0
    sink = pa.PythonFile(file, mode="w")
    with pa.ipc.new_file(sink, first.schema, options=_COMPRESSED) as writer:
        for batch in (first, *batches):
            writer.write_table(batch)
            n_rows += len(batch)
    sink.flush()
    return first.schema, n_rows


def _alike(blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Pass blocks on with the schema of the first."""
    schema: pa.Schema | None = None
    for block in blocks:
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


def _joined(parts: list[pa.Table], columns: Sequence[str] | None = None) -> pa.Table:
    joined = pa.concat_tables(parts)
    return joined if columns is None else joined.select(list(columns))
