"""From the rows that came to the table the study can stand on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.column_names import require_columns
from hybrid_assets.columns import holds_lists, infer_column, is_zero_one
from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import SeedTableError
from hybrid_assets.estimators.estimand import ESTIMANDS
from hybrid_assets.estimators.subgroups import SUBGROUP_COLUMN, subgroup_problem
from hybrid_assets.missing_values import apply_policies
from hybrid_assets.schema import ColumnKind, TableSchema
from hybrid_assets.seed_rows import AnalysedRows, SeedRows
from hybrid_assets.small_cells import told_few
from hybrid_assets.study import CovariateSettings, Study

MIN_ARM_ROWS = 10
LARGEST_NUMBER = 9e18  # integers are kept in 64 bits


class ConstantCovariate(UserWarning):
    """A covariate with a single value was left out."""


@dataclass(frozen=True, eq=False)
class SeedTable:
    """A validated seed table.

    Attributes
    ----------
    rows : SeedRows
    schema : TableSchema
        Of covariates, treatment and outcome.
    n_rows_dropped : int
        Rows left out by the policy ``drop_rows``.
    constant_covariates : tuple of str
        Covariates left out because they hold a single value.
    """

    rows: SeedRows
    schema: TableSchema
    n_rows_dropped: int
    constant_covariates: tuple[str, ...]


def validate_seed(table: Columns, study: Study) -> SeedTable:
    """Check a table against its study and give it roles, kinds and canonical dtypes.

    Parameters
    ----------
    table : Columns
        As it came.
    study : Study

    Raises
    ------
    SeedTableError
        One error for the first thing that is wrong: names the study, the
        column, what was expected and what came.
    """
    require_columns(table, study)
    covariates = _covariate_settings(table, study)
    analysed = [*covariates, study.treatment, study.outcome]
    _require_single_values(table, [*analysed, *study.identifiers], study)
    _require_people(table, study)
    _require_finite(table, analysed, study)
    _require_complete_ends(table, study)
    kept = apply_policies(table, covariates, study)
    constant = tuple(name for name in covariates if kept[name].nunique(dropna=False) < 2)
    _require_declared_to_vary(constant, study)
    for name in constant:
        warnings.warn(
            f"study {study.name!r}, column {name!r}: a single value; left out of the covariates",
            ConstantCovariate,
            stacklevel=2,
        )
        del covariates[name]
    _require_arms_and_outcome(kept, study)
    if not covariates:
        raise SeedTableError(
            study.name, "(table)", expected="a covariate with two values or more", got="none"
        )
    stated = {
        **covariates,
        study.treatment: CovariateSettings(kind=ColumnKind.BINARY),
        study.outcome: study.outcome_settings,
    }
    rows = AnalysedRows(kept, stated, study.treatment)
    columns = tuple(infer_column(rows[name], name, stated[name], study) for name in rows.columns)
    schema = TableSchema(study=study.name, columns=columns)
    _require_answerable(schema, study)
    seed = SeedRows(rows, study.identifiers, schema)
    return SeedTable(seed, schema, len(table) - len(kept), constant)


def _covariate_settings(table: Columns, study: Study) -> dict[str, CovariateSettings]:
    if study.covariates is not None:
        return dict(study.covariates)
    taken = {study.treatment, study.outcome, *study.identifiers}
    return {str(name): CovariateSettings() for name in table.columns if name not in taken}


def _require_single_values(table: Columns, names: list[str], study: Study) -> None:
    for name in names:
        if holds_lists(table[name]):
            raise SeedTableError(
                study.name, name, expected="one number or text in each cell", got="lists"
            )


def _require_finite(table: Columns, names: list[str], study: Study) -> None:
    for name in names:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values):
            sizes = np.abs(values.to_numpy(dtype=float, na_value=np.nan))
            n_infinite, n_huge = int(np.isinf(sizes).sum()), int((sizes > LARGEST_NUMBER).sum())
            if n_infinite:
                raise SeedTableError(
                    study.name,
                    name,
                    expected="finite values",
                    got=f"{told_few(n_infinite)} infinite",
                )
            if n_huge:
                raise SeedTableError(
                    study.name,
                    name,
                    expected=f"numbers up to {LARGEST_NUMBER:g} in size (rescale the column)",
                    got=f"{n_huge} beyond",
                )


def _require_complete_ends(table: Columns, study: Study) -> None:
    for name in (study.treatment, study.outcome):
        n_missing = int(table[name].isna().sum())
        if n_missing:
            raise SeedTableError(
                study.name, name, expected="no missing value", got=f"{told_few(n_missing)} missing"
            )


def _require_people(table: Columns, study: Study) -> None:
    """Refuse repeated identifiers where a promise is made of rows and read as one of people."""
    for name in study.identifiers if study.promises_privacy else ():
        n_repeated = int(table[name].duplicated().sum())
        if n_repeated:
            raise SeedTableError(
                study.name,
                name,
                expected="one row for each person, which is what generator dp protects",
                got=f"{told_few(n_repeated)} rows with the identifier of an earlier one",
            )


def _require_declared_to_vary(constant: tuple[str, ...], study: Study) -> None:
    """Leave no covariate out of a private study by what its people's rows hold."""
    if constant and study.promises_privacy:
        raise SeedTableError(
            study.name,
            constant[0],
            expected="two values or more for generator dp (take the column out of the study file)",
            got="a single value",
        )


def _require_arms_and_outcome(table: Columns, study: Study) -> None:
    treatment = table[study.treatment]
    if not (is_zero_one(treatment) or set(treatment.unique()) <= {0, 1}):
        raise SeedTableError(
            study.name,
            study.treatment,
            expected="a treatment coded 0 and 1",
            got=f"{treatment.nunique()} distinct values of type {treatment.dtype}",
        )
    for arm in (0, 1):
        n_arm = int((treatment.astype(int) == arm).sum())
        if n_arm < MIN_ARM_ROWS:
            raise SeedTableError(
                study.name,
                study.treatment,
                expected=f"at least {MIN_ARM_ROWS} rows in each arm",
                got=f"{told_few(n_arm)} rows with {study.treatment} = {arm}",
            )
    outcome = table[study.outcome]
    if not pd.api.types.is_numeric_dtype(outcome):
        raise SeedTableError(
            study.name,
            study.outcome,
            expected="a numeric outcome (0/1 or a measurement)",
            got=f"type {outcome.dtype}",
        )
    if outcome.nunique() < 2:
        raise SeedTableError(
            study.name, study.outcome, expected="an outcome that varies", got="a single value"
        )
    for arm in (0, 1):
        if outcome[treatment.astype(int) == arm].nunique() < 2:
            raise SeedTableError(
                study.name,
                study.outcome,
                expected="an outcome that varies in each arm",
                got=f"a single value where {study.treatment} = {arm}",
            )


def _require_answerable(schema: TableSchema, study: Study) -> None:
    ratios = [word for word in study.estimands if ESTIMANDS[word].is_ratio]
    outcome = schema[study.outcome].kind
    if ratios and outcome is not ColumnKind.BINARY:
        raise SeedTableError(
            study.name,
            study.outcome,
            expected=f"a 0/1 outcome for the estimands {', '.join(ratios)}",
            got=f"a column of kind {outcome.value}",
        )
    for name in study.privacy.sensitive or ():
        if name not in schema.covariate_names:
            raise SeedTableError(
                study.name, name, expected="a covariate (it is sensitive)", got="no such covariate"
            )
    for name in study.subgroups:
        problem = subgroup_problem(schema, name)
        if problem:
            raise SeedTableError(study.name, name, expected=SUBGROUP_COLUMN, got=problem)
