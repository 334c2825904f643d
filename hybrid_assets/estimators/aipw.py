"""Augmented inverse probability weighting."""

from __future__ import annotations

import numpy as np

from hybrid_assets.estimators.arm_mean import effect_of, efficient_arm_mean
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimand import ESTIMANDS, EstimandWord
from hybrid_assets.estimators.weights import arm_weights, membership


def aipw(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
    *,
    estimand: EstimandWord = "ate",
) -> EffectEstimate:
    """Estimate an effect by outcome regression plus weighted residuals: doubly robust.

    Parameters
    ----------
    treatment, outcome : ndarray, shape (n,)
        A in {0, 1} and Y.
    propensity : ndarray, shape (n,)
        g = P(A = 1 | W), already bounded.
    outcome_control, outcome_treated : ndarray, shape (n,)
        Q0 and Q1, means of Y given W under each arm.
    estimand : {"ate", "att", "atc", "risk_ratio", "odds_ratio"}
        In the treated (controls), the mean of the arm they are in is the
        observed one, and g enters the other arm's residuals as odds.

    Raises
    ------
    EstimationError
        If an arm is empty, a propensity is 0 or 1, or a ratio does not exist.

    References
    ----------
    Robins, Rotnitzky and Zhao 1994, doi:10.1080/01621459.1994.10476818.
    """
    A, Y, Q0, Q1 = treatment, outcome, outcome_control, outcome_treated
    population = ESTIMANDS[estimand].population
    w1, w0 = arm_weights(A, propensity, population)
    members = membership(A, population)
    treated = efficient_arm_mean(Y, members, w1, Q1, is_corrected=True)
    control = efficient_arm_mean(Y, members, w0, Q0, is_corrected=True)
    return effect_of("aipw", estimand, (treated, control), Y)
