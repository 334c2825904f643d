"""The estimate from a paired table, and how much of it comes from the donor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.estimators.effect_estimate import NORMAL_975, EffectEstimate
from hybrid_assets.estimators.estimate_effects import estimate_from_cross_fits, median_estimate
from hybrid_assets.nuisance.cross_fitting import cross_fit_draws, with_outcome
from hybrid_assets.nuisance.settings import AnyNuisanceSettings
from hybrid_assets.positivity.pairing import PairedTable
from hybrid_assets.schema import TableSchema


@dataclass(frozen=True)
class DonorFigure:
    """An estimate that rests on a donor.

    Attributes
    ----------
    estimate, standard_error : float
        The donor's uncertainty is in the error.
    standard_error_donor : float
        That part alone.
    """

    estimate: float
    standard_error: float
    standard_error_donor: float

    @property
    def tells_from_zero(self) -> bool:
        """Whether the 95 % interval leaves 0 out."""
        return abs(self.estimate) > NORMAL_975 * self.standard_error


@dataclass(frozen=True)
class PairedEstimates:
    """What a paired table gives, with and without the donor's effect.

    Attributes
    ----------
    paired, without_effect : DonorFigure
    leverage : DonorFigure or None
        Share of the paired estimate that a donor without effect takes away; None
        where the paired interval contains 0: a share of it would mean nothing.
    """

    paired: DonorFigure
    without_effect: DonorFigure
    leverage: DonorFigure | None


def paired_estimates(
    paired: PairedTable,
    schema: TableSchema,
    settings: AnyNuisanceSettings,
    *,
    donor_sums: np.ndarray,
    rng: np.random.Generator,
) -> PairedEstimates:
    """Estimate by AIPW from a paired table, with and without effect, on the same folds.

    Parameters
    ----------
    paired : PairedTable
    schema, settings
        As for `cross_fit_draws`.
    donor_sums : ndarray, shape (2, n_refits)
        Signed sum of the added rows' h* in every refit of the donor, with and
        without effect. It enters an estimate 2/N times: AIPW reads added
        outcomes back at both rows of a pair.
    rng : numpy Generator
        Draws folds.
    """
    table, person = paired.table, paired.person
    twin = schema.canonical(table.assign(**{schema.outcome: paired.outcome_without_effect}))
    fits = cross_fit_draws(table, schema, settings, rng)
    twins = tuple(with_outcome(fit, twin, schema, settings) for fit in fits)
    with_it, without_it = (
        [estimate_from_cross_fits((fit,), ("aipw",))["aipw"] for fit in each]
        for each in (fits, twins)
    )
    shifts = 2.0 * donor_sums / len(table)
    whole, without = (
        _figure(draws, shift, person)
        for draws, shift in zip((with_it, without_it), shifts, strict=True)
    )
    if not whole.tells_from_zero:
        return PairedEstimates(whole, without, None)
    leverage = donor_leverage(with_it, without_it, person, shifts)
    return PairedEstimates(whole, without, leverage)


def _figure(draws: list[EffectEstimate], shifts: np.ndarray, person: np.ndarray) -> DonorFigure:
    clustered = [
        each.with_standard_error(clustered_error(each.influence, person)) for each in draws
    ]
    found, of_donor = median_estimate(clustered), float(shifts.std(ddof=1))
    return DonorFigure(found.estimate, float(np.hypot(found.standard_error, of_donor)), of_donor)


def donor_leverage(
    paired: list[EffectEstimate],
    without_effect: list[EffectEstimate],
    person: np.ndarray,
    donor_shifts: np.ndarray,
) -> DonorFigure:
    """Compare two estimates P and T made with common folds and random numbers: 1 − T/P.

    By the delta method its influence function is (φ_P T/P − φ_T)/P, summed over
    each person's rows; the same combination of what each refit of the donor adds
    to P and T gives the donor's part. Fold draws are combined by the median rule.

    Parameters
    ----------
    paired, without_effect : list of EffectEstimate
        One of each per fold draw.
    person : ndarray of int, shape (n,)
        Whose each row is.
    donor_shifts : ndarray, shape (2, n_refits)
        What a refit of the donor adds to P and to T, but for a constant.
    """
    shares, errors = np.empty(len(paired)), np.empty(len(paired))
    for k, (p, t) in enumerate(zip(paired, without_effect, strict=True)):
        shares[k] = 1.0 - t.estimate / p.estimate
        influence = (p.influence * (1.0 - shares[k]) - t.influence) / p.estimate
        errors[k] = clustered_error(influence, person)
    middle = int(np.argsort(shares, kind="stable")[len(shares) // 2])
    p_shift, t_shift = donor_shifts
    shift = (p_shift * (1.0 - shares[middle]) - t_shift) / paired[middle].estimate
    of_donor = float(shift.std(ddof=1))
    variance = np.median(errors**2 + (shares - shares[middle]) ** 2) + of_donor**2
    return DonorFigure(float(shares[middle]), float(np.sqrt(variance)), of_donor)


def clustered_error(influence: np.ndarray, person: np.ndarray) -> float:
    """Give the standard error of a mean whose rows of one person count as one; `influence` (n,)."""
    n_rows = len(influence)
    of_person = np.bincount(person, influence)
    return float(np.sqrt((of_person**2).sum() / (n_rows * (n_rows - 1))))
