"""From each arm's mean and influence function to an effect with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.effect_estimate import EffectEstimate, normal_interval
from hybrid_assets.estimators.estimand import ESTIMANDS, EstimandWord
from hybrid_assets.estimators.weights import effective_sample_size

SOLVED = 1e-8


@dataclass(frozen=True, eq=False)
class ArmMean:
    """An estimate of E[Y(a)] in one population.

    Attributes
    ----------
    mean : float
    influence : ndarray, shape (n,)
        Influence function; its average is what is left of the equation that
        defines the mean.
    weights : ndarray, shape (n,)
        Of the arm's rows; 0 for the others.
    """

    mean: float
    influence: np.ndarray
    weights: np.ndarray


def efficient_arm_mean(
    outcome: np.ndarray,
    members: np.ndarray,
    weights: np.ndarray,
    predicted: np.ndarray,
    *,
    is_corrected: bool,
) -> ArmMean:
    """Average an arm's predictions over the population, with the efficient influence function.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
    members : ndarray, shape (n,)
        1 for rows of the population, else 0.
    weights : ndarray, shape (n,)
        From `arm_weights`.
    predicted : ndarray, shape (n,)
        Q_a.
    is_corrected : bool
        Whether the weighted residuals are added to the mean.

    References
    ----------
    Hahn 1998, doi:10.2307/2998560 (everyone and the treated).
    """
    share = members.mean()
    correction = weights * (outcome - predicted)
    mean = float((members * predicted + is_corrected * correction).mean() / share)
    return ArmMean(mean, (members * (predicted - mean) + correction) / share, weights)


def effect_of(
    estimator: str,
    estimand: EstimandWord,
    arms: tuple[ArmMean, ArmMean],
    outcome: np.ndarray,
    *,
    ddof: int = 1,
    solves_equations: bool = True,
) -> EffectEstimate:
    """Contrast the arms; the standard error follows by the delta method.

    Parameters
    ----------
    estimator, estimand : str
        Words of `ESTIMATORS` and `ESTIMANDS`.
    arms : tuple of ArmMean
        Treated and control, in the estimand's population.
    outcome : ndarray, shape (n,)
    ddof : int
        1 for a mean of uncentred influence values, 0 for a sandwich (HC0).
    solves_equations : bool
        Whether the influence functions are to average to 0.

    Raises
    ------
    EstimationError
        If a ratio is asked of an outcome other than 0/1, or of means beyond 0 and 1.
    """
    estimate, (slope1, slope0) = _contrast(estimator, estimand, arms, outcome)
    treated, control = arms
    influence = slope1 * treated.influence - slope0 * control.influence
    n_rows, residual = len(influence), float(influence.mean())
    standard_error = float(influence.std(ddof=ddof) / np.sqrt(n_rows))
    ci_low, ci_high = normal_interval(estimand, estimate, standard_error)
    return EffectEstimate(
        estimator=estimator,
        estimand=estimand,
        estimate=estimate,
        standard_error=standard_error,
        ci_low=ci_low,
        ci_high=ci_high,
        mean_treated=treated.mean,
        mean_control=control.mean,
        n_rows=n_rows,
        influence=influence - residual,
        score_residual=residual,
        converged=not solves_equations or _is_solved(arms, outcome),
        ess_treated=effective_sample_size(treated.weights),
        ess_control=effective_sample_size(control.weights),
    )


def _contrast(
    estimator: str, estimand: EstimandWord, arms: tuple[ArmMean, ArmMean], outcome: np.ndarray
) -> tuple[float, tuple[float, float]]:
    """Give the contrast and its slopes in the treated and minus the control mean."""
    mu1, mu0 = (arm.mean for arm in arms)
    contrast = ESTIMANDS[estimand].contrast
    if contrast == "difference":
        return mu1 - mu0, (1.0, 1.0)
    if not np.isin(outcome, (0.0, 1.0)).all():
        raise EstimationError(f"{estimand} needs an outcome of 0 and 1")
    if not (0.0 < mu1 < 1.0 and 0.0 < mu0 < 1.0):
        raise EstimationError(
            f"{estimator} puts the risks at {mu1:.4g} and {mu0:.4g}: {estimand} needs both "
            "strictly between 0 and 1; tmle keeps them there"
        )
    if contrast == "ratio":
        return mu1 / mu0, (1.0 / mu1, 1.0 / mu0)
    odds_ratio = mu1 / (1.0 - mu1) / (mu0 / (1.0 - mu0))
    return odds_ratio, (1.0 / (mu1 * (1.0 - mu1)), 1.0 / (mu0 * (1.0 - mu0)))


def _is_solved(arms: tuple[ArmMean, ArmMean], outcome: np.ndarray) -> bool:
    largest = max(abs(float(arm.influence.mean())) for arm in arms)
    return largest <= SOLVED * (float(np.ptp(outcome)) or 1.0)
