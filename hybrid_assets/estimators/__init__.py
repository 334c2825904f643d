"""Estimators of the average treatment effect, and all of them at once."""

from hybrid_assets.estimators.aipw import aipw
from hybrid_assets.estimators.ate_estimate import AteEstimate
from hybrid_assets.estimators.estimate_ate import (
    ESTIMATORS,
    estimate_ate,
    estimate_from_cross_fits,
)
from hybrid_assets.estimators.inference import adjusted_for_synthesis, inference_factor
from hybrid_assets.estimators.iptw import iptw
from hybrid_assets.estimators.outcome_regression import outcome_regression
from hybrid_assets.estimators.tmle import tmle

__all__ = [
    "ESTIMATORS",
    "AteEstimate",
    "adjusted_for_synthesis",
    "aipw",
    "estimate_ate",
    "estimate_from_cross_fits",
    "inference_factor",
    "iptw",
    "outcome_regression",
    "tmle",
]
