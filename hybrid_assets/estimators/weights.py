"""Weights that turn each arm into the population whose effect is estimated."""

from __future__ import annotations

import numpy as np

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.estimand import Population


def clever_covariates(
    propensity: np.ndarray, population: Population = "everyone"
) -> tuple[np.ndarray, np.ndarray]:
    """Give h/g and h/(1 − g), each of shape (n,), with h = 1, g or 1 − g.

    They stand everyone, the treated or the controls: the density of W in the
    population over its density in each arm, up to a constant.

    Raises
    ------
    EstimationError
        If a propensity is not strictly between 0 and 1.
    """
    g = propensity
    if not ((g > 0.0) & (g < 1.0)).all():
        raise EstimationError("propensities must lie strictly between 0 and 1; bound them first")
    if population == "treated":
        return np.ones_like(g), g / (1.0 - g)
    if population == "control":
        return (1.0 - g) / g, np.ones_like(g)
    return 1.0 / g, 1.0 / (1.0 - g)


def arm_weights(
    treatment: np.ndarray, propensity: np.ndarray, population: Population = "everyone"
) -> tuple[np.ndarray, np.ndarray]:
    """Give A h/g and (1 − A) h/(1 − g), each of shape (n,); h as in `clever_covariates`.

    Raises
    ------
    EstimationError
        If an arm is empty or a propensity is not strictly between 0 and 1.
    """
    n_treated = int((treatment == 1).sum())
    if n_treated in (0, len(treatment)):
        raise EstimationError(f"one arm is empty: {n_treated} of {len(treatment)} rows are treated")
    h1, h0 = clever_covariates(propensity, population)
    return treatment * h1, (1.0 - treatment) * h0


def membership(treatment: np.ndarray, population: Population) -> np.ndarray:
    """Give 1 for each row that belongs to the population, else 0; shape (n,)."""
    if population == "treated":
        return treatment
    return 1.0 - treatment if population == "control" else np.ones_like(treatment)


def effective_sample_size(weights: np.ndarray) -> float:
    """Give Kish's (Σ w)² / Σ w², between 1 and the number of positive weights."""
    return float(weights.sum() ** 2 / (weights**2).sum())
