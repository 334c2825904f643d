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
    quartiles where that is less (a skewed column). Numbers are then drawn
    towards their mean, so that mean and standard deviation stay (the shrunk smoothed
    bootstrap of Silverman and Young 1987, doi:10.1093/biomet/74.3.469). A value that more than a
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
    is_free = ~_is_common(old)
    if not is_free.any():
        return old
    numbers = number_format(column, fixed_width=True)
    unit = 10.0**-numbers.decimals
    centre, spread = old[is_free].mean(), old[is_free].std() or 1.0
    noise_sd = NOISE * _scale(old)
    noisy = old + noise_sd * rng.standard_normal(len(old))
    shrunk = centre + (noisy - centre) / np.hypot(1.0, noise_sd / spread)
    new = np.round(shrunk + unit * (rng.random(len(old)) - 0.5), numbers.decimals) + 0.0
    greatest = 10.0**numbers.integer_digits - unit
    is_written = (new >= (-greatest if numbers.signed else 0.0)) & (new <= greatest)
    return np.where(is_written & is_free, new, old)


def _scale(values: np.ndarray) -> float:
    """Give the standard deviation, by the quartiles where that is less."""
    quartiles = np.subtract(*np.quantile(values, [0.75, 0.25])) / IQR_OF_NORMAL
    return float(min(values.std(), quartiles) if quartiles > 0 else values.std())


def _is_common(values: np.ndarray) -> np.ndarray:
    """Flag values that many rows share; shape (n,)."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[where] > max(COMMON_SHARE * len(values), 1))
