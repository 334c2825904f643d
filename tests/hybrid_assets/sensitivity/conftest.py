"""A small known population of a trial, and one with a measurement as outcome."""

import numpy as np
import pytest

from hybrid_assets.designs import DESIGNS
from hybrid_assets.hybrid import GeneratingModels
from hybrid_assets.nuisance import (
    NuisanceSettings,
    cross_fit,
    fit_outcome_model,
    fit_propensity_model,
)
from hybrid_assets.sensitivity import known_population

LIBRARY = NuisanceSettings(
    n_fold_draws=1, propensity_library=("constant", "linear"), outcome_library=("linear", "spline")
)


def population_of(word, arm_means, known, plants_confounding, covariates=None):
    design = DESIGNS[word]
    schema = design.schema()
    schema = schema.select([*(covariates or schema.covariate_names), "A", "Y"])
    train = schema.canonical(design(900, 2)[schema.names])
    fits = (cross_fit(train, schema, LIBRARY, np.random.default_rng(0), known),)
    models = GeneratingModels(
        fit_propensity_model(train, schema, LIBRARY, fits),
        fit_outcome_model(train, schema, LIBRARY, fits),
        mean_control=arm_means[0],
        mean_treated=arm_means[1],
    )
    pool = schema.canonical(design(4000, 3)[schema.names])[schema.covariate_names]
    return known_population(
        pool, models, plants_confounding=plants_confounding, rng=np.random.default_rng(1)
    )


@pytest.fixture(scope="session")
def trial_population():
    return population_of("paper1_trial", (0.45, 0.85), 0.5, True)


@pytest.fixture(scope="session")
def binary_population():
    """Three covariates of two levels each: every synthetic row equals a person's."""
    return population_of("paper1_trial", (0.45, 0.85), 0.5, True, ["W1", "W2", "W3"])


@pytest.fixture(scope="session")
def measured_population():
    return population_of("confounded_continuous", (2.0, 4.5), None, False)


@pytest.fixture(scope="session")
def library():
    return LIBRARY
