"""Targeted maximum likelihood with the weights in the clever covariate."""

from __future__ import annotations

import numpy as np

from hybrid_assets.estimators.arm_mean import effect_of, efficient_arm_mean
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimand import ESTIMANDS, EstimandWord
from hybrid_assets.estimators.tmle import OutcomeScale, fluctuate
from hybrid_assets.estimators.weights import arm_weights, clever_covariates, membership

SCALED_RANGE = (0.0005, 0.9995)


def tmle_covariate(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
    *,
    estimand: EstimandWord = "ate",
) -> EffectEstimate:
    """Estimate an effect by TMLE as R's tmle does with ``target.gwt = FALSE``.

    Two logistic fluctuations along the clever covariates A/g and (1 − A)/(1 − g).
    A continuous Y is scaled to its own range, predictions to within .0005 of
    it. Kept so that figures published with R can be had to the last digit;
    under poor overlap `tmle`, with weights in the loss, is the steadier one.

    Parameters
    ----------
    treatment, outcome, propensity, outcome_control, outcome_treated, estimand
        As for `tmle`. R has another algorithm in the treated and the controls.

    Raises
    ------
    EstimationError, NotConverged
        As for `tmle`.

    References
    ----------
    Gruber and van der Laan 2012, doi:10.18637/jss.v051.i13.
    """
    A, Y, Q0, Q1 = treatment, outcome, outcome_control, outcome_treated
    population = ESTIMANDS[estimand].population
    weights = arm_weights(A, propensity, population)
    members = membership(A, population)
    scale = OutcomeScale.of(Y, margin=0.0)
    y = scale.to_unit(Y)
    arms = []
    for w, H, Q in zip(weights, clever_covariates(propensity, population), (Q1, Q0), strict=True):
        q = np.clip(scale.to_unit(Q), *SCALED_RANGE) if scale.is_scaled else Q
        Q_star = scale.from_unit(fluctuate(y, q, w, H))
        arms.append(efficient_arm_mean(Y, members, w, Q_star, is_corrected=False))
    return effect_of("tmle_covariate", estimand, (arms[0], arms[1]), Y)
