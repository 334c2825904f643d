"""What is known of rows before they are drawn: values, ranges, parts of a table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.grammar import Restriction
from hybrid_assets.language.serialization import number_format, written_values
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

Conditions = Mapping[str, object] | pd.DataFrame
NOT_MISSING = "not missing"
BOUND = re.compile(r"\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True)
class Given:
    """What is known, in the words of a grammar.

    Attributes
    ----------
    rows : ndarray of int, shape (n_rows,)
        Which rows.
    columns : tuple of int
        Columns whose values are known.
    words : ndarray of str, shape (n_groups, n_known)
        Written values, a row for each combination that occurs.
    row_groups : ndarray of int, shape (n_rows,)
        The combination of each row.
    restrictions : dict of int to Restriction
        Columns whose range is known.
    """

    rows: np.ndarray
    columns: tuple[int, ...]
    words: np.ndarray
    row_groups: np.ndarray
    restrictions: dict[int, Restriction] = field(default_factory=dict)

    def word(self, group: int, column: int) -> str:
        """Give a known value as it is written."""
        return str(self.words[group, self.columns.index(column)])


def conditions_met(
    conditions: Conditions | None, schema: TableSchema, n_rows: int, *, fixed_width: bool = False
) -> list[Given]:
    """Say what is known of rows, apart for those of which the same columns are known.

    Parameters
    ----------
    conditions : mapping, DataFrame of shape (n_rows, n_known) or None
        See `given_conditions` and `given_values`; missing cells of a table are not known.
    schema : TableSchema
        Of the whole table.
    n_rows : int
        How many rows.
    fixed_width : bool
        How numbers are written.

    Raises
    ------
    GeneratorError
        If a column is unknown or cannot have the value, or all are given.
    """
    if conditions is None:
        return [nothing_given(n_rows)]
    if not isinstance(conditions, pd.DataFrame):
        return [given_conditions(conditions, schema, n_rows, fixed_width=fixed_width)]
    if len(conditions) != n_rows:
        raise GeneratorError(
            f"study {schema.study!r}: given {len(conditions)} rows, expected {n_rows}"
        )
    table = conditions.reset_index(drop=True)
    found = []
    for absent, rows in table.isna().groupby(list(table.columns)).groups.items():
        is_absent = absent if isinstance(absent, tuple) else (absent,)
        names = [name for name, gone in zip(table.columns, is_absent, strict=True) if not gone]
        part = table.loc[rows, names].reset_index(drop=True)
        known = nothing_given(len(rows))
        if names:
            known = given_values(part, schema, fixed_width=fixed_width)
        found.append(replace(known, rows=rows.to_numpy()))
    return found


def nothing_given(n_rows: int) -> Given:
    """Say that nothing is known of `n_rows` rows."""
    groups = np.zeros(n_rows, dtype=np.int64)
    return Given(np.arange(n_rows), (), np.empty((1, 0), dtype=object), groups)


def given_values(table: pd.DataFrame, schema: TableSchema, *, fixed_width: bool) -> Given:
    """Say that some columns are known, row by row.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_known)
        Columns of the schema, at least one of which is not there. A missing
        value is one where the column may be missing.
    schema : TableSchema
        Of the whole table.
    fixed_width : bool
        How numbers are written.

    Raises
    ------
    GeneratorError
        If a column is unknown or holds values that it cannot have.
    """
    known = _known_schema(list(table.columns), schema)
    _, counts = known.invalid_counts(table)
    for column in known.columns:
        cells = table[column.name].dropna() if column.may_be_missing else table[column.name]
        if column.kind is ColumnKind.BINARY and not cells.isin([0, 1]).all():
            counts[column.name] = int((~cells.isin([0, 1])).sum())
    if counts:
        raise GeneratorError(
            f"study {schema.study!r}: given values that columns cannot have: {counts} (rows by "
            "column)"
        )
    values = written_values(known.canonical(table), known, fixed_width=fixed_width)
    combinations = pd.MultiIndex.from_frame(values) if len(known.names) > 1 else values.iloc[:, 0]
    groups, found = pd.factorize(combinations)
    words = np.array([f if isinstance(f, tuple) else (f,) for f in found], dtype=object)
    columns = tuple(schema.names.index(name) for name in known.names)
    return Given(np.arange(len(table)), columns, words, groups.astype(np.int64))


def given_conditions(
    conditions: Mapping[str, object], schema: TableSchema, n_rows: int, *, fixed_width: bool
) -> Given:
    """Say what is known of all rows alike.

    Parameters
    ----------
    conditions : mapping of str to object
        A value by column, None for a missing one; or, for columns of numbers,
        a range such as ``">= 40"`` or ``">= 40 and < 65"``; or ``"not missing"``
        for a column that may be.
    schema : TableSchema
        Of the whole table.
    n_rows : int
        How many rows.
    fixed_width : bool
        How numbers are written.

    Raises
    ------
    GeneratorError
        If a column is unknown, cannot have the value, or has none in the range.
    """
    _known_schema(list(conditions), schema)
    ranges = {
        name: text
        for name, text in conditions.items()
        if isinstance(text, str)
        and (not schema[name].is_discrete_set or _is_presence(text, schema[name]))
    }
    values = {name: value for name, value in conditions.items() if name not in ranges}
    known = nothing_given(n_rows)
    if values:
        table = pd.DataFrame({name: [value] for name, value in values.items()})
        one = given_values(table, schema, fixed_width=fixed_width)
        known = replace(known, columns=one.columns, words=one.words)
    restrictions = {
        schema.names.index(name): _restriction(text, schema[name], schema.study)
        for name, text in ranges.items()
    }
    return replace(known, restrictions=restrictions)


def _known_schema(names: list[str], schema: TableSchema) -> TableSchema:
    unknown = [name for name in names if name not in schema.names]
    if unknown:
        raise GeneratorError(
            f"study {schema.study!r}: given columns {unknown}, expected some of {schema.names}"
        )
    if len(set(names)) == len(schema.names):
        raise GeneratorError(f"study {schema.study!r}: all columns are given, none is left to draw")
    return schema.select(names)


def _is_presence(text: str, column: ColumnSchema) -> bool:
    return text == NOT_MISSING and column.may_be_missing and text not in (column.levels or ())


def _restriction(text: str, column: ColumnSchema, study: str) -> Restriction:
    if _is_presence(text, column):
        return Restriction(missing=False)
    bounds = [BOUND.fullmatch(part) for part in text.split(" and ")]
    numbers = number_format(column)
    low, high = numbers.low, numbers.high
    for bound in bounds:
        if bound is None:
            raise GeneratorError(
                f"study {study!r}, column {column.name!r}: expected a range such as '>= 40' or "
                f"'>= 40 and < 65'; got {text!r}"
            )
        units = float(bound[2]) * 10**numbers.decimals
        units = round(units) if abs(units - round(units)) < 1e-6 else units
        if bound[1] in (">=", ">"):
            low = max(low, math.floor(units) + 1 if bound[1] == ">" else math.ceil(units))
        else:
            high = min(high, math.ceil(units) - 1 if bound[1] == "<" else math.floor(units))
    if low > high:
        raise GeneratorError(
            f"study {study!r}, column {column.name!r}: it has no value in the range {text!r}"
        )
    return Restriction(low=low, high=high, missing=False)
