"""What a hybrid table knows about itself: kept in the warehouse, never in a release."""

from typing import Final

import pandas as pd

from hybrid_assets.blocks import mean_of
from hybrid_assets.hybrid import HybridTable
from warehouse import TableBlocks

PROPENSITY: Final = "__propensity"
OUTCOME_CONTROL: Final = "__outcome_control"
OUTCOME_TREATED: Final = "__outcome_treated"
CATE: Final = "__cate"

TRUTH_COMMENTS = {
    PROPENSITY: "probability that the row's treatment was drawn with",
    OUTCOME_CONTROL: "true mean outcome of the row under control",
    OUTCOME_TREATED: "true mean outcome of the row under treatment",
    CATE: "true effect given the row's covariates",
}
RELEASED_TRUTH = {
    "outcome_control_mean": OUTCOME_CONTROL,
    "outcome_treated_mean": OUTCOME_TREATED,
}


def with_truth(hybrid: HybridTable, stored: pd.DataFrame) -> pd.DataFrame:
    """Set the truth columns beside the stored triplets."""
    return stored.assign(
        **{
            PROPENSITY: hybrid.propensity,
            OUTCOME_CONTROL: hybrid.outcome_control,
            OUTCOME_TREATED: hybrid.outcome_treated,
            CATE: hybrid.cate,
        }
    )


def released_truth(stored: pd.DataFrame, decimals: int) -> pd.DataFrame:
    """Give the counterfactual means of stored triplets, named and rounded for a release."""
    named = {name: stored[column] for name, column in RELEASED_TRUTH.items()}
    return pd.DataFrame(named).round(decimals) + 0.0  # -0.0 becomes 0.0


def exact_effect(stored: TableBlocks) -> float:
    """Give the effect of a hybrid population by construction, over all rows."""
    treated, control = (
        mean_of(block[name].to_numpy() for block in stored.blocks([name]))
        for name in (OUTCOME_TREATED, OUTCOME_CONTROL)
    )
    return treated - control


def treated_probability(stored: TableBlocks) -> float:
    """Give the coin that every treatment of a randomised hybrid table was drawn with."""
    return float(next(stored.blocks([PROPENSITY]))[PROPENSITY][0].as_py())
