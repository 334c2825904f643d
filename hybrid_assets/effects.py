"""Effect estimates of a study's tables side by side: seed, hybrid, full synthetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from hybrid_assets.estimators import EffectEstimate, adjusted_for_synthesis
from hybrid_assets.estimators.effect_estimate import on_error_scale
from hybrid_assets.fidelity import effect_drift
from hybrid_assets.published import IN_SAMPLE_INTERVALS, PUBLISHED_LABEL
from hybrid_assets.report.summary import TableKind
from hybrid_assets.small_cells import share_or_missing

EFFECT_COMMENTS = {
    "table_name": "which table the estimate is from",
    "table_kind": "seed, hybrid or full synthetic",
    "generator": "whose covariates (hybrid) or rows (full synthetic); empty for the seed",
    "nuisances": "stacked: cross-fitted library; parametric: the study's reference model; "
    "in-sample forest: the published recipe, not for release",
    "estimator": "outcome_regression, iptw (Hájek), iptw_stabilised, aipw, tmle or tmle_covariate",
    "estimand": "ate, att, atc (in everyone, the treated, the controls), risk_ratio or odds_ratio",
    "subgroup": "column whose level the rows share; empty for all rows",
    "subgroup_level": "the level; empty for all rows",
    "n_rows": "rows of the table or of the subgroup",
    "estimate": "E[Y(1)] - E[Y(0)] in units of the outcome, or the ratio",
    "standard_error": "as if every row were a person; of the logarithm for a ratio",
    "ci_low": "95 % interval as if every row were a person",
    "ci_high": "95 % interval as if every row were a person",
    "standard_error_adjusted": "times sqrt(1 + n_rows / people the effect was learnt from)",
    "ci_low_adjusted": "95 % interval with the adjusted standard error",
    "ci_high_adjusted": "95 % interval with the adjusted standard error",
    "interval_note": "what the reader of standard errors and intervals must know; mostly empty",
    "mean_treated": "estimate of E[Y(1)] in the estimand's population",
    "mean_control": "estimate of E[Y(0)] in the estimand's population",
    "clipped_share": "share of rows whose propensity was moved to its bound; of a seed, missing "
    "where it would tell of 1 to 9 people",
    "ess_treated": "effective sample size of the treated under the estimand's weights",
    "ess_control": "effective sample size of the controls under the estimand's weights",
    "score_residual": "what is left of the estimating equation, in units of standard_error",
    "converged": "whether the estimating equations are solved to 1e-8 of the outcome's range",
    "psi_exact": "ATE of the hybrid population by construction; missing for other tables",
    "true_effect": "population ATE where the study is simulated, else missing",
    "difference_to_truth": "estimate (exact effect for a hybrid) minus true_effect",
    "difference_to_seed_in_se": "distance to the seed's TMLE of the same estimand and rows, in "
    "that estimate's standard errors",
}


NuisanceWord = Literal["stacked", "parametric", "in-sample forest"]


def effect_rows(
    estimates: Iterable[EffectEstimate],
    *,
    kind: TableKind,
    generator: str = "",
    nuisances: NuisanceWord = "stacked",
    n_seed: int | None = None,
) -> pd.DataFrame:
    """Lay estimates of one table out, one row for each.

    Parameters
    ----------
    estimates : iterable of EffectEstimate
        Those for all rows among them.
    kind : {"seed", "hybrid", "full synthetic"}
    generator : str
        Empty for the seed.
    nuisances : {"stacked", "parametric", "in-sample forest"}
        The last is the published recipe: its tables and intervals are labelled.
    n_seed : int, optional
        Rows the effect was learnt from: widens the intervals of a synthetic
        table. Omitted for the seed itself.

    Returns
    -------
    DataFrame
        The columns of `EFFECT_COMMENTS` but the last four.
    """
    found = list(estimates)
    as_published = nuisances == "in-sample forest"
    name = f"{generator} {kind}".strip() + (f" ({PUBLISHED_LABEL})" if as_published else "")
    n_table = max(each.n_rows for each in found)
    rows = []
    for naive in found:
        wide = naive if n_seed is None else adjusted_for_synthesis(naive, n_seed, n_table)
        of_table = {
            "table_name": name,
            "table_kind": kind,
            "generator": generator,
            "nuisances": nuisances,
            "interval_note": IN_SAMPLE_INTERVALS if as_published else "",
        }
        adjusted = {f"{name}_adjusted": getattr(wide, name) for name in ERRORS}
        if kind == "seed":
            share = share_or_missing(naive.clipped_share, naive.n_rows)
            naive = replace(naive, clipped_share=share)
        rows.append(of_table | {name: getattr(naive, name) for name in SHOWN} | adjusted)
    columns = [name for name in EFFECT_COMMENTS if name not in ACROSS_TABLES]
    return pd.DataFrame(rows, columns=columns)


ERRORS = ("standard_error", "ci_low", "ci_high")
SHOWN = (
    "estimator",
    "estimand",
    "subgroup",
    "subgroup_level",
    "n_rows",
    "estimate",
    *ERRORS,
    "mean_treated",
    "mean_control",
    "clipped_share",
    "ess_treated",
    "ess_control",
    "score_residual",
    "converged",
)
ACROSS_TABLES = ("psi_exact", "true_effect", "difference_to_truth", "difference_to_seed_in_se")
SAME_QUESTION = ["estimand", "subgroup", "subgroup_level"]


def average_effects(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the average treatment effects of all rows, estimator by estimator."""
    return rows.loc[_is_average(rows)]


