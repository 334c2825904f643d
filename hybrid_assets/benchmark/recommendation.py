"""Which estimator to use, in a sentence that says why and how sure that is."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hybrid_assets.benchmark.performance import error_of_mean, rmse_with_error
from hybrid_assets.benchmark.settings import null_twin
from hybrid_assets.estimators.effect_estimate import NORMAL_975

LEAST_COVERAGE = 0.93
LEAST_REPLICATES = 200
MOST_FAILED = 0.05
IN_WHICH_POPULATION = "in the population that the study's own models describe"
_NORMAL_95 = 1.6448536269514722
_OUTCOME_REGRESSION = "outcome_regression"

Row = dict[Hashable, Any]


@dataclass(frozen=True)
class Recommendation:
    """The estimators to use for tables of one size.

    Attributes
    ----------
    n_rows : int
    estimators : tuple of str
        The best first, then those that the replicates do not separate from it;
        empty if none is eligible or replicates are too few.
    sentence : str
    """

    n_rows: int
    estimators: tuple[str, ...]
    sentence: str


def recommend(
    table: pd.DataFrame, replicates: pd.DataFrame, scenario: str, n_rows: int
) -> Recommendation:
    """Name the estimators to use for one scenario and sample size, and say why.

    An estimator is eligible if at most 5 % of its tables failed and its
    coverage is not shown to be under 93 % (95 % one-sided). On the replicates
    that all eligible ones could analyse, at least 200, the one with the
    smallest RMSE is best; the others tie with it unless the paired difference
    of squared errors exceeds 1.96 of its Monte-Carlo errors.

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
    if not any(row["n_replicates"] for row in rows.values()):
        return Recommendation(n_rows, (), f"{place} no replicate could be analysed.")
    eligible = [word for word, row in rows.items() if not _often_fails(row) and _may_cover(row)]
    n_drawn = max(map(_n_drawn, rows.values()))
    errors = _squared_errors(replicates, {word: rows[word] for word in eligible})
    n_analysed = len(errors) if eligible else n_drawn
    if n_analysed < LEAST_REPLICATES:
        return Recommendation(n_rows, (), place + _too_few(rows, n_analysed))
    if not eligible:
        return Recommendation(n_rows, (), place + _nobody(rows))
    best, *others = sorted(eligible, key=lambda word: float(errors[word].to_numpy().mean()))
    ties = [word for word in others if is_tie((errors[word] - errors[best]).to_numpy())]
    parts = [
        f"{place} use {_named(best)}: the smallest RMSE ({_rmse(errors[best])}) among estimators "
        f"whose 95 % intervals are not shown to cover under {100 * LEAST_COVERAGE:.0f} % "
        f"({_percent(rows[best], 'coverage')}), {IN_WHICH_POPULATION}",
        *_reservations(rows, eligible, errors[ties]),
    ]
    if n_analysed < n_drawn:
        parts.append(f"compared on the {n_analysed:,} of {n_drawn:,} tables that all could analyse")
    sentence = "; ".join(parts) + "." + _caveat((best, *ties)) + _rejections(table, rows[best])
    return Recommendation(n_rows, (best, *ties), sentence)


def is_tie(difference: np.ndarray) -> bool:
    """Whether paired differences (n,) have a mean that may be 0; so if its error is unknown."""
    return not abs(difference.mean()) > NORMAL_975 * error_of_mean(difference)


def _rows_of(table: pd.DataFrame, scenario: str, n_rows: int) -> dict[str, Row]:
    chosen = table[(table["scenario"] == scenario) & (table["n_rows"] == n_rows)]
    return {str(row["estimator"]): row for row in chosen.to_dict("records")}


def _squared_errors(replicates: pd.DataFrame, rows: dict[str, Row]) -> pd.DataFrame:
    """Give squared errors by estimator of `rows`, on the replicates that all could analyse."""
    if not rows:
        return pd.DataFrame()
    place = next(iter(rows.values()))
    in_cell = (replicates["scenario"] == place["scenario"]) & (
        replicates["n_rows"] == place["n_rows"]
    )
    done = replicates[in_cell].dropna(subset=["estimate", "standard_error"])
    wide = done.pivot(index="replicate", columns="estimator", values="estimate")
    targets = pd.Series({word: row["target_effect"] for word, row in rows.items()})
    squared: pd.DataFrame = (wide[list(rows)].dropna() - targets) ** 2
    return squared


