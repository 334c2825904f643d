"""The four estimators for many replicates at once."""

from __future__ import annotations

import numpy as np

from hybrid_assets.benchmark.ridge import logistic
from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.tmle import RANGE_MARGIN, SCORE_TOLERANCE, fluctuate

_EDGE = 1e-9
_MAX_STEPS = 30


def estimate_all(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Estimate the effect of each replicate with each of `hybrid_assets.estimators`.

    Parameters
    ----------
    treatment, outcome : ndarray, shape (B, n)
        A in {0, 1}, both present in each replicate, and Y.
    propensity : ndarray, shape (B, n)
        g, already bounded.
    outcome_control, outcome_treated : ndarray, shape (B, n)
        Q0 and Q1.

    Returns
    -------
    dict of str to tuple of ndarray, shape (B,)
        Estimates and standard errors by estimator; NaN where TMLE has no solution.
    """
    weight_1, weight_0 = treatment / propensity, (1.0 - treatment) / (1.0 - propensity)
    n_rows = treatment.shape[1]

    def summary(
        influence: np.ndarray, estimate: np.ndarray, ddof: int = 1
    ) -> tuple[np.ndarray, ...]:
        return estimate, influence.std(axis=1, ddof=ddof) / np.sqrt(n_rows)

    plug_in = outcome_treated - outcome_control
    correction = weight_1 * (outcome - outcome_treated) - weight_0 * (outcome - outcome_control)
    one_step = plug_in + correction
    mean_1, mean_0 = (
        (weight * outcome).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        for weight in (weight_1, weight_0)
    )
    hajek = weight_1 * (outcome - mean_1) / weight_1.mean(axis=1, keepdims=True)
    hajek -= weight_0 * (outcome - mean_0) / weight_0.mean(axis=1, keepdims=True)
    moved_1, moved_0 = _targeted(outcome, (outcome_treated, weight_1), (outcome_control, weight_0))
    targeted = moved_1 - moved_0
    solved = targeted + weight_1 * (outcome - moved_1) - weight_0 * (outcome - moved_0)
    found = {
        "outcome_regression": summary(one_step, plug_in.mean(axis=1)),
        "iptw": summary(hajek, (mean_1 - mean_0)[:, 0], ddof=0),
        "aipw": summary(one_step, one_step.mean(axis=1)),
        "tmle": summary(solved, targeted.mean(axis=1)),
    }
    return {word: (estimate, error) for word, (estimate, error) in found.items()}


def _targeted(
    outcome: np.ndarray, *arms: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Fluctuate the means of each arm, given with its weights; shape (B, n) each."""
    low, width = np.zeros((len(outcome), 1)), np.ones((len(outcome), 1))
    is_scaled = np.asarray(~np.isin(outcome, (0.0, 1.0)).all(axis=1))
    low[is_scaled, 0] = outcome[is_scaled].min(axis=1)
    width[is_scaled, 0] = np.ptp(outcome[is_scaled], axis=1)
    low = np.where(is_scaled[:, None], low - RANGE_MARGIN * width, low)
    width = np.where(is_scaled[:, None], width * (1.0 + 2.0 * RANGE_MARGIN), width)
    y = (outcome - low) / width
    treated, control = (
        low + width * _fluctuated(y, (means - low) / width, weight) for means, weight in arms
    )
    return treated, control


def _fluctuated(y: np.ndarray, q: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Shift q (B, n) on the logit scale, replicate by replicate, until its score is zero."""
    q = np.clip(q, _EDGE, 1.0 - _EDGE)
    offset = np.log(q) - np.log1p(-q)
    shift, n_rows = np.zeros((len(y), 1)), y.shape[1]
    for step in range(_MAX_STEPS):
        moved = logistic(offset + shift)
        score = (weight * (y - moved)).sum(axis=1, keepdims=True) / n_rows
        if (np.abs(score) <= 1e-4 * SCORE_TOLERANCE).all() or step == _MAX_STEPS - 1:
            break
        curvature = (weight * moved * (1.0 - moved)).sum(axis=1, keepdims=True) / n_rows
        shift += np.clip(score / np.maximum(curvature, 1e-12), -1.0, 1.0)
    for replicate in np.flatnonzero(~(np.abs(score[:, 0]) <= SCORE_TOLERANCE)):
        try:
            moved[replicate] = fluctuate(y[replicate], q[replicate], weight[replicate])
        except (EstimationError, ValueError):
            moved[replicate] = np.nan
    return moved
