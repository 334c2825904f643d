"""Tables of many replicates, and the same arranged fold by fold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from hybrid_assets.benchmark.folds import FoldLayout
from hybrid_assets.nuisance.basis import product_pairs
from hybrid_assets.nuisance.spline import KNOT_QUANTILES, Curve

_CURVE_WIDTH = len(KNOT_QUANTILES) - 2


@dataclass(frozen=True, eq=False, repr=False)
class Replicates:
    """Tables of equal size drawn from one population.

    Attributes
    ----------
    effects : ndarray, shape (B, n, p)
        Main effects of the covariates, as `nuisance.basis.main_effects` encodes them.
    treatment, outcome : ndarray, shape (B, n)
    sources : tuple of str, length p
        Covariate behind each main effect; effects of one are not multiplied.
    is_binary : bool
        Whether the outcome is.
    """

    effects: np.ndarray
    treatment: np.ndarray
    outcome: np.ndarray
    sources: tuple[str, ...]
    is_binary: bool

    def part(self, chosen: slice | np.ndarray) -> Replicates:
        """Keep some of the replicates."""
        return Replicates(
            self.effects[chosen],
            self.treatment[chosen],
            self.outcome[chosen],
            self.sources,
            self.is_binary,
        )


@dataclass(frozen=True, eq=False, repr=False)
class PlacedReplicates:
    """Replicates arranged by fold.

    Attributes
    ----------
    encoded : ndarray, shape (B, n, p)
        Main effects as they come, row by row.
    effects : ndarray, shape (B, K, m, p)
        The same standardised with all rows of the replicate, and placed.
    treatment, outcome : ndarray, shape (B, K, m)
    is_row : ndarray of bool, shape (B, K, m)
        False at the empty places of the layout.
    sources, is_binary
        As in `Replicates`.
    """

    encoded: np.ndarray
    effects: np.ndarray
    treatment: np.ndarray
    outcome: np.ndarray
    is_row: np.ndarray
    sources: tuple[str, ...]
    is_binary: bool

    @classmethod
    def of(cls, replicates: Replicates, folds: FoldLayout) -> Self:
        """Standardise and arrange."""
        spread = replicates.effects.std(axis=1, keepdims=True)
        centred = replicates.effects - replicates.effects.mean(axis=1, keepdims=True)
        standardised = centred / np.where(spread > 0, spread, 1.0)
        treatment = folds.place(replicates.treatment)
        is_row = np.broadcast_to(folds.is_row, treatment.shape)
        return cls(
            replicates.effects,
            folds.place(standardised),
            treatment,
            folds.place(replicates.outcome),
            is_row,
            replicates.sources,
            replicates.is_binary,
        )

    @cached_property
    def curves(self) -> np.ndarray:
        """Spline columns of each replicate's covariates, shape (B, K, m, p'); padded with zeros."""
        n_effects, is_row = self.effects.shape[-1], self.is_row[0]
        columns = np.zeros((*self.effects.shape, _CURVE_WIDTH))
        for replicate, effects in enumerate(self.effects):
            for effect in range(n_effects):
                curve = Curve.fit(effects[is_row][:, effect])
                if curve is not None:
                    found = curve.columns(effects[..., effect].ravel())
                    n_found = found.shape[1]
                    columns[replicate, :, :, effect, :n_found] = found.reshape(*is_row.shape, -1)
        flat = columns.reshape(*self.effects.shape[:-1], -1)
        return np.asarray(flat[..., flat.any(axis=(0, 1, 2))])

    @cached_property
    def products(self) -> np.ndarray:
        """Products of main effects, shape (B, K, m, p''); 0 where a replicate has no such product.

        Which products there are depends on the table: rare indicators get none.
        """
        chosen = [product_pairs(encoded, list(self.sources)) for encoded in self.encoded]
        pairs = sorted(set().union(*chosen))
        left, right = ([pair[side] for pair in pairs] for side in (0, 1))
        found = self.effects[..., left] * self.effects[..., right]
        if any(len(own) < len(pairs) for own in chosen):
            is_own = np.array([[pair in own for pair in pairs] for own in map(set, chosen)])
            found *= is_own[:, None, None, :]
        return np.asarray(found)

    def arms(self) -> np.ndarray:
        """Flag the controls and the treated, shape (B, 2, K, m)."""
        return np.stack([(self.treatment == arm) & self.is_row for arm in (0, 1)], axis=1)


def arm_sizes(treatment: np.ndarray) -> np.ndarray:
    """Count the rows of the smaller arm of each replicate, shape (B,)."""
    treated = treatment.sum(axis=1)
    return np.asarray(np.minimum(treated, treatment.shape[1] - treated))
