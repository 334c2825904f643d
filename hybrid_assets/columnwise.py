"""Tables of which one column at a time is in memory, however many rows there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd


class Columns(Protocol):
    """A table that gives one column at a time, whole; a DataFrame is one."""

    @property
    def columns(self) -> pd.Index:
        """Names in order; of a table that nobody has checked, they may repeat."""

    def __len__(self) -> int:
        """Count the rows."""

    def __getitem__(self, name: str, /) -> pd.Series:
        """Give a column of shape (n,)."""


@dataclass(frozen=True, eq=False)
class ChosenRows:
    """Some rows of a table, in order; indices start at 0.

    Parameters
    ----------
    table : Columns
    is_chosen : ndarray of bool, shape (n,)
    """

    table: Columns
    is_chosen: np.ndarray

    @property
    def columns(self) -> pd.Index:
        """Names in order."""
        return self.table.columns

    def __len__(self) -> int:
        """Count the rows that were chosen."""
        return int(self.is_chosen.sum())

    def __getitem__(self, name: str) -> pd.Series:
        """Give the chosen cells of a column."""
        return self.table[name][self.is_chosen].reset_index(drop=True)


def whole_table(table: Columns) -> pd.DataFrame:
    """Give all columns at once, for what is small."""
    if isinstance(table, pd.DataFrame):
        return table
    return pd.DataFrame({name: table[name] for name in table.columns})
