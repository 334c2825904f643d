"""Column roles, kinds and ranges: what a table of the study must look like."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

Level = str | int


class ColumnKind(StrEnum):
    """Measurement scale of a column."""

    BINARY = "binary"
    CATEGORICAL = "categorical"
    ORDINAL = "ordinal"
    INTEGER = "integer"
    CONTINUOUS = "continuous"


class Role(StrEnum):
    """What a column is for."""

    COVARIATE = "covariate"
    TREATMENT = "treatment"
    OUTCOME = "outcome"


class ColumnSchema(BaseModel):
    """One column of the canonical table.

    Canonical dtypes: ``binary`` and ``integer`` are int64, ``continuous`` is
    float64 with `decimals` digits after the point, ``categorical`` and
    ``ordinal`` are pandas categories over `levels` (ordered for ``ordinal``).
    `minimum` and `maximum` are the seed's, for numeric kinds only. Where
    `may_be_missing`, binary and integer columns are pandas' ``Int64``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: Role
    kind: ColumnKind
    levels: tuple[Level, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    decimals: int | None = None
    may_be_missing: bool = False

    @property
    def is_discrete_set(self) -> bool:
        """Whether the column takes values in a listed set (binary, categorical, ordinal)."""
        return self.kind in (ColumnKind.BINARY, ColumnKind.CATEGORICAL, ColumnKind.ORDINAL)

    @property
    def dtype(self) -> pd.CategoricalDtype | pd.Int64Dtype | np.dtype:
        """The pandas dtype of the canonical column."""
        if self.kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
            return pd.CategoricalDtype(
                list(self.levels or ()), ordered=self.kind is ColumnKind.ORDINAL
            )
        if self.kind is ColumnKind.CONTINUOUS:
            return np.dtype("float64")
        return pd.Int64Dtype() if self.may_be_missing else np.dtype("int64")

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest number allowed: the seed's, give or take the rounding."""
        slack = 0.5 * 10.0**-self.decimals if self.decimals is not None else 0.0
        low = -np.inf if self.minimum is None else self.minimum - slack
        return low, np.inf if self.maximum is None else self.maximum + slack

    def invalid(self, values: pd.Series) -> np.ndarray:
        """Flag values that this column cannot hold.

        Parameters
        ----------
        values : Series of shape (n,)
            Any dtype; categories may come as strings.

        Returns
        -------
        ndarray of bool, shape (n,)
            True where missing though it may not be, non-numeric, non-finite,
            non-integral, outside the seed's range or not one of the levels.
        """
        is_missing = values.isna().to_numpy()
        bad = self._invalid_present(values) | is_missing
        return np.asarray(bad & ~is_missing) if self.may_be_missing else np.asarray(bad)

    def _invalid_present(self, values: pd.Series) -> np.ndarray:
        if self.kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
            allowed = {str(level) for level in self.levels or ()}
            return np.asarray(~level_words(values).isin(allowed))
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        bad = ~np.isfinite(numbers)
        if self.kind is not ColumnKind.CONTINUOUS:
            bad |= ~bad & (np.where(bad, 0.0, numbers) != np.round(np.where(bad, 0.0, numbers)))
        low, high = self.limits
        return np.asarray(bad | (numbers < low) | (numbers > high))

    def cast(self, values: pd.Series) -> pd.Series:
        """Give valid values the canonical dtype (call `invalid` first)."""
        if self.kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
            by_word = {str(level): level for level in self.levels or ()}
            return level_words(values).map(by_word).astype(self.dtype)
        numbers = pd.to_numeric(values)
        if self.kind is not ColumnKind.CONTINUOUS and pd.api.types.is_integer_dtype(numbers):
            return numbers.astype(self.dtype)  # exact beyond 2**53
        numbers = numbers.astype("float64")
        return numbers if self.kind is ColumnKind.CONTINUOUS else numbers.round().astype(self.dtype)

    def cast_present(self, values: pd.Series) -> pd.Series:
        """Cast as `cast` does, but keep missing values, in float64 where numbers are missing."""
        present = values.notna()
        if present.all():
            return self.cast(values)
        if isinstance(self.dtype, pd.CategoricalDtype):
            return self.cast(values[present]).reindex(values.index)
        return pd.to_numeric(values).astype("float64")

    def stored(self, values: pd.Series) -> pd.Series:
        """Turn categories into plain strings or integers, as storage keeps them."""
        if isinstance(self.dtype, pd.CategoricalDtype):
            return values.astype(object).infer_objects()
        return values


def level_words(values: pd.Series) -> pd.Series:
    """Write levels as text, so that 1, 1.0 and "1" are the same level; missing stays apart."""
    if pd.api.types.is_float_dtype(values):
        whole = values.dropna() % 1 == 0
        values = values.astype("Int64") if whole.all() else values
    return values.astype(object).map(str)


class TableSchema(BaseModel):
    """The canonical layout of a study's tables: columns in order.

    Parameters
    ----------
    study : str
        Name used in messages.
    columns : tuple of ColumnSchema
        In the seed's order, identifiers left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    columns: tuple[ColumnSchema, ...]

    def __getitem__(self, name: str) -> ColumnSchema:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def _only(self, role: Role) -> str:
        return next(column.name for column in self.columns if column.role is role)

    @property
    def treatment(self) -> str:
        """Name of the treatment column."""
        return self._only(Role.TREATMENT)

    @property
    def outcome(self) -> str:
        """Name of the outcome column."""
        return self._only(Role.OUTCOME)

    @property
    def covariate_names(self) -> list[str]:
        """Names of the covariates in order."""
        return [column.name for column in self.columns if column.role is Role.COVARIATE]

    @property
    def covariates(self) -> TableSchema:
        """The same schema without treatment and outcome."""
        return self.select(self.covariate_names)

    def select(self, names: Iterable[str]) -> TableSchema:
        """Keep the named columns, in this schema's order."""
        wanted = set(names)
        return TableSchema(
            study=self.study,
            columns=tuple(column for column in self.columns if column.name in wanted),
        )

    def canonical(self, table: pd.DataFrame) -> pd.DataFrame:
        """Order columns and give them their canonical dtypes; index reset.

        Raises
        ------
        KeyError
            If a column of the schema is absent.
        """
        return pd.DataFrame(
            {c.name: c.cast(table[c.name].reset_index(drop=True)) for c in self.columns}
        )

    def allowing_missing(self, table: pd.DataFrame) -> TableSchema:
        """Let the columns be missing that hold missing values in a table."""
        return TableSchema(
            study=self.study,
            columns=tuple(
                column.model_copy(update={"may_be_missing": bool(table[column.name].isna().any())})
                for column in self.columns
            ),
        )

    def stored(self, table: pd.DataFrame) -> pd.DataFrame:
        """Turn categories into plain strings or integers, as storage keeps them."""
        return pd.DataFrame({c.name: c.stored(table[c.name]) for c in self.columns})

    def rounded(self, table: pd.DataFrame) -> pd.DataFrame:
        """Round continuous columns to their declared decimals.

        A language model copies digits: 1.27 % of its cells equalled a seed
        cell to six decimals against .028 % by chance, so no generator sees,
        and no release shows, more digits than a column declares.
        """
        decimals = {c.name: c.decimals for c in self.columns if c.decimals is not None}
        rounded = table.round(decimals)
        names = list(decimals)
        rounded[names] = rounded[names] + 0.0  # -0.0 becomes 0.0
        return rounded

    def invalid_counts(self, table: pd.DataFrame) -> tuple[np.ndarray, dict[str, int]]:
        """Flag rows that violate the schema and count violations by column.

        Returns
        -------
        rows : ndarray of bool, shape (n,)
        by_column : dict of str to int
            Only columns with at least one violation.
        """
        rows = np.zeros(len(table), dtype=bool)
        by_column: dict[str, int] = {}
        for column in self.columns:
            bad = column.invalid(table[column.name])
            rows |= bad
            if bad.any():
                by_column[column.name] = int(bad.sum())
        return rows, by_column
