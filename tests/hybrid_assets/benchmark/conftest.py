"""Populations that the tests of the engine share."""

import numpy as np
import pytest

from hybrid_assets.benchmark import HybridPopulation
from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import estimate_from_cross_fits
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.nuisance import (
    NuisanceSettings,
    cross_fit_draws,
    fit_outcome_model,
    fit_propensity_model,
)


def population_of(word, n_pool=5000, **settings):
    """Fit a design's generating models and put a pool of its covariates under them."""
    design = DESIGNS[word]
    table, schema = design(1000, 2), design.schema()
    learners = ("constant", "linear"), ("linear", "spline")
    nuisance = NuisanceSettings(
        n_fold_draws=1, propensity_library=learners[0], outcome_library=learners[1]
    )
    fits = cross_fit_draws(table, schema, nuisance, np.random.default_rng(0))
    seed = estimate_from_cross_fits(fits)["tmle"]
    models = GeneratingModels(
        fit_propensity_model(table, schema, nuisance, fits),
        fit_outcome_model(table, schema, nuisance, fits),
        seed.mean_treated,
        seed.mean_control,
    )
    pool = design(n_pool, 3)[schema.covariate_names]
    return HybridPopulation.from_models(pool, models, HybridSettings(**settings)), seed


@pytest.fixture(scope="session")
def binary():
    """Give a confounded population with a binary outcome, and the seed's TMLE."""
    return population_of("confounded_binary")


@pytest.fixture(scope="session")
def continuous():
    """The same with a continuous outcome."""
    return population_of("confounded_continuous")


@pytest.fixture(scope="session")
def randomised():
    """A randomised one, whose propensity the analyst knows."""
    return population_of("confounded_binary", assignment="randomised", treated_probability=0.4)
