"""Rows of mixed kinds as points, so that distances between people make sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema


@dataclass(frozen=True)
class RecordEncoder:
    """Turns rows into points whose squared Euclidean distance is a sum over columns.

    A number (integer, continuous) contributes its squared difference in
    standard deviations of the training split; a listed level (binary,
    categorical, ordinal) contributes 1 where the two differ and 0 where not.
    A number that never varies in training keeps its own units.

    Attributes
    ----------
    schema : TableSchema
        The columns that count, in order.
    centres, scales : dict of str to float
        Training mean and standard deviation of each number.
    """

    schema: TableSchema
    centres: dict[str, float]
    scales: dict[str, float]

    @classmethod
    def fit(cls, train: pd.DataFrame, schema: TableSchema) -> Self:
        """Learn centres and scales from the training split.

        Raises
        ------
        EvaluationError
            If there are fewer than 2 rows or a number is missing or infinite.
        """
        if len(train) < 2:
            raise EvaluationError(
                f"study {schema.study!r}: distances need at least 2 training rows; got {len(train)}"
            )
        centres, scales = {}, {}
        for name in _number_names(schema):
            values = _numbers(train, name, schema)
            sd = float(values.std(ddof=1))
            centres[name], scales[name] = float(values.mean()), sd if sd > 0 else 1.0
        return cls(schema, centres, scales)

    @property
    def n_dimensions(self) -> int:
        """Number of coordinates of an encoded row."""
        return sum(_n_coordinates(column) for column in self.schema.columns)

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Give the points of rows.

        Returns
        -------
        ndarray of float64, shape (n, n_dimensions)

        Raises
        ------
        EvaluationError
            If a value is missing, infinite or not one of the column's levels.
        """
        points = np.zeros((len(table), self.n_dimensions))
        at = 0
        for column in self.schema.columns:
            if isinstance(column.dtype, pd.CategoricalDtype):
                codes = _level_codes(table, column.name, self.schema)
                if _n_coordinates(column) == 1:
                    points[:, at] = codes
                else:
                    # a mismatch moves two coordinates by sqrt(1/2): 1 in squared distance
                    points[np.arange(len(table)), at + codes] = np.sqrt(0.5)
                at += _n_coordinates(column)
                continue
            values = _numbers(table, column.name, self.schema)
            if column.name in self.scales:
                values = (values - self.centres[column.name]) / self.scales[column.name]
            points[:, at] = values
            at += 1
        return points


def _n_coordinates(column: ColumnSchema) -> int:
    """Give 1 for a number and for two levels (0 and 1), else one for each level."""
    n_levels = len(column.levels or ())
    return n_levels if isinstance(column.dtype, pd.CategoricalDtype) and n_levels > 2 else 1


def _number_names(schema: TableSchema) -> list[str]:
    kinds = (ColumnKind.INTEGER, ColumnKind.CONTINUOUS)
    return [column.name for column in schema.columns if column.kind in kinds]


def _numbers(table: pd.DataFrame, name: str, schema: TableSchema) -> np.ndarray:
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    n_bad = int((~np.isfinite(values)).sum())
    if n_bad:
        raise EvaluationError(
            f"study {schema.study!r}, column {name!r}: distances need finite numbers; "
            f"{n_bad} of {len(values)} rows are missing, infinite or text"
        )
    return values


def _level_codes(table: pd.DataFrame, name: str, schema: TableSchema) -> np.ndarray:
    levels = pd.Index([str(level) for level in schema[name].levels or ()])
    codes = levels.get_indexer(pd.Index(table[name].astype(object).map(str)))
    n_bad = int((codes < 0).sum())
    if n_bad:
        raise EvaluationError(
            f"study {schema.study!r}, column {name!r}: distances need one of its "
            f"{len(levels)} levels; {n_bad} of {len(codes)} rows hold none"
        )
    return codes.astype(np.int64)
