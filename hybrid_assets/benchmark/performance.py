"""What replicates say about an estimator, each figure with its Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from hybrid_assets.estimators.effect_estimate import NORMAL_975

LEAST_COVERAGE = 0.93
_NORMAL_95 = 1.6448536269514722

PERFORMANCE_COMMENTS = {
    "dial": "what was changed in the population; as fitted if nothing",
    "n_rows": "rows of each replicate's table",
    "estimator": "outcome_regression, iptw (Hájek), aipw or tmle",
    "n_replicates": "replicates that gave an estimate",
    "n_failed": "replicates that could not be analysed: too small an arm, or no solution",
    "true_effect": "effect of the population, exactly",
    "mean_estimate": "mean of the estimates",
    "bias": "mean of the estimates minus the true effect",
    "bias_error": "Monte-Carlo standard error of bias",
    "variance": "variance of the estimates over replicates",
    "variance_error": "Monte-Carlo standard error of variance",
    "mse": "mean squared distance to the true effect",
    "mse_error": "Monte-Carlo standard error of mse",
    "rmse": "root of mse, in units of the outcome",
    "rmse_error": "Monte-Carlo standard error of rmse",
    "coverage": "share of 95 % intervals that hold the true effect",
    "coverage_error": "Monte-Carlo standard error of coverage",
    "interval_width": "mean width of the 95 % intervals",
    "interval_width_error": "Monte-Carlo standard error of interval_width",
    "power": "share of 95 % intervals without 0; missing where the true effect is 0",
    "power_error": "Monte-Carlo standard error of power",
    "type_1_error": "the same where the true effect is 0; missing elsewhere",
    "type_1_error_error": "Monte-Carlo standard error of type_1_error",
    "clipped_share": "mean share of rows whose propensity was moved to its bound",
}


def performance(replicates: pd.DataFrame, true_effects: dict[str, float]) -> pd.DataFrame:
    """Summarise replicates by dial, sample size and estimator.

    Parameters
    ----------
    replicates : DataFrame
        As `run_block` gives them.
    true_effects : dict of str to float
        By dial.

    Returns
    -------
    DataFrame
        The columns of `PERFORMANCE_COMMENTS`. Monte-Carlo errors follow Morris,
        White and Crowther 2019 (doi:10.1002/sim.8086), with the fourth moment
        for the variance, and two successes and failures added to a share, so
        that 500 of 500 is not without error.
    """
    rows = []
    for (dial, n_rows, estimator), cell in replicates.groupby(
        ["dial", "n_rows", "estimator"], sort=False
    ):
        truth = true_effects[str(dial)]
        rows.append({"dial": dial, "n_rows": n_rows, "estimator": estimator, **_cell(cell, truth)})
    return pd.DataFrame(rows, columns=list(PERFORMANCE_COMMENTS))


def _cell(cell: pd.DataFrame, truth: float) -> dict[str, float]:
    done = cell.dropna(subset=["estimate", "standard_error"])
    estimate = done["estimate"].to_numpy()
    half_width = NORMAL_975 * done["standard_error"].to_numpy()
    covered = np.abs(estimate - truth) <= half_width
    rejected = np.abs(estimate) > half_width
    figures = {
        "n_replicates": len(done),
        "n_failed": len(cell) - len(done),
        "true_effect": truth,
        "mean_estimate": _mean(estimate),
        **_errors(estimate, truth),
        **_share("coverage", covered),
        "interval_width": _mean(2.0 * half_width),
        "interval_width_error": _error_of_mean(2.0 * half_width),
        "clipped_share": _mean(done["clipped_share"].to_numpy()),
    }
    is_null = abs(truth) < 1e-12
    missing = {"power": np.nan, "power_error": np.nan}
    missing |= {"type_1_error": np.nan, "type_1_error_error": np.nan}
    return figures | missing | _share("type_1_error" if is_null else "power", rejected)


def _errors(estimate: np.ndarray, truth: float) -> dict[str, float]:
    squared = (estimate - truth) ** 2
    mse, mse_error = _mean(squared), _error_of_mean(squared)
    rmse = float(np.sqrt(mse))
    return {
        "bias": _mean(estimate) - truth,
        "bias_error": _error_of_mean(estimate),
        "variance": float(estimate.var(ddof=1)) if len(estimate) > 1 else np.nan,
        "variance_error": _error_of_variance(estimate),
        "mse": mse,
        "mse_error": mse_error,
        "rmse": rmse,
        "rmse_error": mse_error / (2.0 * rmse) if rmse > 0.0 else np.nan,
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _error_of_mean(values: np.ndarray) -> float:
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


def recommendation(
    table: pd.DataFrame, replicates: pd.DataFrame, dial: str, n_rows: int
) -> tuple[tuple[str, ...], str]:
    """Name the estimators to use for one dial and sample size, and say why.

    Among the estimators whose coverage is compatible with 93 % or more (95 %
    one-sided), the one with the smallest RMSE; the others of them tie with it
    if the paired difference of squared errors is within 1.96 of its
    Monte-Carlo errors.

    Parameters
    ----------
    table : DataFrame
        From `performance`.
    replicates : DataFrame
        The same replicates.
    dial : str
    n_rows : int

    Returns
    -------
    estimators : tuple of str
        The best and its ties; empty if no interval covers.
    sentence : str
    """
    chosen = table[(table["dial"] == dial) & (table["n_rows"] == n_rows)].dropna(subset=["rmse"])
    rows = {str(row["estimator"]): row for row in chosen.to_dict("records")}
    place = f"At n = {n_rows:,} ({dial})"
    if not rows:
        return (), f"{place} no replicate could be analysed."
    ranked = sorted(rows, key=lambda word: float(rows[word]["rmse"]))
    eligible = [word for word in ranked if _may_cover(rows[word])]
    if not eligible:
        best = max(ranked, key=lambda word: float(rows[word]["coverage"]))
        return (), (
            f"{place} no estimator is to be recommended: the best coverage of a 95 % interval is "
            f"{_percent(rows[best])} ({_named(best)})."
        )
    best, *others = eligible
    errors = _squared_errors(replicates, dial, n_rows, float(rows[best]["true_effect"]))
    ties = [word for word in others if _is_tie(errors[word] - errors[best])]
    sentence = (
        f"{place} use {_named(best)}: RMSE {rows[best]['rmse']:.3g} ± "
        f"{rows[best]['rmse_error']:.1g}, coverage {_percent(rows[best])}"
    )
    if ties:
        named = ", ".join(f"{_named(word)} ({rows[word]['rmse']:.3g})" for word in ties)
        n_replicates = f"{rows[best]['n_replicates']:,} replicates"
        sentence += f"; {n_replicates} cannot tell its RMSE from that of {named}"
    refused = [f"{_named(w)} ({_percent(rows[w])})" for w in ranked if w not in eligible]
    if refused:
        sentence += f"; intervals cover too rarely: {', '.join(refused)}"
    return (best, *ties), sentence + "."


def _may_cover(row: dict[Hashable, Any]) -> bool:
    return bool(row["coverage"] + _NORMAL_95 * row["coverage_error"] >= LEAST_COVERAGE)


def _squared_errors(replicates: pd.DataFrame, dial: str, n_rows: int, truth: float) -> pd.DataFrame:
    chosen = replicates[(replicates["dial"] == dial) & (replicates["n_rows"] == n_rows)]
    wide = chosen.pivot(index="replicate", columns="estimator", values="estimate")
    return (wide - truth) ** 2


def _is_tie(difference: pd.Series) -> bool:
    paired = difference.dropna().to_numpy()
    return bool(abs(paired.mean()) <= NORMAL_975 * _error_of_mean(paired))


def _percent(row: dict[Hashable, Any]) -> str:
    return f"{100 * row['coverage']:.1f} ± {100 * row['coverage_error']:.1f} %"


def _named(word: str) -> str:
    return {"outcome_regression": "outcome regression"}.get(word, word.upper())
