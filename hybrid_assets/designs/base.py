"""What every design is: a law to draw from, its nuisances and its true effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

Covariates = pd.DataFrame | dict[str, np.ndarray]


@dataclass(frozen=True)
class Design:
    """A law of (W, A, Y) with its true effect.

    Attributes
    ----------
    word : str
        Name in a study file.
    draw : callable
        ``draw(n_rows, rng_seed)`` gives a table with `columns`. It draws from
        numpy's legacy generator, whose stream is frozen.
    columns : tuple of ColumnSchema
        Covariates first, then treatment and outcome.
    propensity : callable
        ``propensity(table)`` gives P(A = 1 | W) of each row, shape (n,).
    outcome_mean : callable
        ``outcome_mean(table, arm)`` gives E[Y | A = arm, W] of each row, shape (n,).
    true_ate, true_ate_error : float
        Population effect E[E[Y|1,W] − E[Y|0,W]] and a bound on its numerical error.
    reference : str
        Where the design, and its true effect, come from.
    """

    word: str
    draw: Callable[[int, int], pd.DataFrame]
    columns: tuple[ColumnSchema, ...]
    propensity: Callable[[pd.DataFrame], np.ndarray]
    outcome_mean: Callable[[pd.DataFrame, int], np.ndarray]
    true_ate: float
    true_ate_error: float
    reference: str

    def __call__(self, n_rows: int, rng_seed: int) -> pd.DataFrame:
        """Draw `n_rows` rows; the same seed gives the same rows."""
        return self.draw(n_rows, rng_seed)

    @property
    def outcome_kind(self) -> ColumnKind:
        """``binary`` or ``continuous``."""
        return next(column.kind for column in self.columns if column.role is Role.OUTCOME)

    def schema(self) -> TableSchema:
        """Describe the columns of every table this design draws."""
        return TableSchema(study=self.word, columns=self.columns)


def design_columns(
    covariates: dict[str, ColumnKind], outcome: ColumnKind
) -> tuple[ColumnSchema, ...]:
    """Describe numeric covariates by kind, a treatment A and an outcome Y."""
    return (
        *(ColumnSchema(name=n, role=Role.COVARIATE, kind=k) for n, k in covariates.items()),
        ColumnSchema(name="A", role=Role.TREATMENT, kind=ColumnKind.BINARY),
        ColumnSchema(name="Y", role=Role.OUTCOME, kind=outcome),
    )


def expit(logit: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))
