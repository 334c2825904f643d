"""The nonlinear part of one covariate: natural cubic splines, orthonormal columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

# Harrell 2015, doi:10.1007/978-3-319-19425-7, table 2.3
KNOT_QUANTILES = (0.025, 0.1833, 0.3417, 0.5, 0.6583, 0.8167, 0.975)
MIN_DISTINCT_VALUES = 6
MIN_KNOT_RANGE = 1e-6  # standard deviations: a few outliers make all the spread
_RANK_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Curve:
    """Spline columns of one covariate, uncorrelated with it and each other, of variance 1.

    Equal variances let one ridge penalty mean the same for every column.

    Attributes
    ----------
    knots : ndarray, shape (k,)
    centers, slopes : ndarray, shape (k - 2,)
        Mean and linear trend taken out of the raw spline columns.
    transform : ndarray, shape (k - 2, n_columns)
    """

    knots: np.ndarray
    centers: np.ndarray
    slopes: np.ndarray
    transform: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray) -> Self | None:
        """Learn knots and scaling from standardised values (n,); None if they are too few."""
        knots = np.unique(np.quantile(values, KNOT_QUANTILES))
        if len(np.unique(values)) < MIN_DISTINCT_VALUES or len(knots) < 3:
            return None
        if knots[-1] - knots[0] < MIN_KNOT_RANGE:
            return None
        raw = natural_spline(values, knots)
        centers = raw.mean(axis=0)
        slopes = (raw - centers).T @ values / (values @ values)
        rest = raw - centers - values[:, None] * slopes
        _, sizes, directions = np.linalg.svd(rest / np.sqrt(len(values)), full_matrices=False)
        kept = sizes > _RANK_TOLERANCE * max(sizes[0], _RANK_TOLERANCE)
        return cls(knots, centers, slopes, directions[kept].T / sizes[kept])

    def columns(self, values: np.ndarray) -> np.ndarray:
        """Compute the columns, shape (n, n_columns), for standardised values (n,)."""
        raw = natural_spline(values, self.knots)
        return np.asarray((raw - self.centers - values[:, None] * self.slopes) @ self.transform)

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers."""
        names = ("knots", "centers", "slopes", "transform")
        return {name: getattr(self, name).tolist() for name in names}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Restore what `to_json` gave."""
        names = ("knots", "centers", "slopes", "transform")
        return cls(*(np.array(state[name], dtype=float) for name in names))


def natural_spline(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Give the nonlinear columns of a natural cubic spline (linear beyond the outer knots).

    Truncated-power form of Hastie, Tibshirani and Friedman, *The Elements of
    Statistical Learning*, eq. 5.4 (doi:10.1007/978-0-387-84858-7), scaled by
    the squared knot range.

    Parameters
    ----------
    values : ndarray, shape (n,)
    knots : ndarray, shape (k,)
        Increasing, k > 2.

    Returns
    -------
    ndarray, shape (n, k - 2)
    """
    last, before_last = knots[-1], knots[-2]
    cubes = np.maximum(values[:, None] - knots, 0.0) ** 3
    tail = (cubes[:, -2] - cubes[:, -1]) / (last - before_last)
    slopes = (cubes[:, :-2] - cubes[:, [-1]]) / (last - knots[:-2])
    return np.asarray((slopes - tail[:, None]) / (last - knots[0]) ** 2)