def _is_average(rows: pd.DataFrame) -> pd.Series:
    return (rows["estimand"] == "ate") & (rows["subgroup"] == "")


def seed_tmle(seed_rows: pd.DataFrame) -> pd.Series:
    """Pick the estimate that every hybrid table is targeted to."""
    return average_effects(_own_tmle(seed_rows)).iloc[0]


def _own_tmle(seed_rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the TMLE of the study's own recipe, not that of a reference model."""
    chosen = (seed_rows["estimator"] == "tmle") & (seed_rows["nuisances"] != "parametric")
    return seed_rows.loc[chosen]


def compared(
    seed_rows: pd.DataFrame,
    synthetic_rows: Iterable[pd.DataFrame],
    *,
    psi_exact: Mapping[str, float],
    true_effect: float | None,
) -> pd.DataFrame:
    """Put all tables together and add their distances to truth and seed.

    Parameters
    ----------
    seed_rows, synthetic_rows : DataFrame
        From `effect_rows`.
    psi_exact : mapping of str to float
        By generator, of its hybrid table.
    true_effect : float or None
        The average one; other estimands are held against the seed only.
    """
    rows = pd.concat([seed_rows, *synthetic_rows], ignore_index=True)
    is_average = _is_average(rows)
    has_exact = (rows["table_kind"] == "hybrid") & is_average
    exact = rows["generator"].map(psi_exact).where(has_exact, np.nan).astype(float)
    own = exact.where(has_exact, rows["estimate"])
    truth = pd.Series(np.nan if true_effect is None else true_effect, index=rows.index)
    truth = truth.where(is_average, np.nan)
    return rows.assign(
        psi_exact=exact,
        true_effect=truth,
        difference_to_truth=own - truth,
        difference_to_seed_in_se=_drifts(rows, own, _own_tmle(seed_rows)),
    )


def _drifts(rows: pd.DataFrame, own: pd.Series, targets: pd.DataFrame) -> list[float]:
    by_question = {tuple(target[SAME_QUESTION]): target for _, target in targets.iterrows()}
    drifts = []
    for (_, row), value in zip(rows.iterrows(), own, strict=True):
        target = by_question[tuple(row[SAME_QUESTION])]
        here, there = (
            on_error_scale(row["estimand"], each) for each in (value, target["estimate"])
        )
        drifts.append(effect_drift(here, there, target["standard_error"]))
    return drifts
