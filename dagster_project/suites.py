"""Great Expectations suites derived from a study's schema, and what they found.

Great Expectations' own results quote cells; only counts leave this module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

COUNTS = ("element_count", "unexpected_count", "unexpected_percent", "missing_count")


@dataclass(frozen=True)
class ExpectationResult:
    """What one expectation found.

    Attributes
    ----------
    expectation : str
        Name in Great Expectations.
    column : str
        Column, or ``(table)``.
    success : bool
        Whether it was met; False also where it could not be evaluated.
    counts : dict of str to float
        Rows seen, rows against it, missing rows.
    """

    expectation: str
    column: str
    success: bool
    counts: dict[str, float]


def columns_in_order(schema: TableSchema, n_rows: int) -> list["Expectation"]:
    """Expect the schema's columns, in order and no others."""
    from great_expectations import expectations as gxe

    return [gxe.ExpectTableColumnsToMatchOrderedList(column_list=schema.names)]


def row_count(schema: TableSchema, n_rows: int) -> list["Expectation"]:
    """Expect as many rows as were asked for."""
    from great_expectations import expectations as gxe

    return [gxe.ExpectTableRowCountToEqual(value=n_rows)]


def no_missing_values(schema: TableSchema, n_rows: int) -> list["Expectation"]:
    """Expect a value in every cell."""
    from great_expectations import expectations as gxe

    return [gxe.ExpectColumnValuesToNotBeNull(column=name) for name in schema.names]


def values_in_range(schema: TableSchema, n_rows: int) -> list["Expectation"]:
    """Expect numbers between the seed's smallest and largest, and 0/1 where binary."""
    from great_expectations import expectations as gxe

    numeric = [column for column in schema.columns if column.levels is None]
    return [
        gxe.ExpectColumnValuesToBeInSet(column=column.name, value_set=[0, 1])
        if column.kind is ColumnKind.BINARY
        else gxe.ExpectColumnValuesToBeBetween(
            column=column.name, min_value=column.limits[0], max_value=column.limits[1]
        )
        for column in numeric
    ]


def levels_known(schema: TableSchema, n_rows: int) -> list["Expectation"]:
    """Expect categorical and ordinal columns to hold the seed's levels only."""
    from great_expectations import expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.levels))
        for column in schema.columns
        if column.levels is not None
    ]


def storage_types(schema: TableSchema, n_rows: int) -> list["Expectation"]:
    """Expect each column in the storage type of its kind."""
    from great_expectations import expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeOfType(column=column.name, type_=storage_type(column))
        for column in schema.columns
    ]


def storage_type(column: ColumnSchema) -> str:
    """Name the dtype that storage gives back for a column."""
    if column.levels is None:
        return str(column.dtype)
    return "object" if any(isinstance(level, str) for level in column.levels) else "int64"


SUITE: dict[str, Callable[[TableSchema, int], list["Expectation"]]] = {
    rule.__name__: rule
    for rule in (
        columns_in_order,
        row_count,
        no_missing_values,
        storage_types,
        values_in_range,
        levels_known,
    )
}


def evaluate(table: pd.DataFrame, expectations: list["Expectation"]) -> list[ExpectationResult]:
    """Hold a table against expectations in an ephemeral context.

    Parameters
    ----------
    table : DataFrame
        As storage gave it back.
    expectations : list of Expectation
        May be empty, which gives an empty list.
    """
    import great_expectations as gx

    if not expectations:
        return []
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    source = context.data_sources.add_pandas("study").add_dataframe_asset("table")
    batch = source.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": table})
    validation = batch.validate(
        gx.ExpectationSuite(name="suite", expectations=expectations),
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )
    return [
        ExpectationResult(
            expectation=result.expectation_config.type,
            column=result.expectation_config.kwargs.get("column", "(table)"),
            success=bool(result.success),
            counts={key: result.result[key] for key in COUNTS if key in result.result},
        )
        for result in validation.results
    ]


def broken_rules(table: pd.DataFrame, schema: TableSchema, n_rows: int) -> tuple[str, ...]:
    """Name the rules of the suite that a stored table breaks."""
    found = {name: evaluate(table, rule(schema, n_rows)) for name, rule in SUITE.items()}
    return tuple(name for name, results in found.items() if not all(r.success for r in results))
