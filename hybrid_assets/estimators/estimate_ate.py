"""From a table to estimates: cross-fits, estimators, median over fold draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.aipw import aipw
from hybrid_assets.estimators.ate_estimate import NORMAL_975, AteEstimate
from hybrid_assets.estimators.iptw import iptw
from hybrid_assets.estimators.outcome_regression import outcome_regression
from hybrid_assets.estimators.tmle import tmle
from hybrid_assets.nuisance.cross_fitting import CrossFit, cross_fit_draws
from hybrid_assets.nuisance.settings import AnyNuisanceSettings
from hybrid_assets.schema import TableSchema

Estimator = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], AteEstimate]

ESTIMATORS: dict[str, Estimator] = {
    "outcome_regression": outcome_regression,
    "iptw": iptw,
    "aipw": aipw,
    "tmle": tmle,
}


def estimate_ate(
    table: pd.DataFrame,
    schema: TableSchema,
    settings: AnyNuisanceSettings,
    rng: np.random.Generator,
    known_propensity: float | None = None,
) -> dict[str, AteEstimate]:
    """Estimate the average treatment effect of a table with every estimator.

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
    dict of str to AteEstimate
        By word of `ESTIMATORS`, in its order.

    Raises
    ------
    EstimationError
        If the table is unusable or a fit does not solve its equations.
    """
    fits = cross_fit_draws(table, schema, settings, rng, known_propensity)
    return estimate_from_cross_fits(fits)


def estimate_from_cross_fits(cross_fits: tuple[CrossFit, ...]) -> dict[str, AteEstimate]:
    """Run every estimator on every fold draw and report the medians.

    Parameters
    ----------
    cross_fits : tuple of CrossFit
        An odd number, of the same rows.
    """
    return {
        word: median_estimate([_estimate(estimator, fit) for fit in cross_fits])
        for word, estimator in ESTIMATORS.items()
    }


def median_estimate(draws: list[AteEstimate]) -> AteEstimate:
    """Take the draw with the median estimate; its variance covers the spread over draws.

    The squared standard error is the median over draws of
    ``se_k**2 + (estimate_k - median)**2`` (Chernozhukov et al. 2018, equation
    3.14, doi:10.1111/ectj.12097). Arm means, influence function and
    diagnostics are those of the median draw, so the arm means still differ by
    exactly the estimate.

    Raises
    ------
    EstimationError
        If the number of draws is even: no draw would be the median.
    """
    if len(draws) % 2 == 0:
        raise EstimationError(f"the median needs an odd number of fold draws; got {len(draws)}")
    estimates = np.array([draw.estimate for draw in draws])
    middle = draws[int(np.argsort(estimates, kind="stable")[len(draws) // 2])]
    variances = np.array([draw.standard_error**2 for draw in draws])
    if len(draws) == 1:
        return middle
    standard_error = float(np.sqrt(np.median(variances + (estimates - middle.estimate) ** 2)))
    return replace(
        middle,
        standard_error=standard_error,
        ci_low=middle.estimate - NORMAL_975 * standard_error,
        ci_high=middle.estimate + NORMAL_975 * standard_error,
        n_fold_draws=len(draws),
    )


def _estimate(estimator: Estimator, fit: CrossFit) -> AteEstimate:
    estimate = estimator(
        fit.treatment, fit.outcome, fit.propensity, fit.outcome_control, fit.outcome_treated
    )
    return replace(estimate, clipped_share=fit.clipped_share)
