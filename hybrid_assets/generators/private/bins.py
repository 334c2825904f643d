"""Declared bins: where a value falls is decided by the study file alone, never by other people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.errors import GeneratorError
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

MAX_VALUES = 2**53  # a float tells no more apart; times 64 bins they fit into an int64


@dataclass(frozen=True)
class Grid:
    """The values that a number may take, in bins of nearly as many values each.

    Attributes
    ----------
    low, step : float
    n_values : int
        ``low, low + step, ...``
    n_bins : int
        At most `n_values`.
    """

    low: float
    step: float
    n_values: int
    n_bins: int

    def bins_of(self, numbers: np.ndarray) -> np.ndarray:
        """Give the bins of numbers, int64; those beyond the range count as its ends."""
        nearest = np.round((numbers - self.low) / self.step)
        return self._bin(np.clip(nearest, 0, self.n_values - 1).astype(np.int64))

    def drawn_within(self, bins: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a value of each bin, all of a bin's values alike."""
        first, beyond = (-(-(bins + more) * self.n_values // self.n_bins) for more in (0, 1))
        return np.asarray(self.low + self.step * rng.integers(first, beyond))

    def _bin(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(positions * self.n_bins // self.n_values)


def n_bins_of(column: ColumnSchema, n_bins: int) -> int:
    """Count the bins of a column: its levels, or at most so many for a number."""
    if column.kind is ColumnKind.BINARY:
        return 2
    if column.levels is not None:
        return len(column.levels)
    return grid_of(column, n_bins).n_bins


def grid_of(column: ColumnSchema, n_bins: int) -> Grid:
    """Lay a grid over a number's declared range, a step for each digit that it shows.

    Raises
    ------
    GeneratorError
        If the range or the digits are not stated, or too fine for a float.
    """
    decimals = 0 if column.kind is ColumnKind.INTEGER else column.decimals
    if column.minimum is None or column.maximum is None or decimals is None:
        raise GeneratorError(
            f"column {column.name!r}: expected a declared range and decimals; got none"
        )
    step = 10.0**-decimals
    n_values = round((column.maximum - column.minimum) / step) + 1
    if n_values > MAX_VALUES:
        raise GeneratorError(
            f"column {column.name!r}: expected at most 2^53 values in the declared range; got "
            f"{n_values:.2g} (a shorter range, or fewer decimals)"
        )
    return Grid(column.minimum, step, n_values, min(n_bins, n_values))


def encoded(table: pd.DataFrame, schema: TableSchema, n_bins: int) -> np.ndarray:
    """Give the bins of a canonical table, int64 of shape (n, number of columns)."""
    columns = [_bins(table[column.name], column, n_bins) for column in schema.columns]
    return np.stack(columns, axis=1)


def _bins(values: pd.Series, column: ColumnSchema, n_bins: int) -> np.ndarray:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(dtype=np.int64)
    if column.kind is ColumnKind.BINARY:
        return values.to_numpy(dtype=np.int64)
    return grid_of(column, n_bins).bins_of(values.to_numpy(dtype=np.float64))


def decoded(
    bins: np.ndarray, schema: TableSchema, n_bins: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw a value of the bin for each cell; canonical dtypes."""
    return pd.DataFrame(
        {
            column.name: _values(bins[:, position], column, n_bins, rng)
            for position, column in enumerate(schema.columns)
        }
    )


def _values(
    bins: np.ndarray, column: ColumnSchema, n_bins: int, rng: np.random.Generator
) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical.from_codes(bins.tolist(), dtype=column.dtype))
    if column.kind is ColumnKind.BINARY:
        return pd.Series(bins).astype(column.dtype)
    drawn = grid_of(column, n_bins).drawn_within(bins, rng)
    return pd.Series(np.round(drawn, column.decimals or 0) + 0.0).astype(column.dtype)
