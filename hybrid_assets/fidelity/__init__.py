"""How well a synthetic table resembles the real one, with the holdout's own score beside."""

from hybrid_assets.fidelity.block_losses import UNSEEN, block_losses
from hybrid_assets.fidelity.divergence import Divergence, divergence_from_design
from hybrid_assets.fidelity.drift import effect_drift
from hybrid_assets.fidelity.effect_diagnosis import (
    EffectDiagnosis,
    EffectMeasures,
    SeedReference,
    diagnose_effect,
    measure_table,
)
from hybrid_assets.fidelity.marginals import marginals
from hybrid_assets.fidelity.predictive_score import (
    PredictiveScore,
    train_on_synthetic_test_on_real,
)

__all__ = [
    "UNSEEN",
    "Divergence",
    "EffectDiagnosis",
    "EffectMeasures",
    "PredictiveScore",
    "SeedReference",
    "block_losses",
    "diagnose_effect",
    "divergence_from_design",
    "effect_drift",
    "marginals",
    "measure_table",
    "train_on_synthetic_test_on_real",
]
