"""Outcome regression, also called substitution or g-computation."""

from __future__ import annotations

import numpy as np

from hybrid_assets.estimators.arm_mean import effect_of, efficient_arm_mean
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimand import ESTIMANDS, EstimandWord
from hybrid_assets.estimators.weights import arm_weights, membership


def outcome_regression(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
    *,
    estimand: EstimandWord = "ate",
) -> EffectEstimate:
    """Estimate an effect by the means of Q1 and Q0.

    Parameters
    ----------
    treatment, outcome : ndarray, shape (n,)
        A in {0, 1} and Y.
    propensity : ndarray, shape (n,)
        g = P(A = 1 | W), already bounded; used for the standard error only.
    outcome_control, outcome_treated : ndarray, shape (n,)
        Q0 and Q1, means of Y given W under each arm.
    estimand : {"ate", "att", "atc", "risk_ratio", "odds_ratio"}

    Returns
    -------
    EffectEstimate
        The standard error is that of the efficient influence function (the
        one of AIPW): right when both nuisances are consistent. A flexible
        plug-in has no influence function of its own, and its first-order
        bias, reported as `score_residual`, is not in the interval.

    Raises
    ------
    EstimationError
        If an arm is empty, a propensity is 0 or 1, or a ratio does not exist.

    References
    ----------
    Robins 1986, doi:10.1016/0270-0255(86)90088-6.
    """
    A, Y, Q0, Q1 = treatment, outcome, outcome_control, outcome_treated
    population = ESTIMANDS[estimand].population
    w1, w0 = arm_weights(A, propensity, population)
    members = membership(A, population)
    treated = efficient_arm_mean(Y, members, w1, Q1, is_corrected=False)
    control = efficient_arm_mean(Y, members, w0, Q0, is_corrected=False)
    return effect_of("outcome_regression", estimand, (treated, control), Y, solves_equations=False)
