"""What anyone can estimate from the released table alone, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from hybrid_assets.blocks import SAMPLE_ROWS
from hybrid_assets.estimators import (
    DEFAULT_ESTIMATORS,
    adjusted_for_synthesis,
    estimate_from_cross_fits,
)
from hybrid_assets.estimators.arm_mean import ArmMean, effect_of
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.nuisance import NuisanceSettings, cross_fit
from hybrid_assets.schema import TableSchema

FOLD_SEED = 20_250_101  # public, and not the study's: who has the seed of draws can undo them
CRUDE = "difference_in_means"


class AnalysisPlan(BaseModel):
    """How the estimates of a released table were made: enough to make them again.

    Attributes
    ----------
    nuisance : NuisanceSettings
    known_propensity : float or None
        A trial's probability of treatment; None where it is estimated.
    fold_seed : int
        Draws the folds of the one cross-fit.
    n_people : int
        Rows of the seed, which the intervals are widened for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    nuisance: NuisanceSettings
    known_propensity: float | None
    fold_seed: int = FOLD_SEED
    n_people: int


class TableEffect(BaseModel):
    """One estimate of the average treatment effect from the released rows.

    Attributes
    ----------
    estimator : str
        ``difference_in_means``, or a word of `DEFAULT_ESTIMATORS`.
    estimate, standard_error, ci_low, ci_high : float
        As if every row were a person.
    standard_error_widened, ci_low_widened, ci_high_widened : float
        Times √(1 + rows / people).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: str
    estimate: float
    standard_error: float
    ci_low: float
    ci_high: float
    standard_error_widened: float
    ci_low_widened: float
    ci_high_widened: float


def table_effects(
    blocks: Iterable[pd.DataFrame], n_rows: int, schema: TableSchema, plan: AnalysisPlan
) -> tuple[TableEffect, ...]:
    """Estimate the effect from a released table, crudely and adjusted.

    From a random sample of `SAMPLE_ROWS` where there are more rows: the fold
    seed draws it too, and standard errors and factor are those of its rows.

    Parameters
    ----------
    blocks : iterable of DataFrame, shape (n_k, p)
        The rows as released; columns beyond `schema` are not looked at.
    n_rows : int
        How many there are.
    schema : TableSchema
        See `released_schema`.
    plan : AnalysisPlan

    Raises
    ------
    EstimationError
        If an arm has too few rows, or a fit does not solve its equations.
    """
    rng = np.random.default_rng(plan.fold_seed)
    rows = schema.canonical(_sampled(blocks, n_rows, rng))
    fit = cross_fit(rows, schema, plan.nuisance, rng, plan.known_propensity)
    found = estimate_from_cross_fits((fit,), DEFAULT_ESTIMATORS)
    each = [_difference_in_means(fit.treatment, fit.outcome), *found.values()]
    return tuple(_told(estimate, plan.n_people) for estimate in each)


def _sampled(blocks: Iterable[pd.DataFrame], n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
    is_long = n_rows > SAMPLE_ROWS
    drawn = rng.choice(n_rows, SAMPLE_ROWS, replace=False) if is_long else np.arange(n_rows)
    chosen = np.sort(drawn)
    kept, start = [], 0
    for block in blocks:
        first, end = np.searchsorted(chosen, [start, start + len(block)])
        kept.append(block.iloc[chosen[first:end] - start])
        start += len(block)
    return pd.concat(kept, ignore_index=True)


def _difference_in_means(treatment: np.ndarray, outcome: np.ndarray) -> EffectEstimate:
    """Compare the arms as they are; the standard error is Neyman's, variances divided by n_a."""
    arms = []
    for arm in (1, 0):
        weights = (treatment == arm) / (treatment == arm).mean()
        mean = float((weights * outcome).mean())
        arms.append(ArmMean(mean, weights * (outcome - mean), weights))
    return effect_of(CRUDE, "ate", (arms[0], arms[1]), outcome, ddof=0)


def _told(estimate: EffectEstimate, n_people: int) -> TableEffect:
    wide = adjusted_for_synthesis(estimate, n_people)
    return TableEffect(
        estimator=estimate.estimator,
        estimate=estimate.estimate,
        standard_error=estimate.standard_error,
        ci_low=estimate.ci_low,
        ci_high=estimate.ci_high,
        standard_error_widened=wide.standard_error,
        ci_low_widened=wide.ci_low,
        ci_high_widened=wide.ci_high,
    )


class MeasuredCoverage(BaseModel):
    """Share of 95 % intervals that held the true effect, with its Monte-Carlo error.

    Attributes
    ----------
    n_rows, n_people, n_trials : int
    naive, naive_error, widened, widened_error : float
        As if rows were people, and times √(1 + rows / people).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_rows: int
    n_people: int
    n_trials: int
    naive: float
    naive_error: float
    widened: float
    widened_error: float
