"""From a pandas or Arrow table to Arrow columns that DuckDB gives back exactly as they went in."""

from collections.abc import Sequence
from contextlib import suppress

import pandas as pd
import pyarrow as pa

from warehouse.errors import UnstorableTable

_PLAIN_OBJECTS = frozenset(
    {"string", "integer", "floating", "boolean", "decimal", "date", "datetime", "time", "empty"}
)
_MOST_DECIMAL_DIGITS = 38
_ADVICE = "convert it to one type of number, text, boolean, date or time first"


def storable_table(table: pd.DataFrame | pa.Table) -> pa.Table:
    """Return `table` as Arrow, in the types that storage keeps.

    The index of a frame is left out. Categories, and columns without any value, become text.
    Missing values of a frame (NaN, None, NA) become nulls; infinities stay. Times with a zone
    become UTC with microseconds.

    Parameters
    ----------
    table : pandas.DataFrame or pyarrow.Table
        At least one column, any number of rows.

    Raises
    ------
    UnstorableTable
        Naming the first column with a name that DuckDB cannot hold or with values that are not of
        one plain type (lists, sets, bytes, numbers among text, ...).
    """
    if isinstance(table, pd.DataFrame):
        names = list(table.columns)
        check_column_names(names)
        columns = [_arrow_column(name, table.iloc[:, i]) for i, name in enumerate(names)]
    else:
        names = table.column_names
        check_column_names(names)
        columns = table.columns
    stored = [_storable_column(name, values) for name, values in zip(names, columns, strict=True)]
    return pa.Table.from_arrays(stored, names=names)


def check_column_names(names: Sequence[object]) -> None:
    """Refuse names that storage cannot tell apart, or cannot keep, with `UnstorableTable`."""
    if not names:
        raise UnstorableTable("the table has no columns; a stored table needs at least one")
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name or "\0" in name or not _is_unicode(name):
            raise UnstorableTable(f"column name {name!r} cannot be stored; rename it to plain text")
        # DuckDB folds ASCII letters only: "É" and "é" are two columns there, "E" and "e" are one.
        folded = "".join(c.lower() if c.isascii() else c for c in name)
        if folded in seen:
            raise UnstorableTable(
                f"column {name!r} appears twice (letter case does not count); rename one of them"
            )
        seen.add(folded)


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in name)


def _arrow_column(name: str, values: pd.Series) -> pa.Array:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return _category_labels(name, values)
    if values.dtype == object:
        kind = pd.api.types.infer_dtype(values, skipna=True)
        if kind not in _PLAIN_OBJECTS:
            raise UnstorableTable(f"column {name!r} holds {kind} values; {_ADVICE}")
    # Raised outside the handler, because Arrow's own message quotes the cell that it refused.
    with suppress(pa.ArrowException, UnicodeError, OverflowError):
        return pa.array(values, from_pandas=True)
    raise UnstorableTable(f"column {name!r} holds values that Arrow cannot represent; {_ADVICE}")


def _category_labels(name: str, values: pd.Series) -> pa.Array:
    labels = [str(label) for label in values.cat.categories]
    if len(set(labels)) < len(labels):
        raise UnstorableTable(f"column {name!r} has categories that read alike; rename them")
    codes = values.cat.codes.to_numpy()
    with suppress(pa.ArrowException, UnicodeError):
        indices = pa.array(codes, mask=codes < 0)
        dictionary = pa.array(labels, pa.string())
        return pa.DictionaryArray.from_arrays(indices, dictionary).cast(pa.string())
    raise UnstorableTable(f"column {name!r} has categories that are not Unicode; rename them")


def _storable_column(name: str, values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    stored_type = _stored_type(values.type)
    if stored_type is None:
        raise UnstorableTable(f"column {name!r} has the type {values.type}; {_ADVICE}")
    with suppress(pa.ArrowException):
        return values.cast(stored_type)
    raise UnstorableTable(f"column {name!r} cannot become {stored_type} without loss; {_ADVICE}")


def _stored_type(given: pa.DataType) -> pa.DataType | None:
    """Return the type that DuckDB hands back for `given`, or None if it cannot be kept."""
    kinds = pa.types
    if kinds.is_dictionary(given):
        return _stored_type(given.value_type)
    if kinds.is_null(given) or kinds.is_large_string(given) or kinds.is_string_view(given):
        return pa.string()
    if kinds.is_float16(given):
        return pa.float32()
    if kinds.is_date(given):
        return pa.date32()
    if kinds.is_time(given):
        return pa.time64("us")
    if kinds.is_timestamp(given):
        return given if given.tz is None else pa.timestamp("us", "UTC")
    if kinds.is_decimal(given) and given.precision <= _MOST_DECIMAL_DIGITS and given.scale >= 0:
        return pa.decimal128(given.precision, given.scale)
    plain = (kinds.is_boolean, kinds.is_integer, kinds.is_floating, kinds.is_string)
    return given if any(is_kind(given) for is_kind in plain) else None
