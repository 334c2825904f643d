"""A study's table as the arrays that nuisance models need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance.basis import BasisWord, CovariateBasis, main_effect_names
from hybrid_assets.nuisance.library import ArmDesign
from hybrid_assets.nuisance.settings import (
    AnyNuisanceSettings,
    ForestSettings,
    ParametricSettings,
)
from hybrid_assets.schema import ColumnKind, TableSchema

MIN_ROWS_PER_ARM_MODEL = 100


@dataclass(frozen=True, eq=False, repr=False)
class Observed:
    """One table, and how its covariates are encoded.

    Attributes
    ----------
    basis : CovariateBasis
    covariates : DataFrame, shape (n, p)
    treatment, outcome : ndarray, shape (n,)
    is_binary : bool
        Whether the outcome is.
    arm_design : ArmDesign
        Per arm, or pooled when an arm has under 100 rows; a forest is pooled, with
        treatment as its last column.
    """

    basis: CovariateBasis
    covariates: pd.DataFrame
    treatment: np.ndarray
    outcome: np.ndarray
    is_binary: bool
    arm_design: ArmDesign

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, schema: TableSchema, settings: AnyNuisanceSettings
    ) -> Self:
        """Check and encode a table with the columns of `schema`.

        Raises
        ------
        EstimationError
            If an arm is empty, a value is missing or a named covariate unusable.
        """
        treatment = _numbers(table, schema, schema.treatment)
        outcome = _numbers(table, schema, schema.outcome)
        is_binary = schema[schema.outcome].kind is ColumnKind.BINARY
        _require_binary(treatment, schema, schema.treatment)
        if is_binary:
            _require_binary(outcome, schema, schema.outcome)
        covariates = schema.covariates
        squares = settings.squares if isinstance(settings, ParametricSettings) else ()
        _require_known(squares, covariates, numeric=True)
        basis = CovariateBasis.fit(table, covariates, squares)
        smallest_arm = int(min(treatment.sum(), (1 - treatment).sum()))
        return cls(
            basis=basis,
            covariates=table[covariates.names],
            treatment=treatment,
            outcome=outcome,
            is_binary=is_binary,
            arm_design=_arm_design(settings, covariates, smallest_arm),
        )

    def matrix(self, word: BasisWord) -> np.ndarray:
        """Make the design matrix of a basis, shape (n, n_columns): much larger than the table."""
        return self.basis.matrices(self.covariates, {word})[word]


def _arm_design(
    settings: AnyNuisanceSettings, covariates: TableSchema, smallest_arm: int
) -> ArmDesign:
    if isinstance(settings, ForestSettings):
        return ArmDesign(is_pooled=True, interactions=())
    if not isinstance(settings, ParametricSettings):
        return ArmDesign(is_pooled=smallest_arm < MIN_ROWS_PER_ARM_MODEL)
    _require_known(settings.treatment_interactions, covariates)
    sources = main_effect_names(covariates)
    named = set(settings.treatment_interactions)
    picked = tuple(index for index, source in enumerate(sources) if source in named)
    return ArmDesign(is_pooled=True, interactions=picked)


def _numbers(table: pd.DataFrame, schema: TableSchema, name: str) -> np.ndarray:
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    n_bad = int((~np.isfinite(values)).sum())
    if n_bad or not len(values):
        raise EstimationError(
            f"study {schema.study!r}, column {name!r}: expected finite numbers in every row; "
            f"got {n_bad} other values in {len(values)} rows"
        )
    return values


def _require_binary(values: np.ndarray, schema: TableSchema, name: str) -> None:
    n_other = int((~np.isin(values, (0.0, 1.0))).sum())
    n_ones = int((values == 1.0).sum())
    if n_other or (name == schema.treatment and n_ones in (0, len(values))):
        raise EstimationError(
            f"study {schema.study!r}, column {name!r}: expected 0 and 1, both present; "
            f"got {n_ones} ones and {n_other} other values in {len(values)} rows"
        )


def _require_known(names: Iterable[str], covariates: TableSchema, *, numeric: bool = False) -> None:
    kinds = {column.name: column.kind for column in covariates.columns}
    unusable = [
        name
        for name in names
        if name not in kinds or (numeric and kinds[name] is ColumnKind.CATEGORICAL)
    ]
    if unusable:
        raise EstimationError(
            f"study {covariates.study!r}: parametric terms {unusable} are not "
            f"{'numeric ' if numeric else ''}covariates"
        )
