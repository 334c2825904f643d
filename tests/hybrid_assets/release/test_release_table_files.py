import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_assets.release.table_files import (
    csv_bytes,
    formula_columns,
    parquet_bytes,
    read_csv,
    read_parquet,
)

TABLE = pd.DataFrame(
    {
        "age": [40, 41, 42],
        "bmi": [20.5, -0.25, 31.0],
        "site": ['a, "b"', "line\nbreak", "ü=1+1"],
        "score": [1 / 3, 1e-17, np.nan],
    }
)


def test_csv_says_what_was_declared():
    text = csv_bytes(TABLE, {"bmi": 2}).decode()
    assert text.splitlines()[:2] == ["age,bmi,site,score", '40,20.50,"a, ""b""",0.3333333333333333']
    assert text.endswith("42,31.00,ü=1+1,\n")


def test_pandas_reads_the_same_values():
    by_pandas = pd.read_csv(io.BytesIO(csv_bytes(TABLE, {"bmi": 2})), float_precision="round_trip")
    pd.testing.assert_frame_equal(by_pandas, TABLE)


def test_both_files_give_the_table_back():
    told = {"study": "small", "release": "0001"}
    table, metadata = read_parquet(parquet_bytes(TABLE, told))
    pd.testing.assert_frame_equal(table, TABLE)
    assert metadata == told
    pd.testing.assert_frame_equal(read_csv(csv_bytes(TABLE, {"bmi": 2}), TABLE), TABLE)
    empty = TABLE.iloc[:0]
    pd.testing.assert_frame_equal(read_csv(csv_bytes(empty, {}), empty), empty)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ('=HYPERLINK("http://x","y")', True),
        ("@SUM(A1)", True),
        ("+cmd|' /C calc'!A0", True),
        ("-2+3", True),
        ("\t=1+1", True),
        ("-", False),
        ("+", False),
        ("-1", False),
        ("+0.5", False),
        ("a=1", False),
        ("", False),
    ],
)
def test_formulas_are_named_and_never_quoted_away(text, runs):
    table = pd.DataFrame({"n": [-1, 2], "site": ["a", text]})
    assert formula_columns([table, table]) == (("site",) if runs else ())
    pd.testing.assert_frame_equal(read_csv(csv_bytes(table, {}), table), table)
    named = pd.DataFrame({text or "x": [1]})
    assert formula_columns([named]) == ((text,) if runs else ())


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(allow_nan=False, width=64), min_size=1, max_size=20))
def test_any_number_survives(numbers):
    table = pd.DataFrame({"x": numbers})
    assert read_csv(csv_bytes(table, {}), table)["x"].tolist() == numbers
    assert read_parquet(parquet_bytes(table, {}))[0]["x"].tolist() == numbers


def test_the_same_table_gives_the_same_bytes_in_another_process():
    program = (
        "import sys, pandas as pd; from hybrid_assets.release.table_files import parquet_bytes; "
        "t = pd.DataFrame({'x': [1.5, 2.5], 'y': ['a', 'b']}, index=[7, 9]); "
        "sys.stdout.buffer.write(parquet_bytes(t, {'b': '1', 'a': '2'}))"
    )
    ran = [subprocess.run([sys.executable, "-c", program], capture_output=True) for _ in range(2)]
    here = parquet_bytes(pd.DataFrame({"x": [1.5, 2.5], "y": ["a", "b"]}), {"a": "2", "b": "1"})
    assert {run.stdout for run in ran} == {here}
    footer = pq.read_metadata(io.BytesIO(here))
    assert set(footer.metadata) == {b"ARROW:schema", b"hybrid_assets.a", b"hybrid_assets.b"}


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="the columns differ"):
        read_csv(b"x,y\n1,2\n", TABLE)
