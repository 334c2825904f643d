"""Kang and Schafer 2007: both nuisances simple in what nobody observes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.designs.base import Covariates, Design, design_columns, expit
from hybrid_assets.schema import ColumnKind


def kang_schafer(n_rows: int, rng_seed: int) -> pd.DataFrame:
    """Draw Kang and Schafer's study with its response indicator as the treatment.

    Z1..Z4 ~ N(0, 1), unobserved; A ~ B(expit(−Z1 + .5 Z2 − .25 Z3 − .1 Z4));
    Y = 210 + 27.4 Z1 + 13.7 (Z2 + Z3 + Z4) + N(0, 1). Observed are
    X1 = exp(Z1/2), X2 = Z2/(1 + exp(Z1)) + 10, X3 = (Z1 Z3/25 + .6)³ and
    X4 = (Z2 + Z4 + 20)². In the paper A says whose Y is seen, and the mean of
    Y (210) is asked for. Here, as is usual where it serves as a study of an
    effect, everybody's Y is seen and A does nothing: the effect is 0 for
    everybody, and the crude difference is about −20. The formulas are those of
    several public implementations, which agree.

    References
    ----------
    Kang and Schafer 2007, doi:10.1214/07-STS227.
    """
    random = np.random.RandomState(rng_seed)
    z1, z2, z3, z4 = random.normal(0, 1, (4, n_rows))
    treatment = random.binomial(1, expit(_logit(z1, z2, z3, z4)))
    outcome = _mean(z1, z2, z3, z4) + random.normal(0, 1, n_rows)
    table = {
        "X1": np.exp(z1 / 2),
        "X2": z2 / (1 + np.exp(z1)) + 10,
        "X3": (z1 * z3 / 25 + 0.6) ** 3,
        "X4": (z2 + z4 + 20) ** 2,
        "A": treatment,
        "Y": outcome,
    }
    return pd.DataFrame(table).astype({"A": "int64"})


def kang_schafer_propensity(covariates: Covariates) -> np.ndarray:
    """Give P(A = 1 | W), shape (n,), in (0, 1)."""
    return expit(_logit(*_unobserved(covariates)))


def kang_schafer_outcome_mean(covariates: Covariates, treatment: np.ndarray | int) -> np.ndarray:
    """Give E[Y | A, W], shape (n,): the same in both arms."""
    return _mean(*_unobserved(covariates))


def _logit(z1: np.ndarray, z2: np.ndarray, z3: np.ndarray, z4: np.ndarray) -> np.ndarray:
    return np.asarray(-z1 + 0.5 * z2 - 0.25 * z3 - 0.1 * z4)


def _mean(z1: np.ndarray, z2: np.ndarray, z3: np.ndarray, z4: np.ndarray) -> np.ndarray:
    return np.asarray(210 + 27.4 * z1 + 13.7 * (z2 + z3 + z4))


def _unobserved(covariates: Covariates) -> tuple[np.ndarray, ...]:
    """Solve the four transformations for Z; X4 has one root where Z2 + Z4 > −20."""
    x1, x2, x3, x4 = (np.asarray(covariates[n], dtype=float) for n in ("X1", "X2", "X3", "X4"))
    z1 = 2 * np.log(x1)
    z2 = (x2 - 10) * (1 + np.exp(z1))
    return z1, z2, 25 * (np.cbrt(x3) - 0.6) / z1, np.sqrt(x4) - 20 - z2


KANG_SCHAFER = Design(
    word="kang_schafer",
    draw=kang_schafer,
    columns=design_columns(
        dict.fromkeys(("X1", "X2", "X3", "X4"), ColumnKind.CONTINUOUS), ColumnKind.CONTINUOUS
    ),
    propensity=kang_schafer_propensity,
    outcome_mean=kang_schafer_outcome_mean,
    true_ate=0.0,
    true_ate_error=0.0,
    reference="Kang and Schafer 2007, doi:10.1214/07-STS227, the response indicator as a "
    "treatment without effect",
)
