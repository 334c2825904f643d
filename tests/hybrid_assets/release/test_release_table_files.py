import io
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid_assets.release.table_files import (
    ParquetRows,
    csv_header,
    csv_lines,
    end_parquet,
    formula_columns,
    parquet_writer,
    same_text,
    same_values,
    write_block,
)

TABLE = pd.DataFrame(
    {
        "age": [40, 41, 42],
        "bmi": [20.5, -0.25, 31.0],
        "site": ['a, "b"', "line\nbreak", "ü=1+1"],
        "score": [1 / 3, 1e-17, np.nan],
    }
)


ROWS = pa.Table.from_pandas(TABLE, preserve_index=False)


def csv_bytes(blocks, decimals):
    lines = (lines for block in blocks for lines in csv_lines(block, decimals))
    return b"".join([csv_header(blocks[0].column_names), *lines])


def parquet_bytes(blocks, metadata):
    file = io.BytesIO()
    writer = parquet_writer(file, blocks[0].schema)
    for block in blocks:
        write_block(writer, block)
    end_parquet(writer, metadata)
    return file.getvalue()


def read_back(content):
    return pa.concat_tables(list(ParquetRows(io.BytesIO(content))))


def test_csv_says_what_was_declared():
    text = csv_bytes([ROWS], {"bmi": 2}).decode()
    assert text.splitlines()[:2] == ["age,bmi,site,score", '40,20.50,"a, ""b""",0.3333333333333333']
    assert text.endswith("42,31.00,ü=1+1,\n")


def test_pandas_reads_the_same_values():
    text = io.BytesIO(csv_bytes([ROWS], {"bmi": 2}))
    pd.testing.assert_frame_equal(pd.read_csv(text, float_precision="round_trip"), TABLE)


@pytest.mark.parametrize("rows", [ROWS, ROWS.slice(0, 0)])
def test_both_files_hold_the_table(rows):
    told = {"study": "small", "release": "0001"}
    content = parquet_bytes([rows], told)
    found = ParquetRows(io.BytesIO(content))
    assert (len(found), found.names, found.metadata) == (len(rows), rows.column_names, told)
    assert read_back(content) == rows.replace_schema_metadata(None)
    text = csv_bytes([rows], {"bmi": 2})
    assert same_values(io.BytesIO(text), found)
    assert same_text(io.BytesIO(text), found, {"bmi": 2})


def test_a_missing_count_stays_a_whole_number():
    rows = pa.table({"n": pa.array([1, None, 3]), "site": ["a", None, "b"]})
    text = csv_bytes([rows], {})
    assert text == b"n,site\n1,a\n,\n3,b\n"
    assert same_values(io.BytesIO(text), [rows])
    assert read_back(parquet_bytes([rows], {})) == rows


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_blocks_of_any_length_give_the_same_text_and_the_same_rows(lengths):
    edges = np.minimum(np.cumsum([0, *lengths]), 3)
    edges[-1] = 3
    blocks = [ROWS.slice(first, end - first) for first, end in pairwise(edges)]
    text = csv_bytes(blocks, {"bmi": 2})
    assert text == csv_bytes([ROWS], {"bmi": 2})
    assert same_values(io.BytesIO(text), blocks)
    assert same_text(io.BytesIO(text), blocks, {"bmi": 2})
    assert read_back(parquet_bytes(blocks, {})) == ROWS.replace_schema_metadata(None)


@pytest.mark.parametrize(
    ("old", "new", "values", "text"),
    [
        (b"20.50", b"20.51", False, False),
        (b"20.50", b"20.5", True, False),
        (b"40,", b"+40,", True, False),
        (b"\n42,", b"\n\n42,", ValueError, False),
        (b"\n40,", b"\nforty,", ValueError, False),
        (b"age,", b"Age,", ValueError, False),
        (b"31.00", b"", False, False),
    ],
)
def test_what_was_changed_in_the_text_is_found(old, new, values, text):
    changed = csv_bytes([ROWS], {"bmi": 2}).replace(old, new, 1)
    if values is ValueError:
        with pytest.raises(ValueError, match="differ|zip|invalid literal"):
            same_values(io.BytesIO(changed), [ROWS])
    else:
        assert same_values(io.BytesIO(changed), [ROWS]) is values
    assert same_text(io.BytesIO(changed), [ROWS], {"bmi": 2}) is text


def test_a_cell_too_many_in_every_row_is_found():
    lines = csv_bytes([ROWS], {"bmi": 2}).splitlines()
    changed = b"\n".join([lines[0], *(line + b",1" for line in lines[1:]), b""])
    assert not same_values(io.BytesIO(changed), [ROWS])


@pytest.mark.parametrize("more", [b"43,1.00,b,1.0\n", b"\n"])
def test_rows_too_many_and_too_few_are_found(more):
    content = csv_bytes([ROWS], {"bmi": 2})
    assert not same_values(io.BytesIO(content + more), [ROWS])
    assert not same_text(io.BytesIO(content + more), [ROWS], {"bmi": 2})
    fewer = csv_bytes([ROWS.slice(0, 2)], {"bmi": 2})
    assert not same_values(io.BytesIO(fewer), [ROWS])
    assert not same_text(io.BytesIO(fewer), [ROWS], {"bmi": 2})


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
    rows = pa.Table.from_pandas(table)
    assert same_values(io.BytesIO(csv_bytes([rows], {})), [rows])
    named = pd.DataFrame({text or "x": [1]})
    assert formula_columns([named]) == ((text,) if runs else ())


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(allow_nan=False, width=64), min_size=1, max_size=20))
def test_any_number_survives(numbers):
    rows = pa.table({"x": numbers})
    assert same_values(io.BytesIO(csv_bytes([rows], {})), [rows])
    assert read_back(parquet_bytes([rows], {}))["x"].to_pylist() == numbers


def test_the_same_table_gives_the_same_bytes_in_another_process():
    program = """
import sys, pyarrow as pa
from hybrid_assets.release.table_files import end_parquet, parquet_writer, write_block
rows = pa.table({"x": [1.5, 2.5], "y": ["a", "b"]})
writer = parquet_writer(sys.stdout.buffer, rows.schema)
write_block(writer, rows)
end_parquet(writer, {"b": "1", "a": "2"})
"""
    ran = [subprocess.run([sys.executable, "-c", program], capture_output=True) for _ in range(2)]
    here = parquet_bytes([pa.table({"x": [1.5, 2.5], "y": ["a", "b"]})], {"a": "2", "b": "1"})
    assert {run.stdout for run in ran} == {here}
    footer = pq.read_metadata(io.BytesIO(here))
    assert set(footer.metadata) == {b"ARROW:schema", b"hybrid_assets.a", b"hybrid_assets.b"}


def test_a_long_file_is_written_in_row_groups(monkeypatch):
    monkeypatch.setattr("hybrid_assets.release.table_files.ROWS_AT_ONCE", 4)
    rows = pa.table({"x": range(10)})
    content = parquet_bytes([rows, rows], {})
    footer = pq.read_metadata(io.BytesIO(content))
    groups = [footer.row_group(k).num_rows for k in range(footer.num_row_groups)]
    assert groups == [4, 4, 2, 4, 4, 2]
    assert [len(block) for block in ParquetRows(io.BytesIO(content))] == [4, 4, 4, 4, 4]
