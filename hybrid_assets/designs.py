"""Data-generating processes whose average treatment effect is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

PAPER_1 = "Kim, Xu and Lin, arXiv 2511.00318, the published simulation script"


@dataclass(frozen=True)
class Design:
    """A law of (W, A, Y) with its true effect.

    Attributes
    ----------
    word : str
        Name in a study file.
    draw : callable
        ``draw(n_rows, rng_seed)`` gives a table with columns W1..W6, A, Y.
    outcome_kind : ColumnKind
        ``binary`` or ``continuous``.
    true_ate, true_ate_error : float
        Population effect E[E[Y|1,W] − E[Y|0,W]] and a bound on its numerical error.
    reference : str
        Where the design, and its true effect, come from.
    """

    word: str
    draw: Callable[[int, int], pd.DataFrame]
    outcome_kind: ColumnKind
    true_ate: float
    true_ate_error: float
    reference: str

    def __call__(self, n_rows: int, rng_seed: int) -> pd.DataFrame:
        """Draw `n_rows` rows; the same seed gives the same rows."""
        return self.draw(n_rows, rng_seed)

    def schema(self) -> TableSchema:
        """Describe the columns of every table this design draws."""
        binary, continuous = ColumnKind.BINARY, ColumnKind.CONTINUOUS
        covariates = [("W1", binary), ("W2", binary), ("W3", binary)]
        covariates += [("W4", continuous), ("W5", continuous), ("W6", continuous)]
        return TableSchema(
            study=self.word,
            columns=(
                *(ColumnSchema(name=n, role=Role.COVARIATE, kind=k) for n, k in covariates),
                ColumnSchema(name="A", role=Role.TREATMENT, kind=binary),
                ColumnSchema(name="Y", role=Role.OUTCOME, kind=self.outcome_kind),
            ),
        )


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
    logit = -30 + 16 * w["W1"] - 24 * w["W2"] + 12 * w["W3"]
    logit = logit + 6 * w["W4"] - 10 * w["W5"] + 16 * w["W6"]
    treatment = random.binomial(1, _expit(logit))
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
    mean = 1 + treatment * (2 + w["W1"] - 0.5 * w["W4"])
    mean = mean + w["W2"] - w["W3"] + w["W4"] + 0.5 * w["W5"] ** 2
    noise = (1 + 0.5 * treatment + 0.5 * w["W2"]) * random.normal(0, 1, n_rows)
    return _table(w, treatment, mean + noise)


def confounded_propensity(covariates: pd.DataFrame | dict[str, np.ndarray]) -> np.ndarray:
    """Give the true propensity of both confounded designs, shape (n,), in (0, 1)."""
    w = covariates
    logit = -0.5 + 0.5 * w["W1"] + 0.8 * w["W2"] - 0.8 * w["W3"] + 0.4 * w["W4"] - 0.4 * w["W5"]
    return _expit(np.asarray(logit, dtype=float))


def paper1_outcome_mean(
    covariates: pd.DataFrame | dict[str, np.ndarray], treatment: np.ndarray | int
) -> np.ndarray:
    """Give paper 1's P(Y = 1 | A, W), shape (n,), in (0, 1)."""
    w = {name: np.asarray(covariates[name]) for name in ("W1", "W2", "W3", "W4", "W5", "W6")}
    effect = 2 + 0.5 * np.sin(w["W1"]) + 0.3 * np.log(np.abs(w["W2"]) + 1) - 0.2 * w["W3"] ** 2
    effect = effect + 0.1 * np.exp(w["W4"]) - 0.3 * np.tanh(w["W5"]) + 0.2 * np.cos(w["W6"])
    logit = -0.5 + effect * treatment + 0.5 * w["W1"] + w["W2"] - w["W3"]
    return _expit(logit + 0.2 * w["W4"] - 0.3 * w["W5"] + 0.1 * w["W6"])


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


def _expit(logit: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))


# tests/reference/designs_true_ate.py integrates paper 1's effect over its six covariates.
_PAPER1_ATE = 0.418467615942

DESIGNS: dict[str, Design] = {
    design.word: design
    for design in (
        Design("paper1_trial", paper1_trial, ColumnKind.BINARY, _PAPER1_ATE, 1e-9, PAPER_1),
        Design(
            "paper1_observational",
            paper1_observational,
            ColumnKind.BINARY,
            _PAPER1_ATE,
            1e-9,
            PAPER_1,
        ),
        Design(
            "confounded_binary",
            confounded_binary,
            ColumnKind.BINARY,
            _PAPER1_ATE,
            1e-9,
            "paper 1's covariates and outcome, a milder treatment of our own",
        ),
        Design(
            "confounded_continuous",
            confounded_continuous,
            ColumnKind.CONTINUOUS,
            2.5,
            0.0,
            "our own; E[2 + W1 - .5 W4] in closed form",
        ),
    )
}
