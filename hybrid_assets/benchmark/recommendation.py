"""Which estimator to use, in a sentence that says why and how sure that is."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hybrid_assets.benchmark.performance import error_of_mean
from hybrid_assets.benchmark.settings import NO_EFFECT
from hybrid_assets.estimators.effect_estimate import NORMAL_975

LEAST_COVERAGE = 0.93
_NORMAL_95 = 1.6448536269514722

Row = dict[Hashable, Any]


@dataclass(frozen=True)
class Recommendation:
    """The estimators to use for tables of one size.

    Attributes
    ----------
    n_rows : int
    estimators : tuple of str
        The best first, then those that the replicates do not separate from it;
        empty if no interval covers.
    sentence : str
    """

    n_rows: int
    estimators: tuple[str, ...]
    sentence: str


def recommend(
    table: pd.DataFrame, replicates: pd.DataFrame, scenario: str, n_rows: int
) -> Recommendation:
    """Name the estimators to use for one scenario and sample size, and say why.

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
    scenario : str
    n_rows : int
    """
    rows = _rows_of(table, scenario, n_rows)
    place = f"At n = {n_rows:,} ({scenario})"
    if not rows:
        return Recommendation(n_rows, (), f"{place} no replicate could be analysed.")
    ranked = sorted(rows, key=lambda word: float(rows[word]["rmse"]))
    eligible = [word for word in ranked if _may_cover(rows[word])]
    if not eligible:
        best = max(ranked, key=lambda word: float(rows[word]["coverage"]))
        sentence = (
            f"{place} no estimator is to be recommended: the best coverage of a 95 % interval is "
            f"{_percent(rows[best], 'coverage')} ({_named(best)})."
        )
        return Recommendation(n_rows, (), sentence)
    best, *others = eligible
    errors = _squared_errors(replicates, scenario, n_rows, float(rows[best]["target_effect"]))
    ties = [word for word in others if _is_tie(errors[word] - errors[best])]
    parts = [
        f"{place} use {_named(best)}: the smallest RMSE ({rows[best]['rmse']:.3g} ± "
        f"{rows[best]['rmse_error']:.1g}) among estimators whose 95 % intervals cover "
        f"({_percent(rows[best], 'coverage')})",
        *_reservations(rows, eligible, ties),
    ]
    sentence = "; ".join(parts) + "." + _rejections(table, n_rows, best)
    return Recommendation(n_rows, (best, *ties), sentence)


def _rows_of(table: pd.DataFrame, scenario: str, n_rows: int) -> dict[str, Row]:
    chosen = table[(table["scenario"] == scenario) & (table["n_rows"] == n_rows)]
    return {str(row["estimator"]): row for row in chosen.dropna(subset=["rmse"]).to_dict("records")}


def _reservations(rows: dict[str, Row], eligible: list[str], ties: list[str]) -> list[str]:
    """Say what the evidence does not separate, whose intervals fail, and what was not analysed."""
    best, found = rows[eligible[0]], []
    if ties:
        named = ", ".join(f"{_named(word)} ({rows[word]['rmse']:.3g})" for word in ties)
        found.append(f"{best['n_replicates']:,} replicates do not separate it from {named}")
    refused = [
        f"{_named(word)} ({_percent(row, 'coverage')})"
        for word, row in rows.items()
        if word not in eligible
    ]
    if refused:
        found.append(f"intervals cover too rarely: {', '.join(refused)}")
    if best["n_failed"]:
        n_drawn = best["n_replicates"] + best["n_failed"]
        found.append(f"{best['n_failed']:,} of {n_drawn:,} tables could not be analysed")
    return found


def _rejections(table: pd.DataFrame, n_rows: int, word: str) -> str:
    """Add the type-1 error from the twin without effect, where it was simulated."""
    twin = _rows_of(table, NO_EFFECT, n_rows).get(word)
    if twin is None or pd.isna(twin["type_1_error"]):
        return ""
    return f" Where there is no effect, it finds one in {_percent(twin, 'type_1_error')} of tables."


def _may_cover(row: Row) -> bool:
    return bool(row["coverage"] + _NORMAL_95 * row["coverage_error"] >= LEAST_COVERAGE)


def _squared_errors(
    replicates: pd.DataFrame, scenario: str, n_rows: int, target: float
) -> pd.DataFrame:
    chosen = replicates[(replicates["scenario"] == scenario) & (replicates["n_rows"] == n_rows)]
    wide = chosen.pivot(index="replicate", columns="estimator", values="estimate")
    return (wide - target) ** 2


def _is_tie(difference: pd.Series) -> bool:
    paired = difference.dropna().to_numpy()
    return bool(abs(paired.mean()) <= NORMAL_975 * error_of_mean(paired))


def _percent(row: Row, figure: str) -> str:
    return f"{100 * row[figure]:.1f} ± {100 * row[f'{figure}_error']:.1f} %"


def _named(word: str) -> str:
    return {"outcome_regression": "outcome regression"}.get(word, word.upper())
