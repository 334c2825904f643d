"""Great Expectations suites derived from a study's schema, and what they found.

Great Expectations' own results quote cells; only counts leave this module.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema
from warehouse import TableBlocks

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations import Expectation

TABLE = "(table)"  # in the place of a column
ROW_COUNT = "expect_table_row_count_to_equal"
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


def frames(table: TableBlocks, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Give some columns of a stored table as storage gives them back, a block at a time."""
    return (block.to_pandas() for block in table.blocks(columns))


def evaluate(
    blocks: Iterable[pd.DataFrame], expectations: list["Expectation"]
) -> list[ExpectationResult]:
    """Hold a table against expectations in an ephemeral context.

    Parameters
    ----------
    blocks : iterable of DataFrame
        The rows as storage gave them back, at least one block.
    expectations : list of Expectation
        May be empty, which gives an empty list.
    """
    import great_expectations as gx

    if not expectations:
        return []
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    source = context.data_sources.add_pandas("study").add_dataframe_asset("table")
    whole = source.add_batch_definition_whole_dataframe("all")
    suite, found, n_rows = gx.ExpectationSuite(name="suite", expectations=expectations), [], 0
    for block in blocks:
        n_rows += len(block)
        validation = whole.get_batch({"dataframe": block}).validate(
            suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0}
        )
        found.append([_result(each) for each in validation.results])
    results = [_of_all_blocks(list(each)) for each in zip(*found, strict=True)]
    return [_row_count(each, expectations, n_rows) for each in results]


def _result(found: "ExpectationValidationResult") -> ExpectationResult:
    told = found.expectation_config
    return ExpectationResult(
        expectation=told.type,
        column=told.kwargs.get("column", TABLE),
        success=bool(found.success),
        counts={key: found.result[key] for key in COUNTS if key in found.result},
    )


def _of_all_blocks(found: list[ExpectationResult]) -> ExpectationResult:
    """Add the counts of blocks up; an expectation is met where every block meets it."""
    if len(found) == 1:
        return found[0]
    counts = {key: sum(each.counts.get(key, 0) for each in found) for key in found[0].counts}
    if "unexpected_percent" in counts:
        n_present = counts["element_count"] - counts.get("missing_count", 0)
        against = counts["unexpected_count"]
        counts["unexpected_percent"] = 100.0 * against / n_present if n_present else 0.0
    return replace(found[0], success=all(each.success for each in found), counts=counts)


def _row_count(
    result: ExpectationResult, expectations: list["Expectation"], n_rows: int
) -> ExpectationResult:
    """Judge the number of rows by all blocks; other results pass."""
    if result.expectation != ROW_COUNT:
        return result
    (asked,) = (e.value for e in expectations if e.expectation_type == ROW_COUNT)
    return replace(result, success=bool(asked == n_rows))


def evaluate_rules(
    blocks: Iterable[pd.DataFrame], rules: Mapping[str, Sequence["Expectation"]]
) -> dict[str, list[ExpectationResult]]:
    """Hold a table against several rules of the suite, going through it once.

    Parameters
    ----------
    blocks : iterable of DataFrame
        See `evaluate`.
    rules : mapping of str to sequence of Expectation
        By rule; no two expect the same of the same column.
    """
    rule_of = {
        (expected.expectation_type, getattr(expected, "column", TABLE)): name
        for name, each in rules.items()
        for expected in each
    }
    results = evaluate(blocks, [expected for each in rules.values() for expected in each])
    found: dict[str, list[ExpectationResult]] = {name: [] for name in rules}
    for result in results:
        found[rule_of[result.expectation, result.column]].append(result)
    return found


def broken_rules(table: TableBlocks, schema: TableSchema, n_rows: int) -> tuple[str, ...]:
    """Name the rules of the suite that the columns of a stored table break."""
    rules = {name: rule(schema, n_rows) for name, rule in SUITE.items()}
    found = evaluate_rules(frames(table, schema.names), rules)
    return tuple(name for name, results in found.items() if not all(r.success for r in results))
