"""Each column's law against the training split's, with the holdout's own distance beside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from hybrid_assets.blocks import RunningMoments
from hybrid_assets.errors import EvaluationError
from hybrid_assets.schema import ColumnSchema, TableSchema


def marginals(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: Iterable[pd.DataFrame],
    schema: TableSchema,
) -> pd.DataFrame:
    """Compare each column's law with the training split's, over all rows.

    Parameters
    ----------
    train, holdout : DataFrame
        Canonical tables with the columns of `schema`.
    synthetic : iterable of DataFrame
        The blocks of another.

    Returns
    -------
    DataFrame
        One row per column: ``column``, ``kind``, ``statistic`` ("KS" for
        numbers: largest gap between the distribution functions; "TV" for
        listed levels: share of rows to move), ``distance`` (synthetic),
        ``holdout_distance`` (what unseen people give by chance), ``sd_ratio``
        and ``holdout_sd_ratio`` (to the training split's standard deviation;
        missing for levels and constant columns) and ``n_rows`` (synthetic).
    """
    for name, table in {"train": train, "holdout": holdout}.items():
        _require_rows(len(table), name, schema)
    made = [_Law.like(train[column.name], column) for column in schema.columns]
    n_rows = 0
    for block in synthetic:
        n_rows += len(block)
        for law in made:
            law.add(block[law.column.name])
    _require_rows(n_rows, "synthetic", schema)
    rows = []
    for law in made:
        column, unseen = law.column, _Law.like(train[law.column.name], law.column)
        unseen.add(holdout[column.name])
        rows.append(
            {
                "column": column.name,
                "kind": column.kind.value,
                "statistic": "TV" if column.is_discrete_set else "KS",
                "distance": law.distance,
                "holdout_distance": unseen.distance,
                "sd_ratio": law.sd_ratio,
                "holdout_sd_ratio": unseen.sd_ratio,
                "n_rows": n_rows,
            }
        )
    return pd.DataFrame(rows)


def _require_rows(n_rows: int, name: str, schema: TableSchema) -> None:
    if not n_rows:
        raise EvaluationError(f"study {schema.study!r}: the {name} table has no rows")


@dataclass
class _Law:
    """One column's values so far, counted against those of a reference.

    The distribution functions part most at a value of the reference or just
    below one: counts of values at and between these are enough.
    """

    column: ColumnSchema
    reference: np.ndarray
    n_at: np.ndarray
    counts: np.ndarray
    moments: RunningMoments
    reference_sd: float

    @classmethod
    def like(cls, reference: pd.Series, column: ColumnSchema) -> Self:
        numbers = _as_numbers(reference, column)
        values, n_at = np.unique(numbers, return_counts=True)
        return cls(
            column,
            values,
            n_at,
            np.zeros(2 * len(values) + 1, dtype=np.int64),
            RunningMoments(),
            float(numbers.std()),
        )

    def add(self, values: pd.Series) -> None:
        numbers = _as_numbers(values, self.column)
        self.moments.add(numbers)
        below = np.searchsorted(self.reference, numbers, side="left")
        at_most = np.searchsorted(self.reference, numbers, side="right")
        self.counts += np.bincount(below + at_most, minlength=len(self.counts))

    @property
    def distance(self) -> float:
        n_rows, n_reference = self.counts.sum(), self.n_at.sum()
        if self.column.is_discrete_set:
            moved = np.abs(self.counts[1::2] / n_rows - self.n_at / n_reference).sum()
            return 0.5 * float(moved + self.counts[::2].sum() / n_rows)
        cumulated = np.cumsum(self.counts) / n_rows
        expected = np.concatenate([[0], np.cumsum(self.n_at)]) / n_reference
        at, just_below = cumulated[1::2], cumulated[:-1:2]
        gaps = np.abs(at - expected[1:]), np.abs(just_below - expected[:-1])
        return float(max(gap.max() for gap in gaps))

    @property
    def sd_ratio(self) -> float:
        if self.column.is_discrete_set or not self.reference_sd > 0:
            return float("nan")
        return self.moments.standard_deviation() / self.reference_sd


def _as_numbers(values: pd.Series, column: ColumnSchema) -> np.ndarray:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(dtype=float)
    return values.to_numpy(dtype=float)
