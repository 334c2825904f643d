"""A cost: positive, skewed to the right, and the more uneven the sicker the person."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.designs.base import Covariates, Design, expit
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role


def skewed_cost(n_rows: int, rng_seed: int) -> pd.DataFrame:
    """Draw a confounded study of a log-normal cost whose log-variance differs between people.

    female ~ B(.5); severity 1, 2, 3 with probabilities .5, .3, .2;
    frailty ~ N(0, 1); treated ~ B(expit(−.8 + .4 female + .4 (severity − 1) +
    .5 frailty)); log cost ~ N(m, s²) with m = 1 + .3 female + .3 (severity − 1)
    + .3 frailty − treated (.5 − .2 female) and s = .4 + .1 (severity − 1) + .2 treated.
    So E[cost | treated, W] = exp(m + s²/2).
    """
    random = np.random.RandomState(rng_seed)
    female = random.binomial(1, 0.5, n_rows)
    severity = 1 + (random.random_sample((n_rows, 1)) > (0.5, 0.8)).sum(axis=1)
    w = {"female": female, "severity": severity, "frailty": random.normal(0, 1, n_rows)}
    treated = random.binomial(1, skewed_propensity(w))
    mean, spread = _log_law(w, treated)
    cost = np.exp(mean + spread * random.normal(0, 1, n_rows))
    table = pd.DataFrame({**w, "treated": treated, "cost": cost})
    return table.astype({c.name: c.dtype for c in _COLUMNS})


def skewed_propensity(covariates: Covariates) -> np.ndarray:
    """Give P(treated = 1 | W), shape (n,), in (0, 1)."""
    female, severity, frailty = _numbers(covariates)
    return expit(-0.8 + 0.4 * female + 0.4 * (severity - 1) + 0.5 * frailty)


def skewed_outcome_mean(covariates: Covariates, treatment: np.ndarray | int) -> np.ndarray:
    """Give E[cost | treated, W], shape (n,), over 0."""
    mean, spread = _log_law(covariates, treatment)
    return np.asarray(np.exp(mean + spread**2 / 2))


def _log_law(covariates: Covariates, treatment: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    female, severity, frailty = _numbers(covariates)
    mean = 1 + 0.3 * female + 0.3 * (severity - 1) + 0.3 * frailty
    spread = 0.4 + 0.1 * (severity - 1) + 0.2 * treatment
    return mean - treatment * (0.5 - 0.2 * female), spread


def _numbers(covariates: Covariates) -> list[np.ndarray]:
    return [np.asarray(covariates[n], dtype=float) for n in ("female", "severity", "frailty")]


_COLUMNS = (
    ColumnSchema(name="female", role=Role.COVARIATE, kind=ColumnKind.BINARY),
    ColumnSchema(name="severity", role=Role.COVARIATE, kind=ColumnKind.ORDINAL, levels=(1, 2, 3)),
    ColumnSchema(name="frailty", role=Role.COVARIATE, kind=ColumnKind.CONTINUOUS),
    ColumnSchema(name="treated", role=Role.TREATMENT, kind=ColumnKind.BINARY),
    ColumnSchema(name="cost", role=Role.OUTCOME, kind=ColumnKind.CONTINUOUS),
)

SKEWED_COST = Design(
    word="skewed_cost",
    draw=skewed_cost,
    columns=_COLUMNS,
    propensity=skewed_propensity,
    outcome_mean=skewed_outcome_mean,
    true_ate=-1.10492787014,
    true_ate_error=1e-9,
    reference="our own coefficients in the heteroscedastic log-normal law of Manning and Mullahy "
    "2001, doi:10.1016/S0167-6296(01)00086-8; closed form in tests/reference/designs_true_ate.py",
)
