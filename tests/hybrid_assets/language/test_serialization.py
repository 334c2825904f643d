import numpy as np
import pandas as pd
import pytest

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.serialization import (
    number_format,
    read_rows,
    require_readable,
    written_values,
)
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

KINDS = {
    ColumnKind.BINARY: {},
    ColumnKind.INTEGER: {"minimum": -5, "maximum": 5000},
    ColumnKind.CONTINUOUS: {"minimum": -5, "maximum": 5000, "decimals": 2},
    ColumnKind.CATEGORICAL: {"levels": ("red", "blue, dark", "1.0")},
    ColumnKind.ORDINAL: {"levels": (1, 2, 10)},
}


def schema_of(*columns):
    return TableSchema(
        study="small",
        columns=tuple(
            ColumnSchema(name=name, role=Role.COVARIATE, kind=kind, **details)
            for name, kind, details in columns
        ),
    )


def texts_of(values, rng):
    for row in values.to_dict("records"):
        yield ", ".join(f"{name} is {row[name]}" for name in rng.permutation(list(row)))


def test_reads_back_what_it_wrote_in_any_order(awkward_table, awkward_schema):
    values = written_values(awkward_table, awkward_schema)
    read = read_rows(texts_of(values, np.random.default_rng(1)), awkward_schema)
    assert not awkward_schema.invalid_counts(read)[0].any()
    pd.testing.assert_frame_equal(awkward_schema.canonical(read), awkward_table)


def test_writes_the_declared_decimals():
    schema = schema_of(
        ("x", ColumnKind.CONTINUOUS, {"decimals": 2}), ("y", ColumnKind.CONTINUOUS, {"decimals": 0})
    )
    table = pd.DataFrame({"x": [0.5, -0.0, 1e-9, 1234.25], "y": [3.0, -0.0, 2.0, 10.0]})
    values = written_values(table, schema)
    assert values["x"].tolist() == ["0.50", "0.00", "0.00", "1234.25"]
    assert values["y"].tolist() == ["3", "0", "2", "10"]


@pytest.mark.parametrize(
    ("kind", "accepted", "refused"),
    [
        (ColumnKind.BINARY, ["0", "1"], ["0.5", "2", "-1", "01", "1.0", "True", "nan", ""]),
        (
            ColumnKind.INTEGER,
            ["0", "37", "-5", "9999"],
            ["1.0", "1e3", "inf", "nan", "007", "+3", "1_000", "٣", "--5", " 5", "3 "],
        ),
        (
            ColumnKind.CONTINUOUS,
            ["0.50", "-1.25", "4999.00"],
            ["0.5", "0.500", "1", ".50", "1e3", "inf", "-inf", "nan", "1.2.3", "01.00", "1,25"],
        ),
        (ColumnKind.CATEGORICAL, ["red", "blue, dark", "1.0"], ["Red", "re", "blue", "1", ""]),
        (ColumnKind.ORDINAL, ["1", "10"], ["1.0", "3", "one", "01"]),
    ],
)
def test_reads_values_strictly(kind, accepted, refused):
    schema = schema_of(("x", kind, KINDS[kind]))
    read = read_rows([f"x is {word}" for word in [*accepted, *refused]], schema)["x"]
    assert read.notna().tolist() == [True] * len(accepted) + [False] * len(refused)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x is 1",
        "x is 1, y is 2, x is 1",
        "x is 1, x is 1",
        "x is 1, z is 2",
        "well, x is 1, y is 2",
        " x is 1, y is 2",
        "x is 1,y is 2",
        "x is 1, y is 2, ",
        "x is 1, y is 2\n",
        "x is 1 y is 2",
    ],
)
def test_reads_only_whole_rows(text):
    schema = schema_of(("x", ColumnKind.BINARY, {}), ("y", ColumnKind.INTEGER, {}))
    read = read_rows([text, "y is 2, x is 1"], schema)
    assert list(read.columns) == ["x", "y"]
    assert read.isna().any(axis=1).tolist() == [True, False]
    assert read.loc[1].tolist() == [1, 2]
    assert read.dtypes.tolist() == [np.float64, np.float64]


@pytest.mark.parametrize(
    ("other", "level"), [("y", "a, y is b"), ("y", " a"), ("y", "a "), ("x is z", "z is a")]
)
def test_refuses_names_and_levels_that_text_cannot_tell_apart(other, level):
    schema = schema_of(
        ("x", ColumnKind.CATEGORICAL, {"levels": (level, "c")}),
        (other, ColumnKind.CATEGORICAL, {"levels": ("b", "c")}),
    )
    with pytest.raises(GeneratorError, match="column 'x': the llm generator cannot tell"):
        require_readable(schema)


def test_accepts_awkward_but_distinct_names(awkward_schema):
    refused = []
    try:
        require_readable(awkward_schema)
    except GeneratorError as error:
        refused.append(str(error))
    assert refused == []


def test_reads_back_fixed_widths(awkward_table, awkward_schema):
    values = written_values(awkward_table, awkward_schema, fixed_width=True)
    assert values["is"].str.fullmatch(r"[+-]\d{4}").all()
    assert values["age (y.)"].str.fullmatch(r"[+-]\d\d\.\d").all()
    texts = texts_of(values, np.random.default_rng(1))
    read = read_rows(texts, awkward_schema, fixed_width=True)
    pd.testing.assert_frame_equal(awkward_schema.canonical(read), awkward_table)


@pytest.mark.parametrize(
    ("details", "low", "high", "words"),
    [
        ({"minimum": -9.5, "maximum": 99.5, "decimals": 1}, -95, 995, {-0.04: "0.0", 7.5: "7.5"}),
        ({"minimum": 0.125, "maximum": 0.375, "decimals": 2}, 12, 38, {0.125: "0.12"}),
        ({"minimum": 0.1234564, "maximum": 0.1234566}, 123457, 123456, {0.1234564: "0.123456"}),
        ({"minimum": 3, "maximum": 70, "decimals": 0}, 3, 70, {-1e-9: "0", 70.0: "70"}),
    ],
)
def test_limits_are_those_of_the_schema(details, low, high, words):
    column = schema_of(("x", ColumnKind.CONTINUOUS, details))["x"]
    numbers = number_format(column)
    assert (numbers.low, numbers.high) == (low, high)
    assert {value: numbers.word(value) for value in words} == words
    shown = [round(units / 10**numbers.decimals, numbers.decimals) for units in (low, high)]
    assert not column.invalid(pd.Series(shown)).any() or low > high


def test_integers_beyond_floats_keep_their_digits():
    details = {"minimum": -(2**53), "maximum": 2**60}
    numbers = number_format(schema_of(("x", ColumnKind.INTEGER, details))["x"])
    assert (numbers.low, numbers.high, numbers.signed) == (-(2**53), 2**60, True)
    assert numbers.word(np.int64(2**53 + 1)) == "9007199254740993"
    fixed = number_format(schema_of(("x", ColumnKind.INTEGER, details))["x"], fixed_width=True)
    assert fixed.word(-7) == "-0000000000000000007"
    assert fixed.pattern.fullmatch("+1152921504606846976")
    assert not fixed.pattern.fullmatch("-0000000000000000000")
