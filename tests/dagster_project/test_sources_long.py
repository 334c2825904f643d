"""A long table, read in blocks, is the table: values, types, missing cells, refusals."""

import csv
import io
import warnings
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dagster_project.sources.csv_file import CsvSource
from dagster_project.sources.duckdb_table import DuckdbSource
from dagster_project.sources.parquet_file import ParquetSource
from hybrid_assets.columnwise import Columns, whole_table
from hybrid_assets.errors import SourceError
from warehouse import RawColumns

BEYOND_64_BITS, UNSIGNED = str(2**64), str(2**63)
CELLS = {
    "whole": ["1", "-2", "0", " 3"],
    "number": ["1.5", "-0.0", "1e300", "inf", "2", ".1"],
    "missing": ["", "NA", "nan", "NULL"],
    "large": ["9007199254740993", UNSIGNED, BEYOND_64_BITS, "-1", "1e400"],
    "word": ["a", "True", "false", "x,y", 'q"q', "two\nlines", "1 2", "\r", "é"],
    "bool": ["True", "FALSE", "true"],
}
KINDS = st.sampled_from(sorted(CELLS))
COLUMN = st.lists(KINDS, min_size=1, max_size=3).flatmap(
    lambda kinds: st.lists(
        st.sampled_from([cell for kind in kinds for cell in CELLS[kind]]), min_size=12, max_size=12
    )
)


def read_whole(text: str) -> pd.DataFrame:
    """Read the file at once, as pandas does."""
    header = next(csv.reader(io.StringIO(text)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        read = pd.read_csv(
            io.StringIO(text, newline=""),
            header=0,
            names=range(len(header)),
            index_col=False,
            low_memory=False,
        )
    return read.set_axis(header, axis="columns")


def read_in_chunks(text: str, rows: int, folder: Path) -> Columns:
    (folder / "seed.csv").write_text(text, newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dagster_project.sources.csv_chunks.CHUNK_ROWS", rows)
        return CsvSource(kind="csv", path="seed.csv").read(folder, folder / "home")


def same(table: Columns) -> pd.DataFrame:
    """Write missing cells of objects one way."""
    frame = whole_table(table)
    return frame.apply(lambda cells: cells.where(cells.notna(), np.nan)).astype(frame.dtypes)


@settings(max_examples=150, deadline=None)
@example(columns=[["1.5"] * 4 + [BEYOND_64_BITS] * 8], rows=4)
@example(columns=[[BEYOND_64_BITS] * 4 + ["1.5"] * 8], rows=4)
@example(columns=[[UNSIGNED] * 4 + ["NA"] * 8], rows=4)
@example(columns=[[UNSIGNED] * 4 + ["-1"] * 8], rows=4)
@example(columns=[["True"] * 4 + ["NA"] * 4 + ["False"] * 4], rows=4)
@example(columns=[["9007199254740993"] * 4 + [""] * 8], rows=4)
@given(columns=st.lists(COLUMN, min_size=1, max_size=3), rows=st.integers(2, 13))
def test_csv_in_chunks_is_csv_at_once(
    columns: list[list[str]], rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([f"c{k}" for k in range(len(columns))])
    writer.writerows(zip(*columns, strict=True))
    found = read_in_chunks(out.getvalue(), rows, tmp_path_factory.mktemp("csv"))
    assert isinstance(found, RawColumns) == (rows <= 12)
    pd.testing.assert_frame_equal(same(found), same(read_whole(out.getvalue())), check_exact=True)


LINES = st.lists(st.sampled_from(["1,2", "3", "4,", "5,6,", "7,8,9", ",", "", '"', "a,b"]))


@settings(max_examples=150, deadline=None)
@example(lines=["1,2", "3,4", "5,6,7", "8,9"], rows=2)
@example(lines=["1,2,", "3,4,", "5,6,7", "8,9"], rows=2)
@given(lines=LINES, rows=st.integers(2, 8))
def test_a_file_is_refused_in_chunks_where_it_is_refused_at_once(
    lines: list[str], rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text, folder = "\n".join(["x,y", *lines, ""]), tmp_path_factory.mktemp("csv")
    try:
        whole = read_whole(text)
    except (ValueError, pd.errors.ParserWarning):
        with pytest.raises(SourceError, match="got lines that do not parse or have another number"):
            read_in_chunks(text, rows, folder)
        return
    found = read_in_chunks(text, rows, folder)
    pd.testing.assert_frame_equal(same(found), same(whole), check_exact=True)


TYPED = pa.table(
    {
        "whole": pa.array([1, 2, None] * 40),
        "exact": pa.array([2**60 + k for k in range(120)]),
        "flag": pa.array([True, None, False] * 40),
        "site": pa.array(["a", "b", None] * 40).dictionary_encode(),
        "lists": pa.array([[1], [2, 3], None] * 40),
        "day": pa.array([0, 1, None] * 40, pa.date32()),
        "at": pa.array(range(120), pa.timestamp("ms", "Europe/Paris")),
    }
)


def test_parquet_in_blocks_is_parquet_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(TYPED, tmp_path / "seed.parquet", row_group_size=50)
    source = ParquetSource(kind="parquet", path="seed.parquet")
    whole = source.read(tmp_path, tmp_path / "home")
    assert isinstance(whole, pd.DataFrame)
    assert not (tmp_path / "home").exists()
    for name, rows in (("BLOCK_ROWS", 100), ("BATCH_ROWS", 30)):
        monkeypatch.setattr(f"dagster_project.sources.parquet_file.{name}", rows)
    found = source.read(tmp_path, tmp_path / "home")
    assert isinstance(found, RawColumns)
    assert (len(found), list(found.columns)) == (120, list(whole.columns))
    pd.testing.assert_frame_equal(whole_table(found), whole)


def test_duckdb_in_blocks_is_the_table_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(tmp_path / "own.duckdb")) as connection:
        connection.execute("CREATE TYPE sex AS ENUM ('f', 'm')")
        connection.execute(
            "CREATE TABLE trial AS SELECT range AS n, (range / 4)::DECIMAL(9, 2) AS d, "
            "if(range % 2 = 0, 'm', 'f')::sex AS sex, if(range % 3 = 0, NULL, range % 2 = 0) AS b "
            "FROM range(9000)"
        )
    source = DuckdbSource(kind="duckdb", path="own.duckdb", table="trial")
    whole, version = source.read(tmp_path, tmp_path), source.version(tmp_path)
    monkeypatch.setattr("warehouse.user_tables.BLOCK_ROWS", 2048)
    found = source.read(tmp_path, tmp_path)
    assert isinstance(found, RawColumns)
    pd.testing.assert_frame_equal(whole_table(found), whole_table(whole), check_categorical=False)
    assert source.version(tmp_path) == version


def test_a_column_whose_name_repeats_is_not_given(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], ["a", "y", "y"])
    rows = RawColumns([table], tmp_path)
    assert (list(rows.columns), rows["a"].tolist()) == (["a", "y", "y"], [1])
    with pytest.raises(KeyError, match="y"):
        rows["y"]
