"""Estimators of treatment effects, and all of them at once."""

from hybrid_assets.estimators.aipw import aipw
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimand import ESTIMANDS, Estimand, EstimandWord
from hybrid_assets.estimators.estimate_effects import (
    DEFAULT_ESTIMATORS,
    ESTIMATORS,
    Estimator,
    estimate_ate,
    estimate_from_cross_fits,
)
from hybrid_assets.estimators.inference import adjusted_for_synthesis, inference_factor
from hybrid_assets.estimators.iptw import iptw, iptw_stabilised
from hybrid_assets.estimators.outcome_regression import outcome_regression
from hybrid_assets.estimators.subgroups import (
    EffectQuestions,
    Stratum,
    estimate_effects,
    estimate_subgroup_effects,
    strata_of,
)
from hybrid_assets.estimators.tmle import tmle
from hybrid_assets.estimators.tmle_covariate import tmle_covariate

__all__ = [
    "DEFAULT_ESTIMATORS",
    "ESTIMANDS",
    "ESTIMATORS",
    "EffectEstimate",
    "EffectQuestions",
    "Estimand",
    "EstimandWord",
    "Estimator",
    "Stratum",
    "adjusted_for_synthesis",
    "aipw",
    "estimate_ate",
    "estimate_effects",
    "estimate_from_cross_fits",
    "estimate_subgroup_effects",
    "inference_factor",
    "iptw",
    "iptw_stabilised",
    "outcome_regression",
    "strata_of",
    "tmle",
    "tmle_covariate",
]
