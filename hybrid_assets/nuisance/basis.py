"""Covariates as design matrices: main effects, splines, products, squares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance.spline import Curve
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

BasisWord = Literal["constant", "recorded", "linear", "spline", "pairwise", "parametric"]
MIN_INDICATOR_ROWS = 10  # rarer indicators enter no product
ROWS_PER_PRODUCT = 10


@dataclass(frozen=True, eq=False, repr=False)
class CovariateBasis:
    """Turn covariates of one study into numeric matrices, the same way every time.

    Categories become indicators of all levels but the first; ordinal columns
    enter by the rank of their level; numeric columns as they are. All main
    effects are standardised, but in the basis ``recorded``. Centres, scales
    and splines come from the covariates alone (never A or Y), so computing
    them once on all rows does not leak outcomes between folds.

    Attributes
    ----------
    schema : TableSchema
        The covariates.
    centers, scales : ndarray, shape (n_main,)
        Of the main effects; a constant column has scale 1.
    curves : dict of int to Curve
        Splines by main effect; absent for effects with few distinct values.
    squares : tuple of int
        Main effects that the parametric basis also squares.
    products : tuple of (int, int)
        Pairs of main effects that the pairwise basis multiplies.
    """

    schema: TableSchema
    centers: np.ndarray
    scales: np.ndarray
    curves: dict[int, Curve]
    squares: tuple[int, ...]
    products: tuple[tuple[int, int], ...]

    @classmethod
    def fit(
        cls, covariates: pd.DataFrame, schema: TableSchema, squares: Iterable[str] = ()
    ) -> Self:
        """Learn centres, scales and knots from covariates with the columns of `schema`."""
        raw = main_effects(covariates, schema)
        centers, spread = raw.mean(axis=0), raw.std(axis=0)
        scales = np.where(spread > 0, spread, 1.0)
        standardised = (raw - centers) / scales
        fitted = {i: Curve.fit(standardised[:, i]) for i in range(raw.shape[1])}
        curves = {index: curve for index, curve in fitted.items() if curve is not None}
        sources = main_effect_names(schema)
        squared = tuple(i for name in squares for i, s in enumerate(sources) if s == name)
        return cls(schema, centers, scales, curves, squared, product_pairs(raw, sources))

    def matrices(
        self, covariates: pd.DataFrame, words: Iterable[BasisWord]
    ) -> dict[BasisWord, np.ndarray]:
        """Compute the named bases, each of shape (n, n_columns), without intercepts."""
        recorded = main_effects(covariates, self.schema)
        main = (recorded - self.centers) / self.scales
        wanted = set(words)
        found: dict[BasisWord, np.ndarray] = {
            "constant": main[:, :0],
            "recorded": recorded,
            "linear": main,
        }
        if wanted & {"spline", "pairwise"}:
            found["spline"] = np.column_stack([main, *self._curves(main)])
        if "pairwise" in wanted:
            found["pairwise"] = np.column_stack([found["spline"], *self._products(main)])
        if "parametric" in wanted:
            found["parametric"] = np.column_stack([main, main[:, self.squares] ** 2])
        return {word: np.ascontiguousarray(found[word]) for word in wanted}

    def _curves(self, main: np.ndarray) -> list[np.ndarray]:
        return [curve.columns(main[:, index]) for index, curve in sorted(self.curves.items())]

    def _products(self, main: np.ndarray) -> list[np.ndarray]:
        return [main[:, i] * main[:, j] for i, j in self.products]

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers; Python's JSON keeps every bit of a float."""
        return {
            "centers": self.centers.tolist(),
            "scales": self.scales.tolist(),
            "curves": {str(index): curve.to_json() for index, curve in self.curves.items()},
            "squares": list(self.squares),
            "products": [list(pair) for pair in self.products],
        }

    @classmethod
    def from_json(cls, state: dict[str, Any], schema: TableSchema) -> Self:
        """Restore what `to_json` gave."""
        return cls(
            schema,
            np.array(state["centers"], dtype=float),
            np.array(state["scales"], dtype=float),
            {int(index): Curve.from_json(curve) for index, curve in state["curves"].items()},
            tuple(state["squares"]),
            tuple((i, j) for i, j in state["products"]),
        )


