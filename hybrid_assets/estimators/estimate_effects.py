"""From cross-fits to effects: every estimator and estimand, medians over fold draws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.aipw import aipw
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimand import ESTIMANDS, EstimandWord, Population
from hybrid_assets.estimators.iptw import iptw, iptw_stabilised
from hybrid_assets.estimators.outcome_regression import outcome_regression
from hybrid_assets.estimators.tmle import tmle
from hybrid_assets.estimators.tmle_covariate import tmle_covariate
from hybrid_assets.nuisance.cross_fitting import CrossFit, cross_fit_draws
from hybrid_assets.nuisance.settings import AnyNuisanceSettings
from hybrid_assets.schema import TableSchema


class Estimator(Protocol):
    """A, Y, g, Q0, Q1, each of shape (n,), to an effect."""

    def __call__(
        self,
        treatment: np.ndarray,
        outcome: np.ndarray,
        propensity: np.ndarray,
        outcome_control: np.ndarray,
        outcome_treated: np.ndarray,
        *,
        estimand: EstimandWord = "ate",
    ) -> EffectEstimate:
        """Estimate; nuisances may come from anywhere."""


ESTIMATORS: dict[str, Estimator] = {
    "outcome_regression": outcome_regression,
    "iptw": iptw,
    "iptw_stabilised": iptw_stabilised,
    "aipw": aipw,
    "tmle": tmle,
    "tmle_covariate": tmle_covariate,
}
DEFAULT_ESTIMATORS = ("outcome_regression", "iptw", "aipw", "tmle")


def estimate_ate(
    table: pd.DataFrame,
    schema: TableSchema,
    settings: AnyNuisanceSettings,
    rng: np.random.Generator,
    known_propensity: float | None = None,
) -> dict[str, EffectEstimate]:
    """Estimate the average treatment effect of a table with the default estimators.

    Parameters
    ----------
    table : DataFrame
        Canonical and complete, with the columns of `schema`.
    schema : TableSchema
    settings : NuisanceSettings or ParametricSettings
    rng : numpy Generator
        Draws the folds.
    known_propensity : float in (0, 1), optional
        The treatment probability of a randomised trial.

    Returns
    -------
    dict of str to EffectEstimate
        By word of `DEFAULT_ESTIMATORS`, in its order.

    Raises
    ------
    EstimationError
        If the table is unusable or a fit does not solve its equations.
    """
    fits = cross_fit_draws(table, schema, settings, rng, known_propensity)
    return estimate_from_cross_fits(fits)


def estimate_from_cross_fits(
    cross_fits: tuple[CrossFit, ...],
    estimators: Iterable[str] = DEFAULT_ESTIMATORS,
    *,
    estimand: EstimandWord = "ate",
) -> dict[str, EffectEstimate]:
    """Run estimators on every fold draw and report the medians.

    Parameters
    ----------
    cross_fits : tuple of CrossFit
        An odd number, of the same rows.
    estimators : iterable of str
        Words of `ESTIMATORS`.
    estimand : {"ate", "att", "atc", "risk_ratio", "odds_ratio"}
    """
    return {
        word: median_estimate([_estimate(ESTIMATORS[word], fit, estimand) for fit in cross_fits])
        for word in estimators
    }


def median_estimate(draws: list[EffectEstimate]) -> EffectEstimate:
    """Take the draw with the median estimate; its variance covers the spread over draws.

    The squared standard error is the median over draws of
    ``se_k**2 + (estimate_k - median)**2``, ratios on the log scale
    (Chernozhukov et al. 2018, equation 3.14, doi:10.1111/ectj.12097). Arm
    means, influence function and diagnostics are those of the median draw, so
    the arm means still give exactly the estimate.

    Raises
    ------
    EstimationError
        If the number of draws is even: no draw would be the median.
    """
    if len(draws) % 2 == 0:
        raise EstimationError(f"the median needs an odd number of fold draws; got {len(draws)}")
    if len(draws) == 1:
        return draws[0]
    values = np.array([draw.value_on_error_scale for draw in draws])
    middle = draws[int(np.argsort(values, kind="stable")[len(draws) // 2])]
    variances = np.array([draw.standard_error**2 for draw in draws])
    spread = (values - middle.value_on_error_scale) ** 2
    widened = middle.with_standard_error(float(np.sqrt(np.median(variances + spread))))
    return replace(
        widened, n_fold_draws=len(draws), converged=all(draw.converged for draw in draws)
    )


def _estimate(estimator: Estimator, fit: CrossFit, estimand: EstimandWord) -> EffectEstimate:
    g = bounded_propensity(fit, ESTIMANDS[estimand].population)
    estimate = estimator(
        fit.treatment,
        fit.outcome,
        g,
        fit.outcome_control,
        fit.outcome_treated,
        estimand=estimand,
    )
    return replace(estimate, clipped_share=float((g != fit.propensity_unbounded).mean()))


def bounded_propensity(fit: CrossFit, population: Population) -> np.ndarray:
    """Bound g where the population's weights divide by it, and only there; shape (n,).

    The treated need no bound near 0: controls unlike them should weigh
    nothing, and raising their g would give them weight.
    """
    if population == "everyone":
        return fit.propensity
    low = fit.bound if population == "control" else np.finfo(float).tiny
    high = 1.0 - (fit.bound if population == "treated" else np.finfo(float).epsneg)
    return np.asarray(np.clip(fit.propensity_unbounded, low, high))
