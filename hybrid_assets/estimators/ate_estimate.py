"""One estimate of the average treatment effect, with what a reader needs to trust it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hybrid_assets.errors import EstimationError

NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class AteEstimate:
    """An estimate of E[Y(1)] − E[Y(0)].

    Attributes
    ----------
    estimator : str
        Word in `ESTIMATORS`.
    estimate, standard_error, ci_low, ci_high : float
        In units of the outcome; 95 % normal interval.
    mean_treated, mean_control : float
        Estimates of E[Y(1)] and E[Y(0)]; their difference is `estimate`.
    n_rows : int
    influence : ndarray, shape (n,)
        Centred influence function per row. Confidential.
    score_residual : float
        What is left of the equation that the estimator is to solve, in
        outcome units. About 0, except for outcome regression, which solves
        none: there it is the bias correction that AIPW would add.
    clipped_share : float
        Share of rows whose propensity was moved to its bound.
    ess_treated, ess_control : float
        Effective sample size of each arm under the weights 1/g and 1/(1 − g).
    n_fold_draws : int
        Fold draws behind the median.
    """

    estimator: str
    estimate: float
    standard_error: float
    ci_low: float
    ci_high: float
    mean_treated: float
    mean_control: float
    n_rows: int
    influence: np.ndarray = field(repr=False)
    score_residual: float
    ess_treated: float
    ess_control: float
    clipped_share: float = 0.0
    n_fold_draws: int = 1


def summarise(
    estimator: str,
    *,
    arm_means: tuple[float, float],
    influence: np.ndarray,
    weights: tuple[np.ndarray, np.ndarray],
    score_residual: float,
    ddof: int = 1,
) -> AteEstimate:
    """Turn arm means and an influence function into an estimate with its interval.

    Parameters
    ----------
    estimator : str
    arm_means : tuple of float
        Treated, control.
    influence : ndarray, shape (n,)
        Standard error sd(influence) / sqrt(n).
    weights : tuple of ndarray, shape (n,)
        A/g and (1 − A)/(1 − g).
    score_residual : float
    ddof : int
        1 for a mean of uncentred influence values, 0 for a sandwich (HC0).
    """
    n_rows = len(influence)
    estimate = arm_means[0] - arm_means[1]
    standard_error = float(influence.std(ddof=ddof) / np.sqrt(n_rows))
    return AteEstimate(
        estimator=estimator,
        estimate=estimate,
        standard_error=standard_error,
        ci_low=estimate - NORMAL_975 * standard_error,
        ci_high=estimate + NORMAL_975 * standard_error,
        mean_treated=arm_means[0],
        mean_control=arm_means[1],
        n_rows=n_rows,
        influence=influence,
        score_residual=score_residual,
        ess_treated=effective_sample_size(weights[0]),
        ess_control=effective_sample_size(weights[1]),
    )


def effective_sample_size(weights: np.ndarray) -> float:
    """Give Kish's (Σ w)² / Σ w², between 1 and the number of positive weights."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def arm_weights(treatment: np.ndarray, propensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give A/g and (1 − A)/(1 − g), each of shape (n,).

    Raises
    ------
    EstimationError
        If an arm is empty or a propensity is not strictly between 0 and 1.
    """
    n_treated = int((treatment == 1).sum())
    if n_treated in (0, len(treatment)):
        raise EstimationError(f"one arm is empty: {n_treated} of {len(treatment)} rows are treated")
    if not ((propensity > 0.0) & (propensity < 1.0)).all():
        raise EstimationError("propensities must lie strictly between 0 and 1; bound them first")
    return treatment / propensity, (1.0 - treatment) / (1.0 - propensity)
