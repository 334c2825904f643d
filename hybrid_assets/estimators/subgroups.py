"""What a study asks of its table, answered for everyone and for subgroups."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.effect_estimate import EffectEstimate
from hybrid_assets.estimators.estimand import EstimandWord
from hybrid_assets.estimators.estimate_effects import (
    DEFAULT_ESTIMATORS,
    estimate_from_cross_fits,
)
from hybrid_assets.nuisance.cross_fitting import CrossFit
from hybrid_assets.schema import ColumnSchema, TableSchema, level_words

MIN_ROWS_PER_ARM = 10
SUBGROUP_COLUMN = "a binary, categorical or ordinal covariate for subgroups"


@dataclass(frozen=True)
class EffectQuestions:
    """Which effects to estimate, how, and for whom.

    Attributes
    ----------
    estimators, estimands : tuple of str
        Words of `ESTIMATORS` and `ESTIMANDS`.
    subgroups : tuple of str
        Covariates with listed levels; each level is a subgroup.
    """

    estimators: tuple[str, ...] = DEFAULT_ESTIMATORS
    estimands: tuple[EstimandWord, ...] = ("ate",)
    subgroups: tuple[str, ...] = ()

    def one_by_one(self) -> list[EffectQuestions]:
        """Ask for each estimand by each estimator alone."""
        return [
            replace(self, estimators=(estimator,), estimands=(estimand,))
            for estimand in self.estimands
            for estimator in self.estimators
        ]


@dataclass(frozen=True, eq=False)
class Stratum:
    """The rows that share a level of a column.

    Attributes
    ----------
    column, level : str
    rows : ndarray of bool, shape (n,)
    n_treated, n_control : int
    """

    column: str
    level: str
    rows: np.ndarray
    n_treated: int
    n_control: int

    @property
    def is_thin(self) -> bool:
        """Whether an arm has under 10 rows: too few for a normal interval."""
        return min(self.n_treated, self.n_control) < MIN_ROWS_PER_ARM


def estimate_effects(
    cross_fits: tuple[CrossFit, ...], questions: EffectQuestions
) -> list[EffectEstimate]:
    """Answer every question about everyone, estimand by estimand.

    Parameters
    ----------
    cross_fits : tuple of CrossFit
        An odd number, of the same rows.
    questions : EffectQuestions

    Raises
    ------
    EstimationError
        If an estimand does not suit the outcome, or an equation is not solved.
    """
    return [
        effect
        for estimand in questions.estimands
        for effect in estimate_from_cross_fits(
            cross_fits, questions.estimators, estimand=estimand
        ).values()
    ]


def estimate_subgroup_effects(
    cross_fits: tuple[CrossFit, ...],
    strata: list[Stratum],
    questions: EffectQuestions,
) -> list[EffectEstimate]:
    """Answer every question about every stratum, from the whole table's cross-fits.

    Estimators see the stratum's rows only: TMLE is targeted to the stratum,
    and the influence function is the stratum's. Intervals are not adjusted
    for the number of subgroups.

    Parameters
    ----------
    cross_fits : tuple of CrossFit
        An odd number, of the rows that the strata are of.
    strata : list of Stratum
        From `strata_of`.
    questions : EffectQuestions

    Raises
    ------
    EstimationError
        If a stratum has under 10 rows in an arm, or an estimator refuses it;
        the message names the column, and the level only if it is not thin.
    """
    found = []
    for stratum in strata:
        if stratum.is_thin:
            # a level of few people is itself confidential, and so is their number
            raise EstimationError(
                f"subgroups of {stratum.column}: expected {MIN_ROWS_PER_ARM} rows or more in each "
                "arm at every level; got a level with fewer (group the rare levels first)"
            )
        name = f"subgroup {stratum.column} = {stratum.level}"
        try:
            effects = estimate_effects(
                tuple(fit.restricted(stratum.rows) for fit in cross_fits), questions
            )
        except EstimationError as error:
            raise type(error)(f"{name}: {error}") from error
        found += [
            replace(effect, subgroup=stratum.column, subgroup_level=stratum.level)
            for effect in effects
        ]
    return found


def strata_of(table: pd.DataFrame, schema: TableSchema, columns: tuple[str, ...]) -> list[Stratum]:
    """Split a table by each of some columns, level by level in the schema's order.

    Parameters
    ----------
    table : DataFrame
        Canonical, with the columns of `schema`.
    schema : TableSchema
    columns : tuple of str
        Covariates with listed levels (binary, categorical or ordinal).

    Raises
    ------
    EstimationError
        If a column is not such a covariate.
    """
    treatment = table[schema.treatment].to_numpy(dtype=float)
    found = []
    for name in columns:
        problem = subgroup_problem(schema, name)
        if problem:
            raise EstimationError(
                f"study {schema.study!r}, column {name!r}: expected {SUBGROUP_COLUMN}; "
                f"got {problem}"
            )
        words = level_words(table[name]).to_numpy()
        for level in _levels(schema[name]):
            rows = words == level
            n_treated = int(treatment[rows].sum())
            found.append(Stratum(name, level, rows, n_treated, int(rows.sum()) - n_treated))
    return found


def subgroup_problem(schema: TableSchema, name: str) -> str:
    """Say what a column is instead of a covariate with listed levels; empty if it is one."""
    if name not in schema.covariate_names:
        return "no covariate that varies"
    column = schema[name]
    return "" if column.is_discrete_set else f"a column of kind {column.kind.value}"


def _levels(column: ColumnSchema) -> list[str]:
    return [str(level) for level in column.levels or (0, 1)]
