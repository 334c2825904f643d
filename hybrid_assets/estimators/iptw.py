"""Inverse probability of treatment weighting, normalised (Hájek) and stabilised."""

from __future__ import annotations

import numpy as np

from hybrid_assets.estimators.arm_mean import ArmMean, effect_of
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimand import ESTIMANDS, EstimandWord
from hybrid_assets.estimators.weights import arm_weights, membership


def iptw(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
    *,
    estimand: EstimandWord = "ate",
) -> EffectEstimate:
    """Estimate an effect from inverse-probability-weighted arm means (Hájek).

    Parameters
    ----------
    treatment, outcome : ndarray, shape (n,)
        A in {0, 1} and Y.
    propensity : ndarray, shape (n,)
        g = P(A = 1 | W), already bounded.
    outcome_control, outcome_treated : ndarray, shape (n,)
        Not used; every estimator takes the same nuisances.
    estimand : {"ate", "att", "atc", "risk_ratio", "odds_ratio"}
        In the treated, controls are weighted by the odds g/(1 − g).

    Returns
    -------
    EffectEstimate
        The standard error is the HC0 sandwich of the weighted regression of Y
        on A. It treats g as known, which is conservative when g is estimated
        by a correct parametric model.

    Raises
    ------
    EstimationError
        If an arm is empty, a propensity is 0 or 1, or a ratio does not exist.

    References
    ----------
    Hernán and Robins 2020, *Causal Inference: What If*, section 12.3;
    Lunceford and Davidian 2004, doi:10.1002/sim.1903.
    """
    w1, w0 = arm_weights(treatment, propensity, ESTIMANDS[estimand].population)
    treated, control = (_weighted_mean(outcome, w, members=w) for w in (w1, w0))
    return effect_of("iptw", estimand, (treated, control), outcome, ddof=0)


def iptw_stabilised(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
    *,
    estimand: EstimandWord = "ate",
) -> EffectEstimate:
    """Estimate an effect from sums of stabilised weights times outcomes (Horvitz–Thompson).

    The arm's outcomes are weighted by P(A = a)/P(A = a | W) and divided by the
    number of people in the arm. With the observed share for P(A = a), this is
    Horvitz and Thompson's mean of A Y/g. The weights average to 1 in
    expectation only: unlike Hájek's, the estimate moves when a constant is
    added to Y, and an arm mean can leave the range of Y.

    Parameters
    ----------
    treatment, outcome, propensity, outcome_control, outcome_treated, estimand
        As for `iptw`.

    Returns
    -------
    EffectEstimate
        The standard error treats g as known.

    Raises
    ------
    EstimationError
        If an arm is empty, a propensity is 0 or 1, or a ratio does not exist.

    References
    ----------
    Horvitz and Thompson 1952, doi:10.1080/01621459.1952.10483446;
    Robins, Hernán and Brumback 2000, doi:10.1097/00001648-200009000-00011.
    """
    population = ESTIMANDS[estimand].population
    w1, w0 = arm_weights(treatment, propensity, population)
    members = membership(treatment, population)
    treated, control = (_weighted_mean(outcome, w, members=members) for w in (w1, w0))
    return effect_of("iptw_stabilised", estimand, (treated, control), outcome)


def _weighted_mean(outcome: np.ndarray, weights: np.ndarray, *, members: np.ndarray) -> ArmMean:
    """Divide Σ w Y by the members of the population: for Hájek, the weights themselves."""
    share = members.mean()
    mean = float((weights * outcome).mean() / share)
    return ArmMean(mean, (weights * outcome - mean * members) / share, weights)
