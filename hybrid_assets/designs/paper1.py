"""Paper 1's simulated trial and observational study, and milder relatives of our own."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from hybrid_assets.designs.base import Covariates, Design, design_columns, expit
from hybrid_assets.schema import ColumnKind

PAPER_1 = "Kim, Xu and Lin, arXiv 2511.00318, the published simulation script"


def paper1_trial(n_rows: int, rng_seed: int) -> pd.DataFrame:
    """Draw paper 1's randomised trial; seed 2 with 1000 rows is its published seed table."""
    random = np.random.RandomState(rng_seed)
    covariates = _paper1_covariates(n_rows, random)
    treatment = random.binomial(1, 0.5, n_rows)
    return _paper1_table(covariates, treatment, random)


def paper1_observational(n_rows: int, rng_seed: int) -> pd.DataFrame:
    """Draw paper 1's observational study, where 79 % of people have g < .001.

    Seed 1 with 200 rows is the published table of its positivity experiment.
    """
    random = np.random.RandomState(rng_seed)
    w = _paper1_covariates(n_rows, random)
    treatment = random.binomial(1, paper1_propensity(w))
    return _paper1_table(w, treatment, random)


def confounded_binary(n_rows: int, rng_seed: int) -> pd.DataFrame:
    """Draw paper 1's W and Y with a confounded, overlapping treatment (g in about [.1, .9])."""
    random = np.random.RandomState(rng_seed)
    w = _paper1_covariates(n_rows, random)
    treatment = random.binomial(1, confounded_propensity(w))
    return _paper1_table(w, treatment, random)


def confounded_continuous(n_rows: int, rng_seed: int) -> pd.DataFrame:
    """Draw a confounded study with a continuous outcome and uneven noise.

    Y = 1 + A (2 + W1 − .5 W4) + W2 − W3 + W4 + .5 W5² + (1 + .5 A + .5 W2) N(0, 1).
    """
    random = np.random.RandomState(rng_seed)
    w = _paper1_covariates(n_rows, random)
    treatment = random.binomial(1, confounded_propensity(w))
    noise = (1 + 0.5 * treatment + 0.5 * w["W2"]) * random.normal(0, 1, n_rows)
    return _table(w, treatment, _continuous_mean(w, treatment) + noise)


def paper1_propensity(covariates: Covariates) -> np.ndarray:
    """Give the true propensity of paper 1's observational study, shape (n,), in [0, 1]."""
    w = covariates
    logit = -30 + 16 * w["W1"] - 24 * w["W2"] + 12 * w["W3"]
    logit = logit + 6 * w["W4"] - 10 * w["W5"] + 16 * w["W6"]
    return expit(np.asarray(logit, dtype=float))


def confounded_propensity(covariates: Covariates) -> np.ndarray:
    """Give the true propensity of both confounded designs, shape (n,), in (0, 1)."""
    w = covariates
    logit = -0.5 + 0.5 * w["W1"] + 0.8 * w["W2"] - 0.8 * w["W3"] + 0.4 * w["W4"] - 0.4 * w["W5"]
    return expit(np.asarray(logit, dtype=float))


def paper1_outcome_mean(covariates: Covariates, treatment: np.ndarray | int) -> np.ndarray:
    """Give paper 1's P(Y = 1 | A, W), shape (n,), in (0, 1)."""
    w = {name: np.asarray(covariates[name]) for name in ("W1", "W2", "W3", "W4", "W5", "W6")}
    effect = 2 + 0.5 * np.sin(w["W1"]) + 0.3 * np.log(np.abs(w["W2"]) + 1) - 0.2 * w["W3"] ** 2
    effect = effect + 0.1 * np.exp(w["W4"]) - 0.3 * np.tanh(w["W5"]) + 0.2 * np.cos(w["W6"])
    logit = -0.5 + effect * treatment + 0.5 * w["W1"] + w["W2"] - w["W3"]
    return expit(logit + 0.2 * w["W4"] - 0.3 * w["W5"] + 0.1 * w["W6"])


