"""Rows as text, ``"age is 37, sex is male"``, and text as rows again, strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd

from hybrid_assets.errors import GeneratorError
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

DEFAULT_DECIMALS = 6


def start_of(name: str) -> str:
    """Give the words before a value of column `name`."""
    return f"{name} is"


def written_values(table: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """Write every value as text: levels as they are, numbers with a fixed number of decimals.

    Parameters
    ----------
    table : DataFrame of shape (n, p)
        Canonical and complete.
    schema : TableSchema
        Its columns.

    Returns
    -------
    DataFrame of str, shape (n, p)
        The same values give the same words, and `read_rows` reads them back.
    """
    return pd.DataFrame(
        {c.name: [_written(value, c) for value in table[c.name]] for c in schema.columns},
        dtype=object,
    )


def read_rows(texts: Iterable[str], schema: TableSchema) -> pd.DataFrame:
    """Read rows from texts; nothing is guessed or repaired.

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
        {c.name: _read_values([row.get(c.name) for row in rows], c) for c in schema.columns}
    )


def require_readable(schema: TableSchema) -> None:
    """Refuse names and levels that cannot be told apart once written.

    Raises
    ------
    GeneratorError
        If text with such a name or level reads differently than it was written.
    """
    for column in schema.columns:
        levels = [str(level) for level in column.levels or ("0",)]
        texts = [f"{start_of(column.name)} {level}" for level in levels]
        boundary = _column_boundary(schema)
        for text, level in zip(texts, levels, strict=True):
            if boundary.split(text) != ["", column.name, level] or level != level.strip():
                raise GeneratorError(
                    f"study {schema.study!r}, column {column.name!r}: the llm generator cannot "
                    "tell its name or levels from the words ', ... is' between columns or from "
                    "outer spaces; rename them"
                )


def _written(value: object, column: ColumnSchema) -> str:
    if column.kind is ColumnKind.CONTINUOUS:
        decimals = DEFAULT_DECIMALS if column.decimals is None else column.decimals
        return f"{float(value) + 0.0:.{decimals}f}"  # type: ignore[arg-type]
    if column.kind in (ColumnKind.BINARY, ColumnKind.INTEGER):
        return str(int(value))  # type: ignore[call-overload]
    return str(value)


def _column_boundary(schema: TableSchema) -> re.Pattern[str]:
    """Match what stands before a value, capturing the column's name."""
    longest_first = sorted(schema.names, key=len, reverse=True)
    return re.compile(rf"(?:^|, )({'|'.join(map(re.escape, longest_first))}) is ")


def _read_values(words: list[str | None], column: ColumnSchema) -> pd.Series:
    pattern = value_pattern(column)
    read = pd.Series(
        [word if word is not None and pattern.fullmatch(word) else None for word in words],
        dtype=object,
    )
    if column.kind in (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL):
        return read
    return pd.Series(read.map(partial(float), na_action="ignore"), dtype=np.float64)


def value_pattern(column: ColumnSchema) -> re.Pattern[str]:
    """Give the pattern that every value of a column matches in full once written."""
    if column.kind is ColumnKind.BINARY:
        return re.compile("[01]")
    if column.is_discrete_set:
        return re.compile("|".join(re.escape(str(level)) for level in column.levels or ()))
    whole = "-?(?:0|[1-9][0-9]*)"
    if column.kind is ColumnKind.INTEGER:
        return re.compile(whole)
    decimals = DEFAULT_DECIMALS if column.decimals is None else column.decimals
    return re.compile(whole + (rf"\.[0-9]{{{decimals}}}" if decimals else ""))
