"""Fresh noise on the numbers of a small table, so that a network cannot learn them by heart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.language.serialization import number_format
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

NOISE = 0.15  # standard deviations of the column
COMMON_SHARE = 0.02
IQR_OF_NORMAL = 1.349  # in standard deviations


def smoothed(table: pd.DataFrame, schema: TableSchema, rng: np.random.Generator) -> pd.DataFrame:
    """Add normal noise to every number, and spread it within its last digit.

    The noise has .15 of the column's standard deviation, taken from the
    quartiles where that is less (a skewed column). A value that more than a
    fiftieth of the rows share, such as an income of zero, stays; so does one
    that would need a sign or more digits than its column has.

    Parameters
    ----------
    table : DataFrame of shape (n, p)
        Canonical; missing values stay missing.
    schema : TableSchema
        Its columns.
    rng : Generator
        Source of the noise.

    Returns
    -------
    DataFrame of shape (n, p)
        The columns of other kinds are those of `table`.
    """
    moved = table.copy()
    for column in schema.columns:
        old = table[column.name].dropna()
        if column.kind in (ColumnKind.CONTINUOUS, ColumnKind.INTEGER) and len(old):
            new = pd.Series(_moved(old.to_numpy(dtype=float), column, rng), old.index)
            moved[column.name] = column.cast(new).reindex(table.index)
    return moved


def _moved(old: np.ndarray, column: ColumnSchema, rng: np.random.Generator) -> np.ndarray:
    numbers = number_format(column, fixed_width=True)
    unit = 10.0**-numbers.decimals
    noise = NOISE * _scale(old) * rng.standard_normal(len(old))
    new = np.round(old + noise + unit * (rng.random(len(old)) - 0.5), numbers.decimals) + 0.0
    greatest = 10.0**numbers.integer_digits - unit
    is_written = (new >= (-greatest if numbers.signed else 0.0)) & (new <= greatest)
    return np.where(is_written & ~_is_common(old), new, old)


def _scale(values: np.ndarray) -> float:
    """Give the standard deviation, by the quartiles where that is less."""
    quartiles = np.subtract(*np.quantile(values, [0.75, 0.25])) / IQR_OF_NORMAL
    return float(min(values.std(), quartiles) if quartiles > 0 else values.std())


def _is_common(values: np.ndarray) -> np.ndarray:
    """Flag values that many rows share; shape (n,)."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[where] > max(COMMON_SHARE * len(values), 1))
