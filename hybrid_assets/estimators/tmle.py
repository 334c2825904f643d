"""Targeted maximum likelihood, with weights in the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.errors import EstimationError, NotConverged
from hybrid_assets.estimators.arm_mean import effect_of, efficient_arm_mean
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimand import ESTIMANDS, EstimandWord
from hybrid_assets.estimators.weights import arm_weights, membership

SCORE_TOLERANCE = 1e-9
RANGE_MARGIN = 0.01
_EDGE = 1e-9


def tmle(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
    *,
    estimand: EstimandWord = "ate",
) -> EffectEstimate:
    """Estimate an effect by outcome regression, fluctuated until its bias score is zero.

    Per arm, an intercept-only logistic regression with offset logit Q_a and
    the arm's weights: 1/g and 1/(1 − g) for everyone, 1 and g/(1 − g) for the
    treated, (1 − g)/g and 1 for the controls. A continuous Y is scaled to
    [0, 1] with bounds 1 % of its range outside it. In the treated (controls)
    the law of W is their empirical one, so g needs no fluctuation.

    Parameters
    ----------
    treatment, outcome : ndarray, shape (n,)
        A in {0, 1} and Y.
    propensity : ndarray, shape (n,)
        g = P(A = 1 | W), already bounded.
    outcome_control, outcome_treated : ndarray, shape (n,)
        Q0 and Q1, means of Y given W under each arm.
    estimand : {"ate", "att", "atc", "risk_ratio", "odds_ratio"}
        Ratios are those of the two targeted means.

    Raises
    ------
    EstimationError
        If an arm is empty, a propensity is 0 or 1, Y is constant, or a ratio
        is asked of an outcome other than 0/1.
    NotConverged
        If a score equation is off by more than 1e-9 on the unit scale.

    References
    ----------
    van der Laan and Rose 2011, *Targeted Learning*, doi:10.1007/978-1-4419-9782-1;
    Gruber and van der Laan 2010, doi:10.2202/1557-4679.1260 (continuous outcomes).
    """
    A, Y, Q0, Q1 = treatment, outcome, outcome_control, outcome_treated
    population = ESTIMANDS[estimand].population
    w1, w0 = arm_weights(A, propensity, population)
    members = membership(A, population)
    scale = OutcomeScale.of(Y)
    y = scale.to_unit(Y)
    Q1_star = scale.from_unit(fluctuate(y, scale.to_unit(Q1), w1))
    Q0_star = scale.from_unit(fluctuate(y, scale.to_unit(Q0), w0))
    treated = efficient_arm_mean(Y, members, w1, Q1_star, is_corrected=False)
    control = efficient_arm_mean(Y, members, w0, Q0_star, is_corrected=False)
    return effect_of("tmle", estimand, (treated, control), Y)


@dataclass(frozen=True)
class OutcomeScale:
    """An affine map of the outcome's range into the unit interval; the identity for 0/1."""

    low: float
    width: float

    @classmethod
    def of(cls, outcome: np.ndarray, margin: float = RANGE_MARGIN) -> OutcomeScale:
        """Take the range of `outcome`, shape (n,), widened by a share of it on each side."""
        if np.isin(outcome, (0.0, 1.0)).all():
            return cls(0.0, 1.0)
        low, spread = float(outcome.min()), float(np.ptp(outcome))
        if spread == 0.0:
            raise EstimationError("the outcome is constant; TMLE needs variation")
        return cls(low - margin * spread, spread * (1.0 + 2.0 * margin))

    @property
    def is_scaled(self) -> bool:
        """Whether the map is not the identity."""
        return (self.low, self.width) != (0.0, 1.0)

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Map outcome units to the unit scale."""
        return (values - self.low) / self.width

    def from_unit(self, values: np.ndarray) -> np.ndarray:
        """Map the unit scale to outcome units."""
        return self.low + self.width * values


def fluctuate(
    y: np.ndarray, q: np.ndarray, weights: np.ndarray, direction: np.ndarray | float = 1.0
) -> np.ndarray:
    """Shift q on the logit scale along a direction until Σ weights (y − q) is zero.

    Parameters
    ----------
    y : ndarray, shape (n,)
        In [0, 1].
    q : ndarray, shape (n,)
        Initial means; values within 1e-9 of 0 or 1, or beyond, are moved there.
    weights : ndarray, shape (n,)
        Zero for the other arm's rows.
    direction : float or ndarray, shape (n,)
        Positive; what the shift is multiplied by in each row.

    Returns
    -------
    ndarray, shape (n,)
        Updated means of all rows, in (0, 1).
    """
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    offset = logit(np.clip(q, _EDGE, 1.0 - _EDGE))

    def score(shift: float) -> float:
        return float((weights * (y - expit(offset + shift * direction))).mean())

    reach = 1.0
    while score(-reach) * score(reach) > 0.0 and reach < 64.0:
        reach *= 2.0
    if score(-reach) * score(reach) > 0.0:
        raise NotConverged("TMLE: an arm's outcomes are all 0 or all 1; no fluctuation exists")
    shift = brentq(score, -reach, reach, xtol=1e-15, rtol=1e-15, maxiter=500)
    if not abs(score(shift)) <= SCORE_TOLERANCE:
        raise NotConverged(f"TMLE: a score equation is off by {abs(score(shift)):.2g}")
    return np.asarray(expit(offset + shift * direction))
