"""Schuler and Rose 2017: three binary confounders and one interaction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.designs.base import Covariates, Design, design_columns, expit
from hybrid_assets.schema import ColumnKind


def schuler_rose(n_rows: int, rng_seed: int) -> pd.DataFrame:
    """Draw physical exercise (A) and a depression score (Y).

    X1 (sex) ~ B(.55), X2 (therapy) ~ B(.3), X3 (antidepressant) ~ B(.25);
    A ~ B(expit(−.5 + .75 X1 + X2 + 1.5 X3));
    Y = 24 − 3 A + 3 X1 − 4 X2 − 6 X3 − 1.5 A X3 + 4.5 N(0, 1). The coefficients
    are those of three public copies of the article's appendix code.

    References
    ----------
    Schuler and Rose 2017, doi:10.1093/aje/kww165.
    """
    random = np.random.RandomState(rng_seed)
    shares = {"X1": 0.55, "X2": 0.30, "X3": 0.25}
    x = {name: random.binomial(1, share, n_rows) for name, share in shares.items()}
    treatment = random.binomial(1, schuler_rose_propensity(x))
    outcome = schuler_rose_outcome_mean(x, treatment) + random.normal(0, 4.5, n_rows)
    table = pd.DataFrame({**x, "A": treatment, "Y": outcome})
    return table.astype({name: "int64" for name in ("X1", "X2", "X3", "A")})


def schuler_rose_propensity(covariates: Covariates) -> np.ndarray:
    """Give P(A = 1 | W), shape (n,), in [.38, .94]."""
    x = covariates
    logit = -0.5 + 0.75 * x["X1"] + x["X2"] + 1.5 * x["X3"]
    return expit(np.asarray(logit, dtype=float))


def schuler_rose_outcome_mean(covariates: Covariates, treatment: np.ndarray | int) -> np.ndarray:
    """Give E[Y | A, W], shape (n,)."""
    x = covariates
    mean = 24 - 3 * treatment + 3 * x["X1"] - 4 * x["X2"] - 6 * x["X3"]
    return np.asarray(mean - 1.5 * treatment * x["X3"])


SCHULER_ROSE = Design(
    word="schuler_rose",
    draw=schuler_rose,
    columns=design_columns(
        dict.fromkeys(("X1", "X2", "X3"), ColumnKind.BINARY), ColumnKind.CONTINUOUS
    ),
    propensity=schuler_rose_propensity,
    outcome_mean=schuler_rose_outcome_mean,
    true_ate=-3.375,
    true_ate_error=0.0,
    reference="Schuler and Rose 2017, doi:10.1093/aje/kww165; -3 - 1.5 P(X3 = 1) in closed form",
)
