"""What happens to missing covariates: the study's policies, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.columnwise import ChosenRows, Columns
from hybrid_assets.declared_columns import LISTED, MISSING_LEVEL
from hybrid_assets.errors import SeedTableError
from hybrid_assets.schema import level_words
from hybrid_assets.small_cells import told_few
from hybrid_assets.study import CovariateSettings, Study


def flag_name(name: str) -> str:
    """Name the 0/1 column that tells where a covariate was imputed."""
    return f"{name}_missing"


@dataclass(frozen=True, eq=False)
class NamedMissing:
    """A table in some columns of which a missing cell is a level of its own.

    Parameters
    ----------
    table : Columns
    names : frozenset of str
    """

    table: Columns
    names: frozenset[str]

    @property
    def columns(self) -> pd.Index:
        """Names in order."""
        return self.table.columns

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.table)

    def __getitem__(self, name: str) -> pd.Series:
        """Give a column."""
        values = self.table[name]
        if name not in self.names:
            return values
        return level_words(values).where(values.notna(), MISSING_LEVEL)


def apply_policies(
    table: Columns, covariates: Mapping[str, CovariateSettings], study: Study
) -> ChosenRows:
    """Drop rows and name missing levels as the study says; imputation comes after the split.

    Parameters
    ----------
    table : Columns
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
    named = set()
    for name, settings in covariates.items():
        values = table[name]
        missing = values.isna().to_numpy()
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
            _require_nameable(values, name, settings, study)
            named.add(name)
        else:
            _require_free(flag_name(name), table.columns, study)
    if drop.all():
        raise SeedTableError(
            study.name, "(table)", expected="a complete row", got="none after drop_rows"
        )
    return ChosenRows(NamedMissing(table, frozenset(named)), ~drop)


def _require_nameable(
    values: pd.Series, name: str, settings: CovariateSettings, study: Study
) -> None:
    if pd.api.types.is_numeric_dtype(values) and settings.kind not in LISTED:
        raise SeedTableError(
            study.name,
            name,
            expected="kind: categorical or ordinal for missing: category",
            got=f"numbers of type {values.dtype}",
        )
    if (level_words(values)[values.notna()] == MISSING_LEVEL).any():
        raise SeedTableError(
            study.name,
            name,
            expected=f"no level called {MISSING_LEVEL!r} beside missing values",
            got="both",
        )


def _require_free(flag: str, names: Iterable[str], study: Study) -> None:
    if flag.casefold() in {str(name).casefold() for name in names}:
        raise SeedTableError(
            study.name,
            flag,
            expected="this name to be free for the flag of imputed values",
            got="a column of that name",
        )
