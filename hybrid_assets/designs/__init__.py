"""Data-generating processes whose average treatment effect is known; one file a family."""

from hybrid_assets.designs.base import Design
from hybrid_assets.designs.kang_schafer import KANG_SCHAFER
from hybrid_assets.designs.nonlinear import NONLINEAR_BINARY
from hybrid_assets.designs.paper1 import (
    PAPER_1_DESIGNS,
    confounded_propensity,
    paper1_observational,
    paper1_outcome_mean,
    paper1_trial,
    paper1_trial_log_prob,
)
from hybrid_assets.designs.schuler_rose import SCHULER_ROSE
from hybrid_assets.designs.skewed import SKEWED_COST

DESIGNS: dict[str, Design] = {
    design.word: design
    for design in (
        *PAPER_1_DESIGNS,
        NONLINEAR_BINARY,
        SKEWED_COST,
        KANG_SCHAFER,
        SCHULER_ROSE,
    )
}

__all__ = [
    "DESIGNS",
    "Design",
    "confounded_propensity",
    "paper1_observational",
    "paper1_outcome_mean",
    "paper1_trial",
    "paper1_trial_log_prob",
]
