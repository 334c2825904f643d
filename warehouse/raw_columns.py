"""A table as it came, of whatever types, that is read a column at a time."""

import weakref
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa

from warehouse.batch_file import BatchFile


class RawColumns:
    """The rows of a table that nobody has looked at yet, laid aside once.

    Columns are what ``pyarrow.Table.to_pandas`` makes of the whole table, but for the order of
    categories: they come as they are seen.

    Parameters
    ----------
    blocks : iterable of pyarrow.Table
        At least one; of one schema.
    folder : pathlib.Path
        As for `TableBlocks`.

    Raises
    ------
    StorageUnavailable
        If the disk refuses.
    """

    def __init__(self, blocks: Iterable[pa.Table], folder: Path) -> None:
        file, rest = BatchFile(folder), iter(blocks)
        weakref.finalize(self, file.close)
        first = next(rest)
        self._schema = first.schema
        self._batches = file.append(map(_plain, chain([first], rest)))

    @property
    def columns(self) -> pd.Index:
        """Names in order; they may repeat."""
        names: pd.Index = pd.Index(self._schema.names)
        return names

    def __len__(self) -> int:
        """Count the rows."""
        return self._batches.n_rows

    def __getitem__(self, name: str) -> pd.Series:
        """Give one column at once.

        Raises
        ------
        KeyError
            If there is none of this name, or more than one.
        """
        position = self._schema.get_field_index(name)
        if position < 0:
            raise KeyError(name)
        parts = pa.concat_tables(self._batches.read([position])).column(0)
        if pa.types.is_dictionary(self._schema.field(position).type):
            parts = parts.dictionary_encode()
        values: pd.Series = pa.table({name: parts}).to_pandas()[name]
        return values


def _plain(block: pa.Table) -> pa.Table:
    """Take dictionaries off: each block has its own, and the file could keep but one."""
    for k, field in enumerate(block.schema):
        if pa.types.is_dictionary(field.type):
            plain = block.column(k).cast(field.type.value_type)
            block = block.set_column(k, field.name, plain)
    return block.replace_schema_metadata()
