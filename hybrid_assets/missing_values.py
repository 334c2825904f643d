"""What happens to missing covariates: the study's policies, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from hybrid_assets.declared_columns import LISTED, MISSING_LEVEL
from hybrid_assets.errors import SeedTableError
from hybrid_assets.schema import level_words
from hybrid_assets.small_cells import told_few
from hybrid_assets.study import CovariateSettings, Study


def flag_name(name: str) -> str:
    """Name the 0/1 column that tells where a covariate was imputed."""
    return f"{name}_missing"


def apply_policies(
    table: pd.DataFrame, covariates: Mapping[str, CovariateSettings], study: Study
) -> pd.DataFrame:
    """Drop rows and name missing levels as the study says; imputation comes after the split.

    Parameters
    ----------
    table : DataFrame
        With the covariates; other columns pass.
    covariates : mapping of str to CovariateSettings
    study : Study

    Raises
    ------
    SeedTableError
        If values are missing and the policy is ``refuse`` or does not suit
        the column, or nothing is left.
    """
    drop = np.zeros(len(table), dtype=bool)
    named: dict[str, pd.Series] = {}
    for name, settings in covariates.items():
        missing = table[name].isna().to_numpy()
        policy = settings.missing or study.missing
        if not missing.any():
            continue
        if policy == "refuse":
            raise SeedTableError(
                study.name,
                name,
                expected="no missing value, or a missing-value policy "
                "(missing: drop_rows | category | impute)",
                got=f"{told_few(int(missing.sum()))} missing and no policy",
            )
        if policy == "drop_rows":
            drop |= missing
        elif policy == "category":
            named[name] = _with_missing_level(table[name], name, settings, study)
        else:
            _require_free(flag_name(name), table.columns, study)
    kept = table.assign(**named).loc[~drop].reset_index(drop=True)
    if kept.empty:
        raise SeedTableError(
            study.name, "(table)", expected="a complete row", got="none after drop_rows"
        )
    return kept


def _with_missing_level(
    values: pd.Series, name: str, settings: CovariateSettings, study: Study
) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values) and settings.kind not in LISTED:
        raise SeedTableError(
            study.name,
            name,
            expected="kind: categorical or ordinal for missing: category",
            got=f"numbers of type {values.dtype}",
        )
    words = level_words(values)
    if (words[values.notna()] == MISSING_LEVEL).any():
        raise SeedTableError(
            study.name,
            name,
            expected=f"no level called {MISSING_LEVEL!r} beside missing values",
            got="both",
        )
    return words.where(values.notna(), MISSING_LEVEL)


def _require_free(flag: str, names: Iterable[str], study: Study) -> None:
    if flag.casefold() in {str(name).casefold() for name in names}:
        raise SeedTableError(
            study.name,
            flag,
            expected="this name to be free for the flag of imputed values",
            got="a column of that name",
        )
