"""Rows as text, ``"age is 37, sex is male"``, and text as rows again, strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from hybrid_assets.errors import GeneratorError
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

DEFAULT_DECIMALS = 6
MOST_UNITS = 2**63 - 1  # where the schema names no limit
MISSING_WORD = "missing"


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written, and which may be.

    Attributes
    ----------
    decimals : int
        Digits after the point; with 0 there is no point.
    low, high : int
        Least and greatest number allowed, in units of the last digit: 0.25
        with two decimals is 25. Exact beyond 2**53.
    fixed_width : bool
        Whether zeros fill the digits before the point up to `integer_digits`,
        and a column with negative numbers gives all of them a sign: ``+07.5``.
    """

    decimals: int
    low: int
    high: int
    fixed_width: bool = False

    @property
    def signed(self) -> bool:
        """Whether negative numbers are allowed."""
        return self.low < 0

    @property
    def integer_digits(self) -> int:
        """Most digits before the point of a number allowed."""
        return len(str(max(abs(self.low), abs(self.high)) // 10**self.decimals))

    def word(self, value: float) -> str:
        """Write a number; zero has no minus sign."""
        digits = f"{abs(value):.{self.decimals}f}"  # exact for Python integers up to 2**53 only
        if isinstance(value, int | np.integer) and not self.decimals:
            digits = str(abs(int(value)))
        is_negative = value < 0 and digits.strip("0.") != ""
        if self.fixed_width:
            sign = ("-" if is_negative else "+") if self.signed else ""
            n_chars = self.integer_digits + (self.decimals + 1 if self.decimals else 0)
            return sign + digits.zfill(n_chars)
        return "-" + digits if is_negative else digits

    @property
    def pattern(self) -> re.Pattern[str]:
        """Match in full what `word` writes, whatever the limits."""
        point = rf"\.[0-9]{{{self.decimals}}}" if self.decimals else ""
        if self.fixed_width:
            sign = r"(?:\+|-(?![0.]*$))" if self.signed else ""
            return re.compile(rf"{sign}[0-9]{{{self.integer_digits}}}{point}")
        return re.compile(rf"(?:-(?![0.]*$))?(?:0|[1-9][0-9]*){point}")


def number_format(column: ColumnSchema, *, fixed_width: bool = False) -> NumberFormat:
    """Give the format of an integer or continuous column within the limits of its schema.

    Parameters
    ----------
    column : ColumnSchema
        Of kind integer or continuous.
    fixed_width : bool
        See `NumberFormat`.
    """
    decimals = 0
    if column.kind is ColumnKind.CONTINUOUS:
        decimals = DEFAULT_DECIMALS if column.decimals is None else column.decimals
    least, greatest = column.limits
    low = -MOST_UNITS if np.isinf(least) else _units(column.minimum, decimals)
    high = MOST_UNITS if np.isinf(greatest) else _units(column.maximum, decimals)
    low += low / 10**decimals < least  # a rounded limit may lie outside
    high -= high / 10**decimals > greatest
    if column.kind is ColumnKind.INTEGER:
        low, high = max(low, -MOST_UNITS), min(high, MOST_UNITS)
    return NumberFormat(decimals, low, high, fixed_width)


def _units(value: float | None, decimals: int) -> int:
    return int(f"{value:.{decimals}f}".replace(".", ""))


def start_of(name: str) -> str:
    """Give the words before a value of column `name`."""
    return f"{name} is"


def written_values(
    table: pd.DataFrame, schema: TableSchema, *, fixed_width: bool = False
) -> pd.DataFrame:
    """Write every value as text: levels as they are, numbers with a fixed number of decimals.

    Parameters
    ----------
    table : DataFrame of shape (n, p)
        Canonical; complete but for columns that may be missing.
    schema : TableSchema
        Its columns.
    fixed_width : bool
        How numbers are written, see `NumberFormat`.

    Returns
    -------
    DataFrame of str, shape (n, p)
        The same values give the same words, and `read_rows` reads them back.
    """
    return pd.DataFrame(
        {c.name: _written(table[c.name], c, fixed_width) for c in schema.columns}, dtype=object
    )


def read_rows(
    texts: Iterable[str], schema: TableSchema, *, fixed_width: bool = False
) -> pd.DataFrame:
    """Read rows from texts, of columns that may not be missing; nothing is guessed or repaired.

    A text counts if it is nothing but every column once, in any order. Of
    those, each value counts if it is written exactly as `written_values`
    writes values of that column: one of the levels, or digits with the
    declared number of decimals (so never ``inf``, ``nan``, ``1e3`` or
    ``0.50`` where ``0.5`` is meant).

    Returns
    -------
    DataFrame of shape (n_texts, p)
        float64 for numeric kinds, object else; missing where not readable.
    """
    boundary = _column_boundary(schema)
    wanted = sorted(schema.names)
    rows: list[dict[str, str]] = []
    for text in texts:
        before, *pieces = boundary.split(text)
        names = pieces[::2]
        is_complete = not before and sorted(names) == wanted
        rows.append(dict(zip(names, pieces[1::2], strict=True)) if is_complete else {})
    return pd.DataFrame(
        {
            c.name: _read_values([row.get(c.name) for row in rows], c, fixed_width)
            for c in schema.columns
        }
    )


def require_readable(schema: TableSchema) -> None:
    """Refuse names and levels that cannot be told apart once written.

    Raises
    ------
    GeneratorError
        If text with such a name or level reads differently than it was written,
        or a level reads like a missing value.
    """
    for column in schema.columns:
        levels = [str(level) for level in column.levels or ("0",)]
        if column.may_be_missing and MISSING_WORD in levels:
            raise GeneratorError(
                f"study {schema.study!r}, column {column.name!r}: expected no level called "
                f"{MISSING_WORD!r} beside missing values, got both; rename the level"
            )
        texts = [f"{start_of(column.name)} {level}" for level in levels]
        boundary = _column_boundary(schema)
        for text, level in zip(texts, levels, strict=True):
            if boundary.split(text) != ["", column.name, level] or level != level.strip():
                raise GeneratorError(
                    f"study {schema.study!r}, column {column.name!r}: the llm generator cannot "
                    "tell its name or levels from the words ', ... is' between columns or from "
                    "outer spaces; rename them"
                )


def words_of(column: ColumnSchema) -> list[str]:
    """Give every word that a column can have beside numbers."""
    levels = ("0", "1") if column.kind is ColumnKind.BINARY else map(str, column.levels or ())
    return [*levels, *([MISSING_WORD] if column.may_be_missing else [])]


def _written(values: pd.Series, column: ColumnSchema, fixed_width: bool) -> list[str]:
    if column.may_be_missing:
        present = values.dropna()
        words = pd.Series(_written_present(present, column, fixed_width), present.index, object)
        return list(words.reindex(values.index, fill_value=MISSING_WORD))
    return _written_present(values, column, fixed_width)


def _written_present(values: pd.Series, column: ColumnSchema, fixed_width: bool) -> list[str]:
    if column.kind in (ColumnKind.CONTINUOUS, ColumnKind.INTEGER):
        numbers = number_format(column, fixed_width=fixed_width)
        return [numbers.word(value) for value in values]
    if column.kind is ColumnKind.BINARY:
        return [str(int(value)) for value in values]
    return [str(value) for value in values]


def _column_boundary(schema: TableSchema) -> re.Pattern[str]:
    """Match what stands before a value, capturing the column's name."""
    longest_first = sorted(schema.names, key=len, reverse=True)
    return re.compile(rf"(?:^|, )({'|'.join(map(re.escape, longest_first))}) is ")


def _read_values(words: list[str | None], column: ColumnSchema, fixed_width: bool) -> pd.Series:
    pattern = value_pattern(column, fixed_width=fixed_width)
    read = pd.Series(
        [word if word is not None and pattern.fullmatch(word) else None for word in words],
        dtype=object,
    )
    if column.kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
        return read
    return pd.Series(read.map(partial(float), na_action="ignore"), dtype=np.float64)


def value_pattern(column: ColumnSchema, *, fixed_width: bool = False) -> re.Pattern[str]:
    """Give the pattern that every value of a column matches in full once written."""
    if column.kind is ColumnKind.BINARY:
        return re.compile("[01]")
    if column.is_discrete_set:
        return re.compile("|".join(re.escape(str(level)) for level in column.levels or ()))
    return number_format(column, fixed_width=fixed_width).pattern
