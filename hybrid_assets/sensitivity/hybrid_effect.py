"""From a seed to the effects of the hybrid table it gives, calibrated and not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.estimators import tmle
from hybrid_assets.nuisance import NuisanceSettings, OutcomeModel, cross_fit, fit_outcome_model
from hybrid_assets.schema import TableSchema
from hybrid_assets.targeting import calibrate


@dataclass(frozen=True, eq=False, repr=False)
class SeedAnalysis:
    """What a seed teaches.

    Attributes
    ----------
    outcome : OutcomeModel
        Refitted to all its rows.
    mean_control, mean_treated : float
        TMLE arm means: targets of the calibration.
    """

    outcome: OutcomeModel
    mean_control: float
    mean_treated: float


@dataclass(frozen=True, eq=False, repr=False)
class HybridContrast:
    """Effect of each synthetic row, shape (n,), after and before calibration."""

    calibrated: np.ndarray
    uncalibrated: np.ndarray


def analyse_seed(
    table: pd.DataFrame, schema: TableSchema, settings: NuisanceSettings, rng: np.random.Generator
) -> SeedAnalysis:
    """Cross-fit once, estimate the arm means, refit the outcome model: the study's own steps.

    The propensity is estimated, also for a trial.
    """
    fit = cross_fit(table, schema, settings, rng)
    target = tmle(
        fit.treatment, fit.outcome, fit.propensity, fit.outcome_control, fit.outcome_treated
    )
    model = fit_outcome_model(table, schema, settings, (fit,))
    return SeedAnalysis(model, target.mean_control, target.mean_treated)


def hybrid_contrast(covariates: pd.DataFrame, seed: SeedAnalysis) -> HybridContrast:
    """Give synthetic covariates their effects, as `hybrid_triplets` would."""
    model = seed.outcome
    control, treated = (model.predict(covariates, arm) for arm in (0, 1))
    shift = calibrate(
        control,
        treated,
        target_control=seed.mean_control,
        target_treated=seed.mean_treated,
        limits=None if model.is_binary else (model.lowest, model.highest),
    )
    moved = shift.apply(treated, 1) - shift.apply(control, 0)
    if not model.is_binary:
        control, treated = (np.clip(m, model.lowest, model.highest) for m in (control, treated))
    return HybridContrast(calibrated=moved, uncalibrated=treated - control)
