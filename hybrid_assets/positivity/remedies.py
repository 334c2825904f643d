"""Ways to deal with poor overlap, side by side: each names whose effect it estimates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.aipw import aipw
from hybrid_assets.estimators.arm_mean import effect_of, efficient_arm_mean
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimate_effects import estimate_from_cross_fits, median_estimate
from hybrid_assets.estimators.subgroups import MIN_ROWS_PER_ARM
from hybrid_assets.nuisance.cross_fitting import PUBLISHED_BOUND, CrossFit
from hybrid_assets.small_cells import count_or_missing, share_or_missing, told_count, told_share

LEAST_PROPENSITY = PUBLISHED_BOUND
CRUMP_SHARE = 0.1
TRIMMED_PEOPLE = "ATE among g in [.1, .9]"

REMEDY_COMMENTS = {
    "remedy": "what is done about propensities near 0 or 1",
    "estimand": "whose average effect is estimated",
    "estimate": "AIPW or its efficient counterpart, in units of the outcome",
    "standard_error": "from the influence function; median rule over fold draws",
    "ci_low": "95 % interval",
    "ci_high": "95 % interval",
    "interval_note": "what the reader of standard errors and intervals must know; mostly empty",
    "n_used": "rows with a positive weight; missing where it would tell of 1 to 9 people",
    "share_used": "their share of all rows; missing likewise",
    "ess_treated": "effective sample size of the treated",
    "ess_control": "effective sample size of the controls",
    "clipped_share": "share of rows whose propensity was moved; missing likewise",
    "note": "what the estimate rests on, or why there is none; bounds of what is missing",
}


@dataclass(frozen=True)
class Remedy:
    """One way to deal with propensities near 0 or 1.

    Attributes
    ----------
    word : str
    estimand : str
        In words.
    estimate : callable
        From cross-fits to an `EffectEstimate`; its population is the remedy's.
    note : str
    """

    word: str
    estimand: str
    estimate: Callable[[tuple[CrossFit, ...]], EffectEstimate]
    note: str


def overlap_remedies(cross_fits: tuple[CrossFit, ...], *, interval_note: str = "") -> pd.DataFrame:
    """Estimate the effect under every remedy.

    Parameters
    ----------
    cross_fits : tuple of CrossFit
        An odd number, of the same rows.
    interval_note : str
        Repeated in every row; for cross-fits whose intervals are wrong.

    Returns
    -------
    DataFrame
        The columns of `REMEDY_COMMENTS`, one row for each of `REMEDIES`. Where
        a remedy leaves too little, figures are missing and the note says why.
    """
    rows: list[dict[str, float | str]] = []
    for remedy in REMEDIES:
        named: dict[str, float | str] = {
            "remedy": remedy.word,
            "estimand": remedy.estimand,
            "note": remedy.note,
            "interval_note": interval_note,
        }
        try:
            found = remedy.estimate(cross_fits)
        except EstimationError as refusal:
            rows.append(named | {"note": f"no estimate: {refusal}"})
        else:
            n_rows = len(cross_fits[0].treatment)
            notes = "; ".join([remedy.note, *_bounds(found, n_rows)])
            rows.append({**named, "note": notes, **_figures(found, n_rows)})
    words = ("remedy", "estimand", "interval_note", "note")
    numbers = [name for name in REMEDY_COMMENTS if name not in words]
    return pd.DataFrame(rows, columns=list(REMEDY_COMMENTS)).astype(dict.fromkeys(numbers, float))


def overlap_weighted(
    treatment: np.ndarray,
    outcome: np.ndarray,
    propensity: np.ndarray,
    outcome_control: np.ndarray,
    outcome_treated: np.ndarray,
) -> EffectEstimate:
    """Estimate the effect in the overlap population, whose density is g (1 − g).

    The estimand E[h τ] / E[h] with h = g (1 − g) has the influence function
    {h (A (Y − Q1)/g − (1 − A)(Y − Q0)/(1 − g)) + (h + h' (A − g)) (τ − ψ)} / E[h]
    with h' = 1 − 2g, since g is estimated. The factor of τ − ψ is (A − g)², so
    the estimate is also the slope of Y − Q0 − g τ on A − g (Robinson).
    No propensity is divided by, and none need be bounded.

    Parameters
    ----------
    treatment, outcome, propensity, outcome_control, outcome_treated : ndarray, shape (n,)
        A in {0, 1}, Y, g in (0, 1), Q0 and Q1.

    Raises
    ------
    EstimationError
        If g tells every row's treatment, so that no overlap is left.

    References
    ----------
    Li, Morgan and Zaslavsky 2018, doi:10.1080/01621459.2016.1260466; Crump,
    Hotz, Imbens and Mitnik 2009, doi:10.1093/biomet/asn055; Robinson 1988,
    doi:10.2307/1912705.
    """
    a, g = treatment, propensity
    members = (a - g) ** 2
    if not members.any():
        raise EstimationError("the propensity tells every row's treatment: no overlap is left")
    arms = [
        efficient_arm_mean(outcome, members, weights, predicted, is_corrected=True)
        for weights, predicted in (
            (a * (1.0 - g), outcome_treated),
            ((1.0 - a) * g, outcome_control),
        )
    ]
    return effect_of("aipw", "ate", (arms[0], arms[1]), outcome, ddof=0)


def optimal_cutoff(propensity: np.ndarray) -> float:
    """Give the α for which the effect in those with g in [α, 1 − α] is estimated best.

    Minimises Σ 1/(g (1 − g)) over the kept rows divided by their squared
    number, the variance of the efficient estimate where Y is equally noisy
    everywhere.

    Parameters
    ----------
    propensity : ndarray, shape (n,)
        In [0, 1].

    Returns
    -------
    float
        In [0, 1/2]; the least min(g, 1 − g) of the rows kept.

    References
    ----------
    Crump, Hotz, Imbens and Mitnik 2009, doi:10.1093/biomet/asn055.
    """
    nearest = np.sort(np.minimum(propensity, 1.0 - propensity))[::-1]
    possible = np.maximum(nearest, LEAST_PROPENSITY)
    noise = np.cumsum(1.0 / (possible * (1.0 - possible))) / np.arange(1, len(nearest) + 1) ** 2
    is_last_of_ties = np.append(nearest[1:] != nearest[:-1], True)
    return float(nearest[np.where(is_last_of_ties, noise, np.inf).argmin()])


def _figures(found: EffectEstimate, n_rows: int) -> dict[str, float]:
    shown = ("estimate", "standard_error", "ci_low", "ci_high")
    return {
        **{name: getattr(found, name) for name in (*shown, "ess_treated", "ess_control")},
        "clipped_share": share_or_missing(found.clipped_share, found.n_rows),
        "n_used": count_or_missing(found.n_rows, n_rows),
        "share_used": share_or_missing(found.n_rows / n_rows, n_rows),
    }


def _bounds(found: EffectEstimate, n_rows: int) -> list[str]:
    """Say in words what `_figures` leaves out."""
    used = told_count(found.n_rows, n_rows)
    clipped = told_share(found.clipped_share, found.n_rows)
    words = {"n_used": used, "clipped_share": clipped}
    return [f"{name} {told}" for name, told in words.items() if isinstance(told, str)]


def _unbounded(fits: tuple[CrossFit, ...]) -> EffectEstimate:
    return median_estimate([_bounded_at(fit, LEAST_PROPENSITY) for fit in fits])


def _bounded_at(fit: CrossFit, bound: float) -> EffectEstimate:
    g = np.clip(fit.propensity_unbounded, bound, 1.0 - bound)
    found = aipw(fit.treatment, fit.outcome, g, fit.outcome_control, fit.outcome_treated)
    return replace(found, clipped_share=float((g != fit.propensity_unbounded).mean()))


def _truncated(fits: tuple[CrossFit, ...]) -> EffectEstimate:
    return estimate_from_cross_fits(fits, ("aipw",))["aipw"]


def _of_treated(fits: tuple[CrossFit, ...]) -> EffectEstimate:
    return estimate_from_cross_fits(fits, ("aipw",), estimand="att")["aipw"]


def _of_controls(fits: tuple[CrossFit, ...]) -> EffectEstimate:
    return estimate_from_cross_fits(fits, ("aipw",), estimand="atc")["aipw"]


def trimmed_at_a_tenth(fits: tuple[CrossFit, ...]) -> EffectEstimate:
    """Run AIPW among g in [.1, .9] on every fold draw and take the median.

    Raises
    ------
    EstimationError
        If that leaves under `MIN_ROWS_PER_ARM` rows in an arm.
    """
    return median_estimate([_trimmed(fit, CRUMP_SHARE) for fit in fits])


def _trimmed_optimally(fits: tuple[CrossFit, ...]) -> EffectEstimate:
    return median_estimate(
        [_trimmed(fit, optimal_cutoff(fit.propensity_unbounded)) for fit in fits]
    )


def _trimmed(fit: CrossFit, cutoff: float) -> EffectEstimate:
    g = fit.propensity_unbounded
    kept = fit.restricted(np.minimum(g, 1.0 - g) >= cutoff)
    n_treated = int(kept.treatment.sum())
    if min(n_treated, len(kept.treatment) - n_treated) < MIN_ROWS_PER_ARM:
        raise EstimationError(f"trimming leaves under {MIN_ROWS_PER_ARM} rows in an arm")
    return _bounded_at(kept, LEAST_PROPENSITY)


def overlap_weighted_from(fits: tuple[CrossFit, ...]) -> EffectEstimate:
    """Run `overlap_weighted` on every fold draw, g not bounded, and take the median."""
    return median_estimate(
        [
            overlap_weighted(
                fit.treatment,
                fit.outcome,
                fit.propensity_unbounded,
                fit.outcome_control,
                fit.outcome_treated,
            )
            for fit in fits
        ]
    )


REMEDIES = (
    Remedy("none", "ATE: everyone", _unbounded, "bounded at 1e-6 only; a few rows may decide"),
    Remedy(
        "truncation",
        "ATE: everyone",
        _truncated,
        "bounded at 5/(√n ln n), or as published; the clipped share rests on the outcome model",
    ),
    Remedy(
        "crump_trimming",
        TRIMMED_PEOPLE,
        trimmed_at_a_tenth,
        "others are left out; interval given who is kept",
    ),
    Remedy(
        "optimal_trimming",
        "ATE among the best-estimated g in [α, 1 − α]",
        _trimmed_optimally,
        "others are left out; interval given who is kept",
    ),
    Remedy(
        "overlap_weights",
        "ATO: everyone weighted by g (1 − g)",
        overlap_weighted_from,
        "those who might have had either treatment count most",
    ),
    Remedy("att", "ATT: the treated", _of_treated, "g bounded away from 1 only"),
    Remedy("atc", "ATC: the controls", _of_controls, "g bounded away from 0 only"),
)
