"""What pairing does to the estimate, and how much of it comes from the donor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.arm_mean import efficient_arm_mean
from hybrid_assets.estimators.effect_estimate import NORMAL_975, EffectEstimate
from hybrid_assets.estimators.estimate_effects import estimate_from_cross_fits
from hybrid_assets.estimators.weights import arm_weights
from hybrid_assets.nuisance.cross_fitting import CrossFit
from hybrid_assets.nuisance.settings import AnyNuisanceSettings
from hybrid_assets.positivity.donor import DonorStudy
from hybrid_assets.positivity.leverage import DonorFigure, paired_estimates
from hybrid_assets.positivity.pairing import Donor, PairedTable
from hybrid_assets.positivity.remedies import (
    TRIMMED_PEOPLE,
    overlap_weighted_from,
    trimmed_at_a_tenth,
)
from hybrid_assets.positivity.worst_case import worst_case
from hybrid_assets.small_cells import count_or_missing, told_count

N_REFITS = 40  # leave 11 % of error in the donor's part of a standard error
N_CALIBRATION_ROWS = 5000
MEASURED_COVERAGE = (
    "paired intervals covered .945 (Monte-Carlo error .016) and imputed .85 (.025), too short, "
    "in 200 draws of paper1_observational, 1000 rows and 1000 donor people, ridge"
)

PAIRING_COMMENTS = {
    "estimate_of": "which rows and which outcomes",
    "estimand": "whose average effect",
    "estimate": "in units of the outcome, the leverage a share; missing for a range",
    "standard_error": "a pair counts as one person; the donor's uncertainty is in it",
    "ci_low": f"95 % interval; {MEASURED_COVERAGE}",
    "ci_high": f"95 % interval; {MEASURED_COVERAGE}",
    "standard_error_donor": "the part that comes from the donor's rows",
    "n_rows": "rows behind the estimate; missing where it would tell of 1 to 9 people",
    "note": "what is known of the interval, why a figure is missing",
}
STUDY_PEOPLE = "ATE: the study's people"
PAIRED_PEOPLE = "ATE: the study's people, extreme rows counted twice"
NO_LEVERAGE = "no leverage: the paired interval contains 0, and a share of it would mean nothing"


@dataclass(frozen=True, eq=False, repr=False)
class PairedStudy:
    """A study, the donor it was paired with, and the result. Confidential.

    Attributes
    ----------
    paired : PairedTable
    cross_fits : tuple of CrossFit
        Of the study's own rows.
    donor : Donor
    donor_study : DonorStudy or None
        None where the study was paired with its own synthetic rows.
    settings : NuisanceSettings or ParametricSettings
        For the paired table.
    """

    paired: PairedTable
    cross_fits: tuple[CrossFit, ...]
    donor: Donor
    donor_study: DonorStudy | None
    settings: AnyNuisanceSettings

    @property
    def study_rows(self) -> pd.DataFrame:
        """The rows that were not added."""
        return self.paired.table.loc[~self.paired.is_added]

    @property
    def added_treatment(self) -> np.ndarray:
        """Of the added rows, in {0, 1}; shape (m,)."""
        treatment = self.donor.model.schema.treatment
        added = self.paired.table.loc[self.paired.is_added, treatment]
        return np.asarray(added, dtype=float)

    @property
    def signs(self) -> np.ndarray:
        """1 where the added row is treated, else −1; shape (m,)."""
        return np.asarray(2.0 * self.added_treatment - 1.0)


@dataclass(frozen=True)
class _Figure:
    estimate: float
    standard_error: float
    n_rows: float


def pairing_effects(study: PairedStudy, rng: np.random.Generator) -> pd.DataFrame:
    """Estimate the effect with and without the donor, and with a donor that has no effect.

    The variance of a paired or imputed estimate is that of its influence
    function summed over each person's rows, plus the variance over bootstrap
    refits of the donor of what its outcome model adds. Where almost no row of
    the study has the missing treatment, AIPW reads the added outcomes back at
    both rows of a pair: they enter the estimate 2/N times each.

    Parameters
    ----------
    study : PairedStudy
    rng : numpy Generator
        Draws folds and refits.

    Returns
    -------
    DataFrame
        The columns of `PAIRING_COMMENTS`: the study alone, trimmed, and where
        it overlaps; paired, paired with a donor without effect, and the donor's
        leverage; imputed (each extreme row's missing outcome from the donor's
        model, nobody counted twice); the donor alone, both pooled by precision,
        and the worst case for a 0/1 outcome.
    """
    for_refits, for_folds = rng.spawn(2)
    alone = _figure(estimate_from_cross_fits(study.cross_fits, ("aipw",))["aipw"])
    overlapping = _figure(overlap_weighted_from(study.cross_fits))
    refits = _donor_refits(study, for_refits)
    of_donor = float((refits[0] / alone.n_rows).std(ddof=1))
    rows = [
        _row("study_alone", STUDY_PEOPLE, alone),
        _trimmed(study),
        _row("study_overlap", "ATO: the study's people weighted by g (1 − g)", overlapping),
        *_of_pairs(study, refits, for_folds),
        _row("imputed", STUDY_PEOPLE, _imputed(study), of_donor, note=MEASURED_COVERAGE),
    ]
    if study.donor_study is not None:
        donor = _figure(study.donor_study.effect)
        rows += [
            _row("donor_alone", "ATE: the donor's people", donor, donor.standard_error),
            _row("pooled", "if the effect is the same for all", *pooled(overlapping, donor)),
        ]
    return pd.DataFrame([*rows, *_worst_case(study)], columns=list(PAIRING_COMMENTS))


def _figure(found: EffectEstimate) -> _Figure:
    return _Figure(found.estimate, found.standard_error, found.n_rows)


def pooled(own: _Figure | EffectEstimate, donor: _Figure | EffectEstimate) -> tuple[_Figure, float]:
    """Weigh two independent estimates by their precision; also give the donor's part of the SE.

    The study contributes its overlap-weighted estimate: where the effect is
    the same for all, which pooling supposes, it is an estimate of it like any
    other, and the only one whose standard error is not too small.
    """
    precisions = np.array([own.standard_error, donor.standard_error]) ** -2.0
    weights = precisions / precisions.sum()
    estimate = float(weights @ [own.estimate, donor.estimate])
    figure = _Figure(estimate, float(precisions.sum() ** -0.5), own.n_rows + donor.n_rows)
    return figure, float(weights[1] * donor.standard_error)


def heterogeneity_p_value(effects: pd.DataFrame) -> float:
    """Test that the study where it has overlap and the donor have the same effect.

    Cochran 1954, doi:10.2307/3001666, with one degree of freedom.
    """
    from scipy.stats import norm

    both = effects.set_index("estimate_of").loc[
        ["study_overlap", "donor_alone"], ["estimate", "standard_error"]
    ]
    (own, own_error), (donor, donor_error) = both.to_numpy(dtype=float)
    return float(2.0 * norm.sf(abs(own - donor) / np.hypot(own_error, donor_error)))


def _of_pairs(
    study: PairedStudy, refits: np.ndarray, rng: np.random.Generator
) -> list[dict[str, object]]:
    schema, n_rows, n_added = study.donor.model.schema, len(study.study_rows), len(study.signs)
    found = paired_estimates(study.paired, schema, study.settings, donor_sums=refits, rng=rng)
    told = told_count(n_added, n_rows)
    note = f"{MEASURED_COVERAGE}; {told} rows added" if isinstance(told, str) else MEASURED_COVERAGE
    n_paired = n_rows + count_or_missing(n_added, n_rows)
    rows = [
        _row(word, PAIRED_PEOPLE, _Figure(each.estimate, each.standard_error, n_paired), note=note)
        | {"standard_error_donor": each.standard_error_donor}
        for word, each in (("paired", found.paired), ("paired_null_donor", found.without_effect))
    ]
    return [*rows, _leverage_row(found.leverage, n_paired)]


def _leverage_row(found: DonorFigure | None, n_rows: float) -> dict[str, object]:
    of_what = "share of the paired estimate that a donor without effect takes away"
    if found is None:
        return {"estimate_of": "donor_leverage", "estimand": of_what, "note": NO_LEVERAGE}
    figure = _Figure(found.estimate, found.standard_error, n_rows)
    row = _row("donor_leverage", of_what, figure)
    return row | {"standard_error_donor": found.standard_error_donor}


def _trimmed(study: PairedStudy) -> dict[str, object]:
    """Leave out those with g outside [.1, .9]."""
    try:
        found = trimmed_at_a_tenth(study.cross_fits)
    except EstimationError as refusal:
        note = f"no estimate: {refusal}"
        return {"estimate_of": "study_trimmed", "estimand": TRIMMED_PEOPLE, "note": note}
    n_rows = len(study.study_rows)
    figure = replace(_figure(found), n_rows=count_or_missing(found.n_rows, n_rows))
    told = told_count(found.n_rows, n_rows)
    note = f"n_rows {told}" if isinstance(told, str) else ""
    return _row("study_trimmed", TRIMMED_PEOPLE, figure, note=note)


def _imputed(study: PairedStudy) -> _Figure:
    """Average AIPW terms, and h* against Y for extreme rows."""
    terms = np.mean([_aipw_terms(fit) for fit in study.cross_fits], axis=0)
    pairing, y = study.paired.pairing, study.cross_fits[0].outcome
    missing = study.donor.means(pairing.donors, study.added_treatment)
    terms[pairing.rows] = study.signs * (missing - y[pairing.rows])
    n_rows = len(terms)
    return _Figure(float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(n_rows)), n_rows)


def _aipw_terms(fit: CrossFit) -> np.ndarray:
    weights = arm_weights(fit.treatment, fit.propensity)
    everyone = np.ones_like(fit.outcome)
    treated, control = (
        efficient_arm_mean(fit.outcome, everyone, w, predicted, is_corrected=True)
        for w, predicted in zip(weights, (fit.outcome_treated, fit.outcome_control), strict=True)
    )
    return np.asarray(treated.influence + treated.mean - control.influence - control.mean)


def _donor_refits(study: PairedStudy, rng: np.random.Generator) -> np.ndarray:
    """Sum the signed h* of the added rows in every refit, with and without effect; (2, n)."""
    if study.donor_study is None or not len(study.signs):
        return np.zeros((2, 2))
    n_pool, at = len(study.donor.covariates), study.paired.pairing.donors
    step = max(n_pool // N_CALIBRATION_ROWS, 1)
    kept = np.union1d(np.arange(0, n_pool, step), at)
    covariates = study.donor.covariates.iloc[kept].reset_index(drop=True)
    place, treatment = np.searchsorted(kept, at), study.added_treatment
    sums = np.empty((2, N_REFITS))
    for refit in range(N_REFITS):
        donor = study.donor_study.resampled(covariates, rng)
        for k, arm in enumerate((treatment, 1.0 - treatment)):
            sums[k, refit] = study.signs @ donor.means(place, arm)
    return sums


def _row(
    estimate_of: str,
    estimand: str,
    found: _Figure,
    donor_error: float = 0.0,
    *,
    note: str = "",
) -> dict[str, object]:
    """Lay a figure out; the donor's part is added unless the figure is the donor's own."""
    has_it = estimate_of in ("donor_alone", "pooled")
    error = found.standard_error if has_it else float(np.hypot(found.standard_error, donor_error))
    return {
        "estimate_of": estimate_of,
        "estimand": estimand,
        "estimate": found.estimate,
        "standard_error": error,
        "ci_low": found.estimate - NORMAL_975 * error,
        "ci_high": found.estimate + NORMAL_975 * error,
        "standard_error_donor": donor_error,
        "n_rows": found.n_rows,
        "note": note,
    }


def _worst_case(study: PairedStudy) -> list[dict[str, object]]:
    try:
        bounds = worst_case(study.cross_fits)
    except EstimationError:
        return []
    return [
        {
            "estimate_of": "worst_case",
            "estimand": STUDY_PEOPLE,
            "ci_low": bounds.ci_low,
            "ci_high": bounds.ci_high,
            "n_rows": len(study.study_rows),
            "note": "nothing is assumed about the missing outcomes of extreme rows",
        }
    ]