def paper1_trial_log_prob(table: pd.DataFrame, decimals: int) -> np.ndarray:
    """Give the log probability of rows of paper 1's trial whose numbers are rounded.

    W6 and Y are taken given the rounded W4 to W6: at two decimals that is
    about 1e-6 nats from the law of rounded rows.

    Parameters
    ----------
    table : DataFrame of shape (n, 8)
        Columns W1 to W6, A and Y.
    decimals : int
        Of W4, W5 and W6.

    Returns
    -------
    ndarray of float64, shape (n,)
        In nats: of the cells that the rounded numbers stand for.
    """
    from scipy.special import ndtr

    half = 0.5 * 10.0**-decimals
    w4, w5, w6 = (table[name].to_numpy(dtype=float) for name in ("W4", "W5", "W6"))
    p3 = 0.3 + 0.175 * (table["W1"] + table["W2"])
    p_y = paper1_outcome_mean(table, table["A"].to_numpy())
    found = 3 * np.log(0.5) + np.log(np.where(table["W3"] == 1, p3, 1 - p3))
    for off in (w4, w5, w6 - 0.5 * w4 - 0.5 * w5):
        tail = -np.abs(off)  # where differences of probabilities are exact
        found = found + np.log(ndtr(tail + half) - ndtr(tail - half))
    return np.asarray(found + np.log(np.where(table["Y"] == 1, p_y, 1 - p_y)))


def _continuous_mean(covariates: Covariates, treatment: np.ndarray | int) -> np.ndarray:
    w = covariates
    mean = 1 + treatment * (2 + w["W1"] - 0.5 * w["W4"])
    return np.asarray(mean + w["W2"] - w["W3"] + w["W4"] + 0.5 * w["W5"] ** 2)


def _even_coin(covariates: Covariates) -> np.ndarray:
    return np.full(len(covariates["W1"]), 0.5)


def _paper1_covariates(n_rows: int, random: np.random.RandomState) -> dict[str, np.ndarray]:
    w1 = random.binomial(1, 0.5, n_rows)
    w2 = random.binomial(1, 0.5, n_rows)
    w3 = random.binomial(1, 0.3 + 0.175 * (w1 + w2))
    w4 = random.normal(0, 1, n_rows)
    w5 = random.normal(0, 1, n_rows)
    w6 = 0.5 * w4 + 0.5 * w5 + random.normal(0, 1, n_rows)
    return {"W1": w1, "W2": w2, "W3": w3, "W4": w4, "W5": w5, "W6": w6}


def _paper1_table(
    covariates: dict[str, np.ndarray], treatment: np.ndarray, random: np.random.RandomState
) -> pd.DataFrame:
    outcome = random.binomial(1, paper1_outcome_mean(covariates, treatment))
    return _table(covariates, treatment, outcome.astype("int64"))


def _table(
    covariates: dict[str, np.ndarray], treatment: np.ndarray, outcome: np.ndarray
) -> pd.DataFrame:
    table = pd.DataFrame({**covariates, "A": treatment, "Y": outcome})
    return table.astype({name: "int64" for name in ("W1", "W2", "W3", "A")})


_COVARIATES = dict.fromkeys(("W1", "W2", "W3"), ColumnKind.BINARY)
_COVARIATES |= dict.fromkeys(("W4", "W5", "W6"), ColumnKind.CONTINUOUS)

# tests/reference/designs_true_ate.py integrates paper 1's effect over its six covariates.
_with_paper1_outcome = partial(
    Design,
    columns=design_columns(_COVARIATES, ColumnKind.BINARY),
    outcome_mean=paper1_outcome_mean,
    true_ate=0.418467615942,
    true_ate_error=1e-9,
)

PAPER_1_DESIGNS = (
    _with_paper1_outcome(
        word="paper1_trial", draw=paper1_trial, propensity=_even_coin, reference=PAPER_1
    ),
    _with_paper1_outcome(
        word="paper1_observational",
        draw=paper1_observational,
        propensity=paper1_propensity,
        reference=PAPER_1,
    ),
    _with_paper1_outcome(
        word="confounded_binary",
        draw=confounded_binary,
        propensity=confounded_propensity,
        reference="paper 1's covariates and outcome, a milder treatment of our own",
    ),
    Design(
        word="confounded_continuous",
        draw=confounded_continuous,
        columns=design_columns(_COVARIATES, ColumnKind.CONTINUOUS),
        propensity=confounded_propensity,
        outcome_mean=_continuous_mean,
        true_ate=2.5,
        true_ate_error=0.0,
        reference="our own; E[2 + W1 - .5 W4] in closed form",
    ),
)