def main_effect_names(schema: TableSchema) -> list[str]:
    """Name the covariate behind each main effect, in column order."""
    return [column.name for column in schema.columns for _ in range(_n_effects(column))]


def product_pairs(raw: np.ndarray, sources: list[str]) -> tuple[tuple[int, int], ...]:
    """Choose pairs of main effects of different covariates, in column order.

    Without a limit two columns of 50 levels give 2401 products. Indicators held
    (or lacked) by fewer than `MIN_INDICATOR_ROWS` rows get none, and there is at
    most one product for every `ROWS_PER_PRODUCT` rows. The pairs dropped first
    are those with the smallest product of both row counts, the rarest
    indicators; among equals the later in column order.
    """
    n_rows = len(raw)
    counts = [_informative_rows(raw[:, i]) for i in range(raw.shape[1])]
    usable = [i for i, count in enumerate(counts) if count >= MIN_INDICATOR_ROWS]
    pairs = [(i, j) for i in usable for j in usable if i < j and sources[i] != sources[j]]
    pairs.sort(key=lambda pair: -counts[pair[0]] * counts[pair[1]])  # stable
    return tuple(sorted(pairs[: n_rows // ROWS_PER_PRODUCT]))


def _informative_rows(values: np.ndarray) -> int:
    """Count rows in the smaller group of an indicator; all rows of any other main effect."""
    is_indicator = bool(np.isin(values, (0.0, 1.0)).all())
    n_ones = int(values.sum()) if is_indicator else 0
    return min(n_ones, len(values) - n_ones) if is_indicator else len(values)


def _n_effects(column: ColumnSchema) -> int:
    if column.kind is ColumnKind.CATEGORICAL:
        return max(len(column.levels or ()) - 1, 0)
    return 1


def main_effects(covariates: pd.DataFrame, schema: TableSchema) -> np.ndarray:
    """Encode covariates as numbers, shape (n, n_main): indicators, ranks and values as they are.

    Raises
    ------
    EstimationError
        If a covariate is absent or holds a missing or invalid value.
    """
    absent = [name for name in schema.names if name not in covariates.columns]
    if absent:
        raise EstimationError(f"study {schema.study!r}: covariates {absent} are absent")
    parts = [_encode(covariates[c.name], c, schema.study) for c in schema.columns]
    return np.column_stack(parts) if parts else np.empty((len(covariates), 0))


def _encode(values: pd.Series, column: ColumnSchema, study: str) -> np.ndarray:
    n_invalid = int(_unusable(values, column).sum())
    if n_invalid:
        raise EstimationError(
            f"study {study!r}, column {column.name!r}: nuisance models need complete, valid "
            f"covariates; {n_invalid} values are missing, not finite or not a level"
        )
    if column.kind not in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
        return values.to_numpy(dtype=float)[:, None]
    codes = _codes(values, column)
    if column.kind is ColumnKind.ORDINAL:
        return codes[:, None].astype(float)
    return np.asarray(codes[:, None] == np.arange(1, len(column.levels or ())), dtype=float)


def _unusable(values: pd.Series, column: ColumnSchema) -> np.ndarray:
    if column.kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
        return np.asarray(_codes(values, column) < 0)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(~np.isfinite(numbers))


def _codes(values: pd.Series, column: ColumnSchema) -> np.ndarray:
    if values.dtype == column.dtype:
        return values.cat.codes.to_numpy()
    return (
        values.astype(object)
        .map(str)
        .astype(pd.CategoricalDtype([str(level) for level in column.levels or ()]))
        .cat.codes.to_numpy()
    )
