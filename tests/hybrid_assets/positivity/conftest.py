"""Cross-fits of designs, at the price of one ridge regression a fold."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.designs import DESIGNS
from hybrid_assets.nuisance import CrossFit, NuisanceSettings, cross_fit_draws

RIDGE = NuisanceSettings(
    n_fold_draws=3, propensity_library=("linear",), outcome_library=("linear",)
)


@pytest.fixture
def ridge() -> NuisanceSettings:
    """Give main-effect models for both nuisances."""
    return RIDGE


@pytest.fixture
def cross_fits() -> Callable[..., tuple[pd.DataFrame, tuple[CrossFit, ...]]]:
    """Draw from a design and cross-fit it."""

    def fit(word: str, n_rows: int, seed: int = 1) -> tuple[pd.DataFrame, tuple[CrossFit, ...]]:
        schema = DESIGNS[word].schema()
        table = schema.canonical(DESIGNS[word](n_rows, seed))
        return table, cross_fit_draws(table, schema, RIDGE, np.random.default_rng(0))

    return fit
