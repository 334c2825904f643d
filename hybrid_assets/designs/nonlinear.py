"""A confounder that no additive model sees: XOR of two columns, and a sine."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.designs.base import Covariates, Design, design_columns, expit
from hybrid_assets.schema import ColumnKind


def nonlinear_binary(n_rows: int, rng_seed: int) -> pd.DataFrame:
    """Draw a confounded study whose nuisances are neither linear nor additive.

    W1, W2, W3 ~ B(.5); W4, W5 ~ N(0, 1); S = sin(2 W4) + 1 where W1 and W2
    differ, − 1 where they agree; A ~ B(expit(S));
    Y ~ B(expit(−.5 + (1 + .5 W3) A + 1.1 S + .5 sin(2 W5))).
    Overlap is good (g in [.119, .881]); the crude difference is .25 too high.
    """
    random = np.random.RandomState(rng_seed)
    w: dict[str, np.ndarray] = {}
    w |= {name: random.binomial(1, 0.5, n_rows) for name in ("W1", "W2", "W3")}
    w |= {name: random.normal(0, 1, n_rows) for name in ("W4", "W5")}
    treatment = random.binomial(1, nonlinear_propensity(w))
    outcome = random.binomial(1, nonlinear_outcome_mean(w, treatment))
    table = pd.DataFrame({**w, "A": treatment, "Y": outcome})
    return table.astype({name: "int64" for name in ("W1", "W2", "W3", "A", "Y")})


def nonlinear_propensity(covariates: Covariates) -> np.ndarray:
    """Give P(A = 1 | W), shape (n,), in [.119, .881]."""
    return expit(_confounder(covariates))


def nonlinear_outcome_mean(covariates: Covariates, treatment: np.ndarray | int) -> np.ndarray:
    """Give P(Y = 1 | A, W), shape (n,), in (0, 1)."""
    w = covariates
    logit = -0.5 + (1 + 0.5 * w["W3"]) * treatment + 1.1 * _confounder(w)
    return expit(np.asarray(logit + 0.5 * np.sin(2 * w["W5"]), dtype=float))


def _confounder(covariates: Covariates) -> np.ndarray:
    differ = np.asarray(covariates["W1"]) != np.asarray(covariates["W2"])
    return np.asarray(np.sin(2 * np.asarray(covariates["W4"])) + np.where(differ, 1.0, -1.0))


_COVARIATES = dict.fromkeys(("W1", "W2", "W3"), ColumnKind.BINARY)
_COVARIATES |= dict.fromkeys(("W4", "W5"), ColumnKind.CONTINUOUS)

NONLINEAR_BINARY = Design(
    word="nonlinear_binary",
    draw=nonlinear_binary,
    columns=design_columns(_COVARIATES, ColumnKind.BINARY),
    propensity=nonlinear_propensity,
    outcome_mean=nonlinear_outcome_mean,
    true_ate=0.217217781404,
    true_ate_error=1e-9,
    reference="our own, after the sine and interaction designs of Nie and Wager 2021, "
    "doi:10.1093/biomet/asaa076; integrated in tests/reference/designs_true_ate.py",
)
