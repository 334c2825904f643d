"""Rows of a stored study table in the dtypes that the science works with."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from hybrid_assets.schema import TableSchema
from warehouse import TableBlocks


@dataclass(frozen=True)
class CanonicalRows:
    """The rows of a table, as often as they are asked for: a block at a time, or all.

    Parameters
    ----------
    stored : TableBlocks
        With the columns of `schema`, perhaps with others.
    schema : TableSchema
    """

    stored: TableBlocks
    schema: TableSchema

    def __len__(self) -> int:
        """Count the rows."""
        return self.stored.n_rows

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Give the blocks in order."""
        for block in self.stored.blocks(self.schema.names):
            yield self.schema.canonical(block.to_pandas())

    def whole(self) -> pd.DataFrame:
        """Give all rows at once: of memory they take the numbers, and the levels but once."""
        return pd.concat(list(self), ignore_index=True)

    def where(self, column: str, value: str) -> pd.DataFrame:
        """Give the rows at once that hold a value in a column, which need not be of the schema."""
        names = list(dict.fromkeys([*self.schema.names, column]))
        blocks = (block.to_pandas() for block in self.stored.blocks(names))
        kept = [self.schema.canonical(block.loc[block[column] == value]) for block in blocks]
        return pd.concat(kept, ignore_index=True)
