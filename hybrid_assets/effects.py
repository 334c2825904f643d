"""Effect estimates of a study's tables side by side: seed, hybrid, full synthetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from hybrid_assets.estimators import AteEstimate, adjusted_for_synthesis
from hybrid_assets.fidelity import effect_drift
from hybrid_assets.report.summary import TableKind

EFFECT_COMMENTS = {
    "table_name": "which table the estimate is from",
    "table_kind": "seed, hybrid or full synthetic",
    "generator": "whose covariates (hybrid) or rows (full synthetic); empty for the seed",
    "nuisances": "stacked: cross-fitted library; parametric: the study's reference model",
    "estimator": "outcome_regression, iptw (Hájek), aipw or tmle",
    "n_rows": "rows of the table",
    "estimate": "average treatment effect E[Y(1)] - E[Y(0)], in units of the outcome",
    "standard_error": "from the influence function, as if every row were a person",
    "ci_low": "95 % interval as if every row were a person",
    "ci_high": "95 % interval as if every row were a person",
    "standard_error_adjusted": "times sqrt(1 + n_rows / people the effect was learnt from)",
    "ci_low_adjusted": "95 % interval with the adjusted standard error",
    "ci_high_adjusted": "95 % interval with the adjusted standard error",
    "mean_treated": "estimate of E[Y(1)]",
    "mean_control": "estimate of E[Y(0)]",
    "clipped_share": "share of rows whose propensity was moved to its bound",
    "ess_treated": "effective sample size of the treated under 1/g",
    "ess_control": "effective sample size of the controls under 1/(1-g)",
    "score_residual": "what is left of the estimating equation, in units of the outcome",
    "psi_exact": "effect of the hybrid population by construction; missing for other tables",
    "true_effect": "population effect where the study is simulated, else missing",
    "difference_to_truth": "estimate (exact effect for a hybrid) minus true_effect",
    "difference_to_seed_in_se": "distance to the seed's TMLE, in that estimate's standard errors",
}


def effect_rows(
    estimates: Mapping[str, AteEstimate],
    *,
    kind: TableKind,
    generator: str = "",
    nuisances: Literal["stacked", "parametric"] = "stacked",
    n_seed: int | None = None,
) -> pd.DataFrame:
    """Lay estimates of one table out, one row for each estimator.

    Parameters
    ----------
    estimates : mapping of str to AteEstimate
    kind : {"seed", "hybrid", "full synthetic"}
    generator : str
        Empty for the seed.
    nuisances : {"stacked", "parametric"}
    n_seed : int, optional
        Rows the effect was learnt from: widens the intervals of a synthetic
        table. Omitted for the seed itself.

    Returns
    -------
    DataFrame
        The columns of `EFFECT_COMMENTS` but the last four.
    """
    rows = []
    for word, naive in estimates.items():
        adjusted = naive if n_seed is None else adjusted_for_synthesis(naive, n_seed)
        rows.append(
            {
                "table_name": f"{generator} {kind}".strip(),
                "table_kind": kind,
                "generator": generator,
                "nuisances": nuisances,
                "estimator": word,
                "n_rows": naive.n_rows,
                "estimate": naive.estimate,
                "standard_error": naive.standard_error,
                "ci_low": naive.ci_low,
                "ci_high": naive.ci_high,
                "standard_error_adjusted": adjusted.standard_error,
                "ci_low_adjusted": adjusted.ci_low,
                "ci_high_adjusted": adjusted.ci_high,
                "mean_treated": naive.mean_treated,
                "mean_control": naive.mean_control,
                "clipped_share": naive.clipped_share,
                "ess_treated": naive.ess_treated,
                "ess_control": naive.ess_control,
                "score_residual": naive.score_residual,
            }
        )
    return pd.DataFrame(rows)


def seed_tmle(seed_rows: pd.DataFrame) -> pd.Series:
    """Pick the estimate that every hybrid table is targeted to."""
    chosen = (seed_rows["estimator"] == "tmle") & (seed_rows["nuisances"] == "stacked")
    return seed_rows.loc[chosen].iloc[0]


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
    """
    rows = pd.concat([seed_rows, *synthetic_rows], ignore_index=True)
    is_hybrid = rows["table_kind"] == "hybrid"
    exact = rows["generator"].map(psi_exact).where(is_hybrid, np.nan).astype(float)
    own = exact.where(is_hybrid, rows["estimate"])
    truth = np.nan if true_effect is None else true_effect
    target = seed_tmle(seed_rows)
    return rows.assign(
        psi_exact=exact,
        true_effect=truth,
        difference_to_truth=own - truth,
        difference_to_seed_in_se=[
            effect_drift(value, target["estimate"], target["standard_error"]) for value in own
        ],
    )
