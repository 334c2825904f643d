"""What pairing does to the estimate, and how much of it comes from the donor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.arm_mean import efficient_arm_mean
from hybrid_assets.estimators.effect_estimate import NORMAL_975, EffectEstimate
from hybrid_assets.estimators.estimate_effects import estimate_from_cross_fits
from hybrid_assets.estimators.weights import arm_weights
from hybrid_assets.nuisance.cross_fitting import CrossFit, cross_fit_draws
from hybrid_assets.nuisance.settings import AnyNuisanceSettings
from hybrid_assets.positivity.donor import DonorStudy
from hybrid_assets.positivity.pairing import Donor, PairedTable, paired_with
from hybrid_assets.positivity.remedies import overlap_weighted_from
from hybrid_assets.positivity.worst_case import worst_case

N_REFITS = 40  # leave 11 % of error in the donor's part of a standard error
N_CALIBRATION_ROWS = 5000

PAIRING_COMMENTS = {
    "estimate_of": "which rows and which outcomes",
    "estimand": "whose average effect",
    "estimate": "in units of the outcome; missing for the worst case, which is a range",
    "standard_error": "a pair counts as one person; the donor's uncertainty is in it",
    "ci_low": "95 % interval",
    "ci_high": "95 % interval",
    "standard_error_donor": "the part that comes from the donor's rows",
    "n_rows": "rows behind the estimate",
}
STUDY_PEOPLE = "ATE: the study's people"
PAIRED_PEOPLE = "ATE: the study's people, extreme rows counted twice"


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
    def signs(self) -> np.ndarray:
        """1 where the added row is treated, else −1; shape (m,)."""
        treatment = self.donor.model.schema.treatment
        added = self.paired.table.loc[self.paired.is_added, treatment].to_numpy(dtype=float)
        return np.asarray(2.0 * added - 1.0)


@dataclass(frozen=True)
class _Figure:
    estimate: float
    standard_error: float
    n_rows: int


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
        Draws folds, outcomes of the twin without effect, and refits.

    Returns
    -------
    DataFrame
        The columns of `PAIRING_COMMENTS`: the study alone and where it
        overlaps, paired, paired with the twin without effect, imputed (each
        extreme row's missing outcome from the donor's model, nobody counted
        twice), the donor alone, both pooled by precision, and the worst case
        for a 0/1 outcome.
    """
    for_twin, for_refits, *for_folds = rng.spawn(4)
    alone = _figure(estimate_from_cross_fits(study.cross_fits, ("aipw",))["aipw"])
    overlapping = _figure(overlap_weighted_from(study.cross_fits))
    twin = paired_with(
        study.study_rows, study.paired.pairing, study.donor.without_effect(), rng=for_twin
    )
    refits = _donor_refits(study, for_refits)
    pairs = [
        _of_paired(table, study, folds)
        for table, folds in zip((study.paired, twin), for_folds, strict=True)
    ]
    n_rows, n_paired = len(study.study_rows), len(study.paired.table)
    rows = [
        _row("study_alone", STUDY_PEOPLE, alone),
        _row("study_overlap", "ATO: the study's people weighted by g (1 − g)", overlapping),
        _row("paired", PAIRED_PEOPLE, pairs[0], _spread(2.0 * refits[0] / n_paired)),
        _row("paired_null_donor", PAIRED_PEOPLE, pairs[1], _spread(2.0 * refits[1] / n_paired)),
        _row("imputed", STUDY_PEOPLE, _imputed(study), _spread(refits[0] / n_rows)),
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


def donor_leverage(effects: pd.DataFrame) -> float:
    """Give the share of the paired estimate that a donor without effect takes away."""
    figures = effects.set_index("estimate_of")["estimate"]
    return float(1.0 - figures["paired_null_donor"] / figures["paired"])


def _of_paired(table: PairedTable, study: PairedStudy, rng: np.random.Generator) -> _Figure:
    """Estimate from a paired table; the rows of a pair count as one person."""
    fits = cross_fit_draws(table.table, study.donor.model.schema, study.settings, rng)
    found = estimate_from_cross_fits(fits, ("aipw",))["aipw"]
    of_person = np.bincount(table.person, found.influence)
    factor = float(np.sqrt((of_person**2).sum() / (found.influence**2).sum()))
    return _Figure(found.estimate, factor * found.standard_error, found.n_rows)


def _imputed(study: PairedStudy) -> _Figure:
    """Average AIPW terms, and h* against Y for extreme rows."""
    terms = np.mean([_aipw_terms(fit) for fit in study.cross_fits], axis=0)
    pairing, y = study.paired.pairing, study.cross_fits[0].outcome
    terms[pairing.rows] = study.signs * (_missing_mean(study.donor, study) - y[pairing.rows])
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


def _missing_mean(donor: Donor, study: PairedStudy) -> np.ndarray:
    at = study.paired.pairing.donors
    return np.asarray(
        np.where(study.signs > 0, donor.outcome_treated[at], donor.outcome_control[at])
    )


def _donor_refits(study: PairedStudy, rng: np.random.Generator) -> np.ndarray:
    """Sum the signed h* of the added rows in every refit, with and without effect; (2, n)."""
    if study.donor_study is None or not len(study.signs):
        return np.zeros((2, 2))
    n_pool, at = len(study.donor.covariates), study.paired.pairing.donors
    step = max(n_pool // N_CALIBRATION_ROWS, 1)
    kept = np.union1d(np.arange(0, n_pool, step), at)
    covariates = study.donor.covariates.iloc[kept].reset_index(drop=True)
    place, is_treated = np.searchsorted(kept, at), study.signs > 0
    sums = np.empty((2, N_REFITS))
    for refit in range(N_REFITS):
        donor = study.donor_study.resampled(covariates, rng)
        for k, each in enumerate((donor, donor.without_effect())):
            means = np.where(is_treated, each.outcome_treated[place], each.outcome_control[place])
            sums[k, refit] = study.signs @ means
    return sums


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1))


def _row(
    estimate_of: str, estimand: str, found: _Figure, donor_error: float = 0.0
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
        }
    ]
