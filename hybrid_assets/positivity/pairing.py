"""Rows added where overlap fails: the missing treatment, with an outcome from a donor's model."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.location_scale import draw_continuous
from hybrid_assets.nuisance.outcome_model import OutcomeModel
from hybrid_assets.positivity.diagnostics import is_extreme
from hybrid_assets.positivity.matching import match_without_replacement
from hybrid_assets.privacy.nearest import NeighbourSearch
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.small_cells import MIN_PEOPLE

MAX_REFERENCE_ROWS = 2000
DISTANCE_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False, repr=False)
class Donor:
    """Synthetic people of another study, and what would happen to them under each treatment.

    Attributes
    ----------
    covariates : DataFrame, shape (n, p)
        Canonical, from a generator fitted to the donor's covariates.
    outcome_control, outcome_treated : ndarray, shape (n,)
        h*: mean outcome of each row under each treatment.
    model : OutcomeModel
        The donor's; gives the noise of a continuous outcome.
    """

    covariates: pd.DataFrame
    outcome_control: np.ndarray
    outcome_treated: np.ndarray
    model: OutcomeModel

    def means(self, rows: np.ndarray, treatment: np.ndarray) -> np.ndarray:
        """Give h* of the rows at these positions, each under its treatment; shape of `rows`."""
        both = self.outcome_treated[rows], self.outcome_control[rows]
        return np.asarray(np.where(treatment == 1, *both))


@dataclass(frozen=True, eq=False, repr=False)
class Pairing:
    """Which extreme row is paired with which donor row. Confidential.

    Attributes
    ----------
    rows, donors : ndarray of int64, shape (m,)
        Positions in the study's rows and among the donors.
    distances : ndarray, shape (m,)
        In standard deviations of the study's rows, 1 for a differing level.
    distance_quantiles, reference_quantiles : dict of float to float
        Of the distances, and of a donor row to the closest other donor row;
        missing where there are fewer than `MIN_PEOPLE` of them.
    """

    rows: np.ndarray
    donors: np.ndarray
    distances: np.ndarray
    distance_quantiles: dict[float, float]
    reference_quantiles: dict[float, float]


@dataclass(frozen=True, eq=False, repr=False)
class PairedTable:
    """A study's rows, and below them the rows that pairing added.

    Attributes
    ----------
    table : DataFrame, shape (n + m, p + 2)
        Canonical.
    outcome_without_effect : ndarray, shape (n + m,)
        The outcome column with a donor whose treatment does nothing: an added
        row's mean is h* under the treatment that its person got. Drawn with the
        table's own random numbers.
    person : ndarray of int64, shape (n + m,)
        Position of the study row that a row is or is paired with.
    is_added : ndarray of bool, shape (n + m,)
    pairing : Pairing
    """

    table: pd.DataFrame
    outcome_without_effect: np.ndarray
    person: np.ndarray
    is_added: np.ndarray
    pairing: Pairing


def find_pairs(rows: pd.DataFrame, propensity: np.ndarray, donor: Donor) -> Pairing:
    """Match every row with an extreme propensity to the nearest donor row, without replacement.

    Parameters
    ----------
    rows : DataFrame, shape (n, p + 2)
        The study's, canonical.
    propensity : ndarray, shape (n,)
        Not bounded.
    donor : Donor

    Raises
    ------
    EvaluationError
        If there are fewer donor rows than extreme rows.
    """
    covariates = donor.model.schema.covariates
    encoder = RecordEncoder.fit(rows, covariates)
    extreme = np.flatnonzero(is_extreme(propensity))
    places = encoder.encode(donor.covariates)
    found = match_without_replacement(encoder.encode(rows.iloc[extreme]), places)
    return Pairing(
        rows=extreme,
        donors=found.donors,
        distances=found.distances,
        distance_quantiles=_quantiles(found.distances),
        reference_quantiles=_quantiles(_to_closest_other(places)),
    )


def pair(
    rows: pd.DataFrame,
    propensity: np.ndarray,
    donor: Donor,
    *,
    rng: np.random.Generator,
) -> PairedTable:
    """Add, for every extreme row, its nearest donor row under the treatment it did not get.

    Parameters
    ----------
    rows : DataFrame, shape (n, p + 2)
        The study's, canonical.
    propensity : ndarray, shape (n,)
        Not bounded.
    donor : Donor
    rng : numpy Generator
        Draws outcomes.

    Raises
    ------
    EvaluationError
        If there are fewer donor rows than extreme rows.

    References
    ----------
    Kim, Xu and Lin, arXiv 2511.00318. It is extrapolation from the donor: see
    `pairing_effects` for what of the estimate comes from there.
    """
    return paired_with(rows, find_pairs(rows, propensity, donor), donor, rng=rng)


def paired_with(
    rows: pd.DataFrame, pairing: Pairing, donor: Donor, *, rng: np.random.Generator
) -> PairedTable:
    """Draw the added rows' outcomes for pairs that were found before."""
    schema = donor.model.schema
    treatment = 1 - rows[schema.treatment].to_numpy(dtype=np.int64)[pairing.rows]
    covariates = donor.covariates.iloc[pairing.donors].reset_index(drop=True)
    added = covariates.assign(**{schema.treatment: treatment})
    twin, table = (
        _below(rows, added, donor.means(pairing.donors, arm), donor.model, stream)
        # a copy, so that both see the same random numbers
        for arm, stream in ((1 - treatment, deepcopy(rng)), (treatment, rng))
    )
    return PairedTable(
        table=table,
        outcome_without_effect=twin[schema.outcome].to_numpy(dtype=float),
        person=np.concatenate([np.arange(len(rows)), pairing.rows]),
        is_added=np.arange(len(table)) >= len(rows),
        pairing=pairing,
    )


def _below(
    rows: pd.DataFrame,
    added: pd.DataFrame,
    means: np.ndarray,
    model: OutcomeModel,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw outcomes around their means; the noise is that of each added row's own arm."""
    schema = model.schema
    if model.is_binary:
        outcome = (rng.random(len(means)) < means).astype(float)
    elif len(means):
        treatment = added[schema.treatment].to_numpy(dtype=np.int64)
        outcome, _ = draw_continuous(added[schema.covariates.names], treatment, means, model, rng)
    else:
        outcome = means
    drawn = schema.canonical(added.assign(**{schema.outcome: outcome}))
    return schema.canonical(pd.concat([rows[schema.names], drawn], ignore_index=True))


def _to_closest_other(places: np.ndarray) -> np.ndarray:
    """Give the distance of evenly spaced donor rows to the closest other one."""
    if len(places) < 2:
        raise EvaluationError(f"a donor needs at least 2 rows; got {len(places)}")
    step = max(len(places) // MAX_REFERENCE_ROWS, 1)
    distances, _ = NeighbourSearch(places).nearest(places[::step], 2)
    return np.asarray(distances[:, 1])


def _quantiles(distances: np.ndarray) -> dict[float, float]:
    if len(distances) < MIN_PEOPLE:
        return dict.fromkeys(DISTANCE_SHARES, np.nan)
    values = np.quantile(distances, DISTANCE_SHARES).tolist()
    return dict(zip(DISTANCE_SHARES, values, strict=True))
