"""The hybrid step once more, on training rows with planted outcomes, for the label audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.estimators import estimate_from_cross_fits
from hybrid_assets.generators import CovariateGenerator, draw_valid
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import hybrid_triplets
from hybrid_assets.nuisance import (
    AnyNuisanceSettings,
    cross_fit_draws,
    fit_outcome_model,
    fit_propensity_model,
)
from hybrid_assets.privacy.label_audit import audit_labels, plant_coin_flips
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.verdict import Finding, judge
from hybrid_assets.schema import TableSchema


@dataclass(frozen=True)
class HybridRecipe:
    """How a study makes A and Y.

    Attributes
    ----------
    nuisance : NuisanceSettings, ForestSettings or ParametricSettings
    hybrid : HybridSettings
    known_propensity : float or None
        The treatment probability of a randomised trial.
    private : CovariateGenerator or None
        Not fitted: what learns whole rows where models are fitted to its rows
        and not to people's.
    """

    nuisance: AnyNuisanceSettings
    hybrid: HybridSettings
    known_propensity: float | None
    private: CovariateGenerator | None = None


def run_label_audit(
    train: pd.DataFrame,
    covariates: pd.DataFrame,
    schema: TableSchema,
    recipe: HybridRecipe,
    *,
    policy: PrivacyPolicy,
    rng: np.random.Generator,
) -> Finding:
    """Plant coin flips, fit the models to them, draw A and Y, and guess the coins.

    A generator of W never saw an outcome, so its rows serve as they are; one that
    learns whole rows is fitted anew, and models and effect are those of its rows.

    Parameters
    ----------
    train : DataFrame, shape (n, p)
        Training rows, canonical.
    covariates : DataFrame, shape (n_syn, q)
        Synthetic covariates: as many rows as would be released.
    schema : TableSchema
    recipe : HybridRecipe
    policy : PrivacyPolicy
    rng : Generator
        Flips the coins, draws folds, treatments and outcomes.

    Raises
    ------
    EstimationError
        If the models cannot be fitted to the planted rows.
    """
    planting, fitting, drawing = rng.spawn(3)
    planted = plant_coin_flips(train, schema, planting)
    learnt_from = planted.table
    if recipe.private is not None:
        law = recipe.private.fit(planted.table, schema, fitting)
        learnt_from, _ = draw_valid(law, schema, len(covariates), fitting)
        covariates = learnt_from[schema.covariate_names]
    models = _models(learnt_from, schema, recipe, fitting)
    made = hybrid_triplets(covariates, models, settings=recipe.hybrid, rng=drawing)
    (finding,) = judge([audit_labels(schema.rounded(made.table), planted, schema, policy)], policy)
    return finding


def _models(
    table: pd.DataFrame, schema: TableSchema, recipe: HybridRecipe, rng: np.random.Generator
) -> GeneratingModels:
    """Fit the nuisances, and take the planted rows' own TMLE as the effect to keep."""
    fits = cross_fit_draws(table, schema, recipe.nuisance, rng, recipe.known_propensity)
    target = estimate_from_cross_fits(fits, ["tmle"])["tmle"]
    return GeneratingModels(
        propensity=fit_propensity_model(table, schema, recipe.nuisance, fits),
        outcome=fit_outcome_model(table, schema, recipe.nuisance, fits),
        mean_treated=target.mean_treated,
        mean_control=target.mean_control,
    )
