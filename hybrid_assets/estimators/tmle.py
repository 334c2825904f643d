"""Targeted maximum likelihood, with weights in the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.errors import EstimationError, NotConverged
from hybrid_assets.estimators.ate_estimate import AteEstimate, arm_weights, summarise

SCORE_TOLERANCE = 1e-9
RANGE_MARGIN = 0.01
_EDGE = 1e-9


def tmle(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
) -> AteEstimate:
    """Estimate the effect by outcome regression, fluctuated until its bias score is zero.

    Per arm, an intercept-only logistic regression with offset logit Q_a and
    weights 1/g or 1/(1 − g). A continuous Y is scaled to [0, 1] with bounds
    1 % of its range outside it.

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
        If an arm is empty, a propensity is 0 or 1, or Y is constant.
    NotConverged
        If a score equation is off by more than 1e-9 on the unit scale.

    References
    ----------
    van der Laan and Rose 2011, *Targeted Learning*, doi:10.1007/978-1-4419-9782-1;
    Gruber and van der Laan 2010, doi:10.2202/1557-4679.1260 (continuous outcomes).
    """
    A, Y, Q0, Q1 = treatment, outcome, outcome_control, outcome_treated
    weights = w1, w0 = arm_weights(A, propensity)
    scale = OutcomeScale.of(Y)
    y = scale.to_unit(Y)
    q1 = fluctuate(y, scale.to_unit(Q1), w1)
    q0 = fluctuate(y, scale.to_unit(Q0), w0)
    Q1_star, Q0_star = scale.from_unit(q1), scale.from_unit(q0)
    mu1, mu0 = float(Q1_star.mean()), float(Q0_star.mean())
    correction = w1 * (Y - Q1_star) - w0 * (Y - Q0_star)
    return summarise(
        "tmle",
        arm_means=(mu1, mu0),
        influence=Q1_star - Q0_star - (mu1 - mu0) + correction,
        weights=weights,
        score_residual=float(correction.mean()),
    )


@dataclass(frozen=True)
class OutcomeScale:
    """An affine map of the outcome's range into the unit interval; the identity for 0/1."""

    low: float
    width: float

    @classmethod
    def of(cls, outcome: np.ndarray) -> OutcomeScale:
        """Take the range of `outcome`, shape (n,), widened by 1 % on each side."""
        if np.isin(outcome, (0.0, 1.0)).all():
            return cls(0.0, 1.0)
        low, spread = float(outcome.min()), float(np.ptp(outcome))
        if spread == 0.0:
            raise EstimationError("the outcome is constant; TMLE needs variation")
        return cls(low - RANGE_MARGIN * spread, spread * (1.0 + 2.0 * RANGE_MARGIN))

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Map outcome units to the unit scale."""
        return (values - self.low) / self.width

    def from_unit(self, values: np.ndarray) -> np.ndarray:
        """Map the unit scale to outcome units."""
        return self.low + self.width * values


def fluctuate(y: np.ndarray, q: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Shift q on the logit scale until Σ weights (y − q) is zero.

    Parameters
    ----------
    y : ndarray, shape (n,)
        In [0, 1].
    q : ndarray, shape (n,)
        Initial means; values within 1e-9 of 0 or 1, or beyond, are moved there.
    weights : ndarray, shape (n,)
        Zero for the other arm's rows.

    Returns
    -------
    ndarray, shape (n,)
        Updated means of all rows, in (0, 1).
    """
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    offset = logit(np.clip(q, _EDGE, 1.0 - _EDGE))

    def score(shift: float) -> float:
        return float((weights * (y - expit(offset + shift))).mean())

    reach = 1.0
    while score(-reach) * score(reach) > 0.0 and reach < 64.0:
        reach *= 2.0
    if score(-reach) * score(reach) > 0.0:
        raise NotConverged("TMLE: an arm's outcomes are all 0 or all 1; no fluctuation exists")
    shift = brentq(score, -reach, reach, xtol=1e-15, rtol=1e-15, maxiter=500)
    if not abs(score(shift)) <= SCORE_TOLERANCE:
        raise NotConverged(f"TMLE: a score equation is off by {abs(score(shift)):.2g}")
    return np.asarray(expit(offset + shift))
