"""Inverse probability of treatment weighting, normalised (Hájek)."""

from __future__ import annotations

import numpy as np

from hybrid_assets.estimators.ate_estimate import AteEstimate, arm_weights, summarise


def iptw(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
) -> AteEstimate:
    """Estimate the effect by the difference of inverse-probability-weighted arm means.

    Parameters
    ----------
    treatment, outcome : ndarray, shape (n,)
        A in {0, 1} and Y.
    propensity : ndarray, shape (n,)
        g = P(A = 1 | W), already bounded.
    outcome_control, outcome_treated : ndarray, shape (n,)
        Not used; every estimator takes the same nuisances.

    Returns
    -------
    AteEstimate
        The standard error is the HC0 sandwich of the weighted regression of Y
        on A. It treats g as known, which is conservative when g is estimated
        by a correct parametric model.

    Raises
    ------
    EstimationError
        If an arm is empty or a propensity is 0 or 1.

    References
    ----------
    Hernán and Robins 2020, *Causal Inference: What If*, section 12.3;
    Lunceford and Davidian 2004, doi:10.1002/sim.1903.
    """
    A, Y = treatment, outcome
    weights = w1, w0 = arm_weights(A, propensity)
    mu1, mu0 = float(w1 @ Y / w1.sum()), float(w0 @ Y / w0.sum())
    influence = w1 * (Y - mu1) / w1.mean() - w0 * (Y - mu0) / w0.mean()
    return summarise(
        "iptw",
        arm_means=(mu1, mu0),
        influence=influence,
        weights=weights,
        score_residual=float(influence.mean()),
        ddof=0,
    )
