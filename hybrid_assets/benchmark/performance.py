"""What replicates say about an estimator, each figure with its Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hybrid_assets.benchmark.published import PUBLISHED_PROTOCOL
from hybrid_assets.estimators.effect_estimate import NORMAL_975

PERFORMANCE_COMMENTS = {
    "scenario": "what was changed in the population; as fitted if nothing",
    "n_rows": "rows of each replicate's table",
    "estimator": "outcome_regression, iptw (Hájek), aipw or tmle",
    "n_replicates": "replicates that gave an estimate",
    "n_failed": "replicates that could not be analysed: too small an arm, or no solution",
    "true_effect": "effect of the population, exactly",
    "target_effect": "what errors are measured against: the true effect; under the published "
    "protocol the same estimator's estimate from the whole pool",
    "mean_estimate": "mean of the estimates",
    "bias": "mean of the estimates minus the target effect",
    "bias_error": "Monte-Carlo standard error of bias",
    "variance": "variance of the estimates over replicates",
    "variance_error": "Monte-Carlo standard error of variance",
    "mse": "mean squared distance to the target effect",
    "mse_error": "Monte-Carlo standard error of mse",
    "rmse": "root of mse, in units of the outcome",
    "rmse_error": "Monte-Carlo standard error of rmse",
    "coverage": "share of 95 % intervals that hold the target effect",
    "coverage_error": "Monte-Carlo standard error of coverage",
    "interval_width": "mean width of the 95 % intervals",
    "interval_width_error": "Monte-Carlo standard error of interval_width",
    "power": "share of 95 % intervals without 0; missing where the true effect is 0",
    "power_error": "Monte-Carlo standard error of power",
    "type_1_error": "the same where the true effect is 0; missing elsewhere",
    "type_1_error_error": "Monte-Carlo standard error of type_1_error",
    "clipped_share": "mean share of rows whose propensity was moved to its bound",
}


def performance(
    replicates: pd.DataFrame,
    true_effects: Mapping[str, float],
    pool_estimates: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Summarise replicates by scenario, sample size and estimator.

    Parameters
    ----------
    replicates : DataFrame
        As `run_block` gives them.
    true_effects : dict of str to float
        By scenario.
    pool_estimates : dict of str to float, optional
        By estimator, for the published protocol.

    Returns
    -------
    DataFrame
        The columns of `PERFORMANCE_COMMENTS`. Monte-Carlo errors follow Morris,
        White and Crowther 2019 (doi:10.1002/sim.8086), with the fourth moment
        for the variance, and two successes and failures added to a share, so
        that 500 of 500 is not without error.
    """
    rows = []
    keys = ["scenario", "n_rows", "estimator"]
    for (scenario, n_rows, estimator), cell in replicates.groupby(keys, sort=False):
        truth = target = true_effects[str(scenario)]
        if scenario == PUBLISHED_PROTOCOL and pool_estimates is not None:
            target = pool_estimates[str(estimator)]
        place = {"scenario": scenario, "n_rows": n_rows, "estimator": estimator}
        rows.append({**place, "true_effect": truth, **_cell(cell, truth, target)})
    return pd.DataFrame(rows, columns=list(PERFORMANCE_COMMENTS))


def _cell(cell: pd.DataFrame, truth: float, target: float) -> dict[str, float]:
    done = cell.dropna(subset=["estimate", "standard_error"])
    estimate = done["estimate"].to_numpy()
    half_width = NORMAL_975 * done["standard_error"].to_numpy()
    figures = {
        "n_replicates": len(done),
        "n_failed": len(cell) - len(done),
        "target_effect": target,
        "mean_estimate": _mean(estimate),
        **_errors(estimate, target),
        **_share("coverage", np.abs(estimate - target) <= half_width),
        "interval_width": _mean(2.0 * half_width),
        "interval_width_error": error_of_mean(2.0 * half_width),
        "clipped_share": _mean(done["clipped_share"].to_numpy()),
    }
    is_null = abs(truth) < 1e-12
    missing = {"power": np.nan, "power_error": np.nan}
    missing |= {"type_1_error": np.nan, "type_1_error_error": np.nan}
    rejected = np.abs(estimate) > half_width
    return figures | missing | _share("type_1_error" if is_null else "power", rejected)


def _errors(estimate: np.ndarray, truth: float) -> dict[str, float]:
    squared = (estimate - truth) ** 2
    rmse, rmse_error = rmse_with_error(squared)
    return {
        "bias": _mean(estimate) - truth,
        "bias_error": error_of_mean(estimate),
        "variance": float(estimate.var(ddof=1)) if len(estimate) > 1 else np.nan,
        "variance_error": _error_of_variance(estimate),
        "mse": _mean(squared),
        "mse_error": error_of_mean(squared),
        "rmse": rmse,
        "rmse_error": rmse_error,
    }


def rmse_with_error(squared: np.ndarray) -> tuple[float, float]:
    """Give the root of the mean of squared errors (n,), and its Monte-Carlo standard error."""
    rmse = float(np.sqrt(_mean(squared)))
    return rmse, error_of_mean(squared) / (2.0 * rmse) if rmse > 0.0 else np.nan


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def error_of_mean(values: np.ndarray) -> float:
    """Give the standard error of a mean of independent values (n,); NaN for fewer than two."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _error_of_variance(values: np.ndarray) -> float:
    n = len(values)
    if n < 2:
        return np.nan
    variance, fourth = values.var(ddof=1), ((values - values.mean()) ** 4).mean()
    return float(np.sqrt(max(fourth - variance**2 * (n - 3) / (n - 1), 0.0) / n))


def _share(name: str, hits: np.ndarray) -> dict[str, float]:
    if not len(hits):
        return {name: np.nan, f"{name}_error": np.nan}
    shrunk = (hits.sum() + 2.0) / (len(hits) + 4.0)
    error = float(np.sqrt(shrunk * (1.0 - shrunk) / (len(hits) + 4.0)))
    return {name: float(hits.mean()), f"{name}_error": error}
