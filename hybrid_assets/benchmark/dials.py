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
    """Turn overlap, null effect, heterogeneity and effect shift, in this order.

    Parameters
    ----------
    propensity : ndarray, shape (n_pool,)
    means : ndarray, shape (2, n_pool)
        E[Y | A = a, W] by arm.
    dials : Dials
    is_binary : bool
        Means stay probabilities: those that heterogeneity moves out of range
        are moved to its edge, and one shift of the treated means on the logit
        scale gives them the average that the dials ask for.

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
    if dials.heterogeneity != 1.0:
        effect = means[1] - means[0]
        treated = means[0] + effect.mean() + dials.heterogeneity * (effect - effect.mean())
        means = np.stack([means[0], _with_mean(treated, float(means[1].mean()), is_binary)])
    if dials.effect_shift != 0.0:
        target = float(means[1].mean()) + dials.effect_shift
        means = np.stack([means[0], _with_mean(means[1], target, is_binary)])
    return propensity, means


def _with_mean(means: np.ndarray, target: float, is_binary: bool) -> np.ndarray:
    if not is_binary:
        return np.asarray(means + (target - means.mean()))
    if not 0.0 < target < 1.0:
        raise EstimationError(
            f"effect_shift moves the treated mean to {target:.3g}, which is not a probability"
        )
    kept = np.clip(means, _EDGE, 1.0 - _EDGE)
    return calibrate(kept, kept, target_control=target, target_treated=target).apply(kept, 1)