def _reservations(rows: dict[str, Row], eligible: list[str], ties: pd.DataFrame) -> list[str]:
    """Say what the evidence does not separate, whose intervals fail, and who fails."""
    found = []
    if len(ties.columns):
        named = ", ".join(f"{_named(word)} ({_rmse(ties[word])})" for word in ties.columns)
        found.append(f"{len(ties):,} replicates do not separate it from {named}")
    refused = [
        f"{_named(word)} ({_percent(row, 'coverage')})"
        for word, row in rows.items()
        if word not in eligible and not _often_fails(row)
    ]
    if refused:
        found.append(f"intervals cover too rarely: {', '.join(refused)}")
    return found + _failing(rows)


def _failing(rows: dict[str, Row]) -> list[str]:
    named = ", ".join(
        f"{_named(word)} ({row['n_failed']:,} of {_n_drawn(row):,})"
        for word, row in rows.items()
        if _often_fails(row)
    )
    limit = f"more than {100 * MOST_FAILED:.0f} % of tables could not be analysed"
    return [f"{limit}: {named}"] if named else []


def _too_few(rows: dict[str, Row], n_analysed: int) -> str:
    figures = [
        f"{_named(word)} RMSE {row['rmse']:.3g} ± {row['rmse_error']:.1g}, coverage "
        f"{_percent(row, 'coverage')}"
        for word, row in rows.items()
        if row["n_replicates"]
    ]
    return (
        f" {n_analysed:,} replicates are too few to recommend an estimator ({LEAST_REPLICATES} "
        f"are needed): {'; '.join(figures + _failing(rows))}."
    )


def _nobody(rows: dict[str, Row]) -> str:
    often_analysed = [word for word, row in rows.items() if not _often_fails(row)]
    reasons = _failing(rows)
    if often_analysed:
        best = max(often_analysed, key=lambda word: float(rows[word]["coverage"]))
        covered = f"{_percent(rows[best], 'coverage')} ({_named(best)})"
        reasons.insert(0, f"the best coverage of a 95 % interval is {covered}")
    return f" no estimator is to be recommended: {'; '.join(reasons)}."


def _caveat(words: tuple[str, ...]) -> str:
    if _OUTCOME_REGRESSION not in words:
        return ""
    return (
        " The standard error of outcome regression says nothing of its bias where the outcome "
        "model is wrong."
    )


def _rejections(table: pd.DataFrame, best: Row) -> str:
    """Add the type-1 error from the twin without effect, where it was simulated."""
    twins = _rows_of(table, null_twin(best["scenario"]), best["n_rows"])
    twin = twins.get(best["estimator"])
    if twin is None or pd.isna(twin["type_1_error"]):
        return ""
    return f" Where there is no effect, it finds one in {_percent(twin, 'type_1_error')} of tables."


def _n_drawn(row: Row) -> int:
    return int(row["n_replicates"] + row["n_failed"])


def _often_fails(row: Row) -> bool:
    return bool(row["n_failed"] > MOST_FAILED * _n_drawn(row))


def _may_cover(row: Row) -> bool:
    return bool(row["coverage"] + _NORMAL_95 * row["coverage_error"] >= LEAST_COVERAGE)


def _rmse(squared_errors: pd.Series) -> str:
    rmse, error = rmse_with_error(squared_errors.to_numpy())
    return f"{rmse:.3g} ± {error:.1g}"


def _percent(row: Row, figure: str) -> str:
    return f"{100 * row[figure]:.1f} ± {100 * row[f'{figure}_error']:.1f} %"


def _named(word: str) -> str:
    return {_OUTCOME_REGRESSION: "outcome regression"}.get(word, word.upper())
