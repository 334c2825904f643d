"""How well a synthetic table resembles the real one, with the holdout's own score beside."""

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
    "EffectDiagnosis",
    "EffectMeasures",
    "PredictiveScore",
    "SeedReference",
    "diagnose_effect",
    "effect_drift",
    "marginals",
    "measure_table",
    "train_on_synthetic_test_on_real",
]
