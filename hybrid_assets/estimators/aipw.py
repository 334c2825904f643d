"""Augmented inverse probability weighting."""

from __future__ import annotations

import numpy as np

from hybrid_assets.estimators.ate_estimate import AteEstimate, arm_weights, summarise


def aipw(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
) -> AteEstimate:
    """Estimate the effect by outcome regression plus weighted residuals: doubly robust.

    Parameters
    ----------
    treatment, outcome : ndarray, shape (n,)
        A in {0, 1} and Y.
    propensity : ndarray, shape (n,)
        g = P(A = 1 | W), already bounded.
    outcome_control, outcome_treated : ndarray, shape (n,)
        Q0 and Q1, means of Y given W under each arm.

    Raises
    ------
    EstimationError
        If an arm is empty or a propensity is 0 or 1.

    References
    ----------
    Robins, Rotnitzky and Zhao 1994, doi:10.1080/01621459.1994.10476818.
    """
    A, Y, Q0, Q1 = treatment, outcome, outcome_control, outcome_treated
    weights = w1, w0 = arm_weights(A, propensity)
    treated, control = Q1 + w1 * (Y - Q1), Q0 + w0 * (Y - Q0)
    mu1, mu0 = float(treated.mean()), float(control.mean())
    influence = treated - control - (mu1 - mu0)
    return summarise(
        "aipw",
        arm_means=(mu1, mu0),
        influence=influence,
        weights=weights,
        score_residual=float(influence.mean()),
    )
