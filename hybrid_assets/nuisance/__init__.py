"""Propensity and outcome models: library, cross-fitting, short-stacking."""

from hybrid_assets.nuisance.cross_fitting import (
    CrossFit,
    cross_fit,
    cross_fit_draws,
    propensity_bound,
)
from hybrid_assets.nuisance.outcome_model import OutcomeModel, fit_outcome_model
from hybrid_assets.nuisance.propensity_model import PropensityModel, fit_propensity_model
from hybrid_assets.nuisance.settings import (
    AnyNuisanceSettings,
    ForestSettings,
    NuisanceSettings,
    ParametricSettings,
)

__all__ = [
    "AnyNuisanceSettings",
    "CrossFit",
    "ForestSettings",
    "NuisanceSettings",
    "OutcomeModel",
    "ParametricSettings",
    "PropensityModel",
    "cross_fit",
    "cross_fit_draws",
    "fit_outcome_model",
    "fit_propensity_model",
    "propensity_bound",
]
