"""How the effect of a hybrid table answers to misspecification, seed size, dimension, filters."""

from hybrid_assets.sensitivity.answers import sensitivity_answers
from hybrid_assets.sensitivity.population import KnownPopulation, known_population
from hybrid_assets.sensitivity.settings import SensitivitySettings
from hybrid_assets.sensitivity.simulate import SENSITIVITY_COMMENTS, simulate_sensitivity

__all__ = [
    "SENSITIVITY_COMMENTS",
    "KnownPopulation",
    "SensitivitySettings",
    "known_population",
    "sensitivity_answers",
    "simulate_sensitivity",
]
