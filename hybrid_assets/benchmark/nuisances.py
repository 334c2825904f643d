"""Cross-fitted nuisances of many replicates at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.benchmark.folds import FoldLayout
from hybrid_assets.benchmark.learners import BATCHED_LEARNERS
from hybrid_assets.benchmark.replicates import PlacedReplicates, Replicates
from hybrid_assets.benchmark.settings import Analysis
from hybrid_assets.benchmark.stacks import stack_weights

_ROWS_AT_ONCE = 8_000  # arrays of a part stay in the processor's cache


@dataclass(frozen=True, eq=False, repr=False)
class Nuisances:
    """Out-of-fold values, fold by fold: each of shape (B, n), NaN where a fit failed.

    Attributes
    ----------
    treatment, outcome, propensity, outcome_control, outcome_treated : ndarray
        The propensity is not bounded.
    """

    treatment: np.ndarray
    outcome: np.ndarray
    propensity: np.ndarray
    outcome_control: np.ndarray
    outcome_treated: np.ndarray


def cross_fitted_nuisances(
    replicates: Replicates,
    folds: FoldLayout,
    analysis: Analysis,
    *,
    is_pooled: bool,
    known_propensity: float | None = None,
) -> Nuisances:
    """Do what `hybrid_assets.nuisance.cross_fit` does, for all replicates.

    Parameters
    ----------
    replicates : Replicates
    folds : FoldLayout
    analysis : Analysis
    is_pooled : bool
        One outcome model for both arms, with treatment and all its products,
        instead of one for each arm.
    known_propensity : float in (0, 1), optional
    """
    propensity_words, outcome_words = analysis.propensity_library, analysis.outcome_library
    words = tuple(dict.fromkeys((*propensity_words, *outcome_words)))
    fitted = _predictions(words, replicates, folds, is_pooled)
    treatment, outcome = (
        folds.take_rows(folds.place(values))
        for values in (replicates.treatment, replicates.outcome)
    )
    g = np.stack([fitted[word][0] for word in propensity_words], axis=-1)
    q = np.stack([fitted[word][1] for word in outcome_words], axis=-1)
    own_arm = np.where(treatment[..., None] == 1, q[:, 1], q[:, 0])
    q_weights = stack_weights(own_arm, outcome, is_binary=replicates.is_binary)
    means = (q @ q_weights[:, None, :, None])[..., 0]
    if known_propensity is None:
        g_weights = stack_weights(g, treatment, is_binary=True)
        propensity = (g @ g_weights[..., None])[..., 0]
    else:
        propensity = np.full(treatment.shape, known_propensity)
    return Nuisances(treatment, outcome, propensity, means[:, 0], means[:, 1])


def _predictions(
    words: tuple[str, ...], replicates: Replicates, folds: FoldLayout, is_pooled: bool
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Give g (B, n) and Q (B, 2, n) by learner, fold by fold; a few replicates at once."""
    n_replicates, n_rows = replicates.treatment.shape
    found = {
        word: (np.empty((n_replicates, n_rows)), np.empty((n_replicates, 2, n_rows)))
        for word in words
    }
    at_once = max(1, _ROWS_AT_ONCE // n_rows)
    for first in range(0, n_replicates, at_once):
        chosen = slice(first, first + at_once)
        placed = PlacedReplicates.of(replicates.part(chosen), folds.part(chosen))
        for word, (g, q) in found.items():
            of_part = BATCHED_LEARNERS[word](word, placed, is_pooled)
            g[chosen], q[chosen] = (folds.take_rows(values) for values in of_part)
    return found
