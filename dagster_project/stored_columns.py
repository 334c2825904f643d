"""A stored table, a column at a time."""

from dataclasses import dataclass

import pandas as pd

from warehouse import TableBlocks


@dataclass(frozen=True)
class StoredColumns:
    """The columns of a table as storage keeps them, each whole.

    Parameters
    ----------
    stored : TableBlocks
    """

    stored: TableBlocks

    @property
    def columns(self) -> pd.Index:
        """Names in order."""
        return pd.Index(self.stored.column_names)

    def __len__(self) -> int:
        """Count the rows."""
        return self.stored.n_rows

    def __getitem__(self, name: str) -> pd.Series:
        """Give a column."""
        return self.stored.column(name)
