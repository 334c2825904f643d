"""A study's columns of a table as it came: kept rows, declared ranges, canonical dtypes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from hybrid_assets.columns import within_range
from hybrid_assets.columnwise import Columns
from hybrid_assets.schema import TableSchema
from hybrid_assets.study import CovariateSettings


@dataclass(frozen=True, eq=False)
class AnalysedRows:
    """The rows that a study keeps, values within their declared ranges; types as they came.

    Parameters
    ----------
    kept : Columns
    stated : mapping of str to CovariateSettings
        Of the columns that are analysed.
    treatment : str
        A column of 0 and 1 that may have come as booleans; empty for none.
    """

    kept: Columns
    stated: Mapping[str, CovariateSettings]
    treatment: str = ""

    @property
    def columns(self) -> pd.Index:
        """Names in the table's order."""
        return pd.Index([name for name in map(str, self.kept.columns) if name in self.stated])

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.kept)

    def __getitem__(self, name: str) -> pd.Series:
        """Give a column."""
        values = self.kept[name]
        if name == self.treatment:
            values = values.astype("int64")
        return within_range(values, self.stated[name])


@dataclass(frozen=True, eq=False)
class SeedRows:
    """Rows with a study's columns: identifiers as they came, then those of `schema`, canonical.

    Covariates whose policy is ``impute`` may still hold missing values.

    Parameters
    ----------
    analysed : AnalysedRows
    identifiers : tuple of str
    schema : TableSchema
        Of covariates, treatment and outcome.
    """

    analysed: AnalysedRows
    identifiers: tuple[str, ...]
    schema: TableSchema

    @property
    def columns(self) -> pd.Index:
        """Names in order."""
        return pd.Index([*self.identifiers, *self.schema.names])

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.analysed)

    def __getitem__(self, name: str) -> pd.Series:
        """Give a column."""
        if name in self.identifiers:
            return self.analysed.kept[name]
        return self.schema[name].cast_present(self.analysed[name])

    def without_identifiers(self) -> SeedRows:
        """Leave the identifiers out."""
        return SeedRows(self.analysed, (), self.schema)

    def stored(self) -> Iterator[pd.Series]:
        """Give the columns in order, as storage keeps them."""
        for name in self.identifiers:
            yield self[name]
        for column in self.schema.columns:
            yield column.stored(self[column.name])
