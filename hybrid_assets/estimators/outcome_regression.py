"""Outcome regression, also called substitution or g-computation."""

from __future__ import annotations

import numpy as np

from hybrid_assets.estimators.ate_estimate import AteEstimate, arm_weights, summarise


def outcome_regression(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
) -> AteEstimate:
    """Estimate the effect by the mean of Q1 − Q0.

    Parameters
    ----------
    treatment, outcome : ndarray, shape (n,)
        A in {0, 1} and Y.
    propensity : ndarray, shape (n,)
        g = P(A = 1 | W), already bounded; used for the standard error only.
    outcome_control, outcome_treated : ndarray, shape (n,)
        Q0 and Q1, means of Y given W under each arm.

    Returns
    -------
    AteEstimate
        The standard error is that of the efficient influence function (the
        one of AIPW): right when both nuisances are consistent. A flexible
        plug-in has no influence function of its own, and its first-order
        bias, reported as `score_residual`, is not in the interval.

    Raises
    ------
    EstimationError
        If an arm is empty or a propensity is 0 or 1.

    References
    ----------
    Robins 1986, doi:10.1016/0270-0255(86)90088-6.
    """
    A, Y, Q0, Q1 = treatment, outcome, outcome_control, outcome_treated
    weights = w1, w0 = arm_weights(A, propensity)
    correction = w1 * (Y - Q1) - w0 * (Y - Q0)
    uncentred = Q1 - Q0 + correction
    return summarise(
        "outcome_regression",
        arm_means=(float(Q1.mean()), float(Q0.mean())),
        influence=uncentred - uncentred.mean(),
        weights=weights,
        score_residual=float(correction.mean()),
    )
