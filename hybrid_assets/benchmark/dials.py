"""What each dial does to the propensity and the outcome means of a population."""

from __future__ import annotations

import numpy as np

from hybrid_assets.benchmark.settings import Dials
from hybrid_assets.errors import EstimationError
from hybrid_assets.targeting import calibrate

_EDGE = 1e-6


def turned(
    propensity: np.ndarray, means: np.ndarray, dials: Dials, is_binary: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Turn null effect, overlap, effect shift and heterogeneity, in this order.

    Parameters
    ----------
    propensity : ndarray, shape (n_pool,)
    means : ndarray, shape (2, n_pool)
        E[Y | A = a, W] by arm.
    dials : Dials
    is_binary : bool
        Means stay probabilities: one shift of the treated means on the logit
        scale gives the average effect asked for. Where heterogeneity puts a
        treated mean out of range, the row's two means move together, so that its
        effect is the one asked for; effects beyond ±1, which only a factor above
        1 gives, are moved to it and one shift of all keeps the average.

    Returns
    -------
    propensity, means : ndarray

    Raises
    ------
    EstimationError
        If the shifted effect is out of range.
    """
    from scipy.special import expit, logit

    if dials.null_effect:
        overall = propensity * means[1] + (1.0 - propensity) * means[0]
        means = np.stack([overall, overall])
    if dials.overlap != 1.0:
        propensity = np.asarray(expit(dials.overlap * logit(propensity)))
    if dials.effect_shift != 0.0:
        target = float(means[1].mean()) + dials.effect_shift
        means = np.stack([means[0], _with_mean(means[1], target, is_binary)])
    if dials.heterogeneity != 1.0:
        effect = means[1] - means[0]
        wanted = effect.mean() + dials.heterogeneity * (effect - effect.mean())
        control = means[0]
        if is_binary:
            wanted = _possible(wanted)
            control = _with_room(control, wanted)
        means = np.stack([control, control + wanted])
    return propensity, means


def _possible(effect: np.ndarray) -> np.ndarray:
    """Move differences of probabilities (n,) into range, one shift keeping their mean."""
    limit = 1.0 - 2.0 * _EDGE
    if np.abs(effect).max() <= limit:
        return effect
    mean, limits = float(effect.mean()), (-limit, limit)
    shifted = calibrate(effect, effect, target_control=mean, target_treated=mean, limits=limits)
    return shifted.apply(effect, 1)


def _with_room(control: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Move control probabilities (n,) as little as leaves those under treatment in (0, 1)."""
    lowest, highest = _EDGE + np.maximum(-effect, 0.0), 1.0 - _EDGE - np.maximum(effect, 0.0)
    return np.asarray(np.clip(control, lowest, highest))


def _with_mean(means: np.ndarray, target: float, is_binary: bool) -> np.ndarray:
    if not is_binary:
        return np.asarray(means + (target - means.mean()))
    if not 0.0 < target < 1.0:
        raise EstimationError(
            f"effect_shift moves the treated mean to {target:.3g}, which is not a probability"
        )
    kept = np.clip(means, _EDGE, 1.0 - _EDGE)
    return calibrate(kept, kept, target_control=target, target_treated=target).apply(kept, 1)
