"""A table in blocks is the table: same version, same rows, wherever it is cut."""

import errno
import gc
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from warehouse import (
    BLOCK_ROWS,
    Provenance,
    StorageUnavailable,
    TableBlocks,
    TableOfColumns,
    Warehouse,
    data_version,
    storable_table,
)
from warehouse.errors import UnstorableTable

CELLS = st.lists(
    st.tuples(
        st.floats() | st.none(),
        st.text(max_size=3) | st.none(),
        st.booleans() | st.none(),
        st.decimals(-9, 9, places=2) | st.none(),
    ),
    min_size=1,
    max_size=40,
)
KINDS = {"x": pa.float64(), "text": pa.string(), "b": pa.bool_(), "d": pa.decimal128(6, 2)}


def numbered(n_rows: int) -> pd.DataFrame:
    row = np.arange(n_rows)
    return pd.DataFrame({"row": row, "third": row / 3.0, "word": np.where(row % 2, "odd", "even")})


@given(rows=CELLS, cuts=st.lists(st.integers(0, 40), max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_version_of_blocks_is_that_of_the_whole_table(
    rows: list[tuple[object, ...]], cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    columns = zip(KINDS.items(), zip(*rows, strict=True), strict=True)
    table = pa.table({name: pa.array(cells, kind) for (name, kind), cells in columns})
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [table.slice(a, b - a) for a, b in pairwise(edges)]
    blocks = TableBlocks(parts, tmp_path_factory.getbasetemp())
    assert blocks.data_version == data_version(storable_table(table))
    assert data_version(blocks.whole()) == blocks.data_version  # NaN equals itself here
    assert blocks.n_rows == len(rows)


def test_blocks_are_of_one_size_whatever_came(tmp_path: Path) -> None:
    table = numbered(2 * BLOCK_ROWS + 7)
    cuts = (table.iloc[a : a + 170_001] for a in range(0, len(table), 170_001))
    blocks = TableBlocks(cuts, tmp_path)
    assert [len(block) for block in blocks.blocks()] == [BLOCK_ROWS, BLOCK_ROWS, 7]
    rows = np.concatenate([block["row"].to_numpy() for block in blocks.blocks(["row"])])
    assert rows.tolist() == list(range(len(table)))
    assert blocks.data_version == data_version(storable_table(table))


def test_a_table_without_rows_is_one_block_without_rows(tmp_path: Path) -> None:
    blocks = TableBlocks([numbered(0)], tmp_path)
    assert [len(block) for block in blocks.blocks()] == [0]
    assert blocks.whole().column_names == ["row", "third", "word"]


def test_a_sample_is_drawn_without_replacement_and_keeps_the_order(tmp_path: Path) -> None:
    blocks = TableBlocks([numbered(120_000)], tmp_path)
    drawn = blocks.sample(30_000, np.random.default_rng(5))
    rows = drawn["row"].to_numpy()
    assert (np.diff(rows) > 0).all()
    assert (drawn["third"].to_numpy() == rows / 3.0).all()
    # of n of N rows the mean has variance (1 - n/N) (N² - 1) / (12 n)
    error = np.sqrt((1 - 0.25) * (120_000**2 - 1) / 12 / 30_000)
    assert abs(rows.mean() - 119_999 / 2) < 4 * error
    assert blocks.sample(30_000, np.random.default_rng(5)).equals(drawn)
    assert blocks.sample(120_000, np.random.default_rng(5)).equals(blocks.whole())


def test_every_row_is_as_likely_to_be_drawn(tmp_path: Path) -> None:
    blocks, rng = TableBlocks([numbered(10)], tmp_path), np.random.default_rng(1)
    drawn = np.concatenate([blocks.sample(3, rng)["row"].to_numpy() for _ in range(2000)])
    counts = np.bincount(drawn, minlength=10)
    assert abs(counts - 600).max() < 4 * np.sqrt(2000 * 0.3 * 0.7)


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    blocks = [pd.DataFrame({"x": [1]}), pd.DataFrame({"x": ["a"]})]
    with pytest.raises(UnstorableTable, match="column 'x' is int64 in one block and string in an"):
        TableBlocks(blocks, tmp_path)
    with pytest.raises(UnstorableTable, match="blocks of one table have other columns"):
        TableBlocks([pd.DataFrame({"x": [1]}), pd.DataFrame({"y": [1]})], tmp_path)
    with pytest.raises(UnstorableTable, match="no block of rows was given"):
        TableBlocks([], tmp_path)


def test_a_block_of_nothing_but_missing_values_takes_the_type_of_the_others(
    tmp_path: Path,
) -> None:
    blocks = TableBlocks([pd.DataFrame({"x": [1.5]}), pd.DataFrame({"x": [None]})], tmp_path)
    assert blocks.whole()["x"].to_pylist() == [1.5, None]


def test_nothing_is_left_of_rows_laid_aside(tmp_path: Path) -> None:
    folder = tmp_path / "aside"
    blocks = TableBlocks((numbered(BLOCK_ROWS) for _ in range(12)), folder)
    assert blocks.n_rows == 12 * BLOCK_ROWS
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o077 == 0
    del blocks
    gc.collect()


def test_a_disk_that_refuses_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable, match="cannot be made; check its permissions"):
        TableBlocks([numbered(1)], tmp_path / "file" / "aside")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000_000, before[1]))
    try:
        with pytest.raises(StorageUnavailable, match="laid aside in .*File too large") as refused:
            TableBlocks((numbered(BLOCK_ROWS) for _ in range(40)), tmp_path / "aside")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.__cause__ is None


def test_what_goes_wrong_in_making_blocks_passes_as_it_is(tmp_path: Path) -> None:
    def blocks() -> Iterator[pd.DataFrame]:
        yield numbered(60_000)
        raise OSError(errno.ESTALE, "Could not convert string 'Jane Roe' to INT32")

    with pytest.raises(OSError, match="Jane Roe") as caught:
        TableBlocks(blocks(), tmp_path)
    assert caught.value.errno == errno.ESTALE


def test_blocks_are_recorded_and_read_as_the_whole_table_would_be(
    warehouse: Warehouse, origin: Provenance
) -> None:
    table = numbered(BLOCK_ROWS + 60_000)
    halves = warehouse.in_blocks([table.iloc[:99_999], table.iloc[99_999:]])
    recorded = warehouse.record_table("cart/hybrid_triplets", halves, origin)
    assert recorded.data_version == data_version(storable_table(table))
    assert (recorded.n_rows, recorded.n_columns) == (len(table), 3)
    found, version = warehouse.read_blocks("cart/hybrid_triplets")
    assert version == recorded.data_version == found.data_version
    assert [len(block) for block in found.blocks()] == [BLOCK_ROWS, 60_000]
    assert_frame_equal(found.whole().to_pandas(), table)
    assert warehouse.verify_tables() == 1


def test_blocks_that_fail_midway_leave_the_last_version(
    warehouse: Warehouse, origin: Provenance
) -> None:
    warehouse.record_table("seed_table", numbered(3), origin)

    def broken() -> Iterator[pd.DataFrame]:
        yield numbered(60_000)
        raise ValueError("the generator broke")

    with pytest.raises(ValueError, match="the generator broke"):
        warehouse.record_table("seed_table", warehouse.in_blocks(broken()), origin)
    assert warehouse.row_count("seed_table") == 3
    assert warehouse.verify_tables() == 1


def test_a_table_laid_aside_by_columns_is_the_table_laid_aside_by_rows(tmp_path: Path) -> None:
    table = numbered(120_001)
    by_rows = TableBlocks([table], tmp_path)
    by_columns = TableOfColumns((table[name] for name in table), tmp_path)
    assert by_columns.schema == by_rows.schema
    assert by_columns.data_version == by_rows.data_version
    assert by_columns.whole().equals(by_rows.whole())
    chosen = [blocks.sample(70, np.random.default_rng(2)) for blocks in (by_rows, by_columns)]
    assert chosen[0].equals(chosen[1])
    for blocks in (by_rows, by_columns):
        assert blocks.column("word").equals(table["word"])
        two = next(blocks.blocks(["word", "row"]))
        assert two.column_names == ["word", "row"]
        assert two["row"].to_pylist() == table["row"].tolist()
    empty = TableOfColumns((column.iloc[:0] for _, column in table.items()), tmp_path)
    assert empty.data_version == TableBlocks([table.iloc[:0]], tmp_path).data_version
    with pytest.raises(UnstorableTable, match="columns of one table have other numbers of rows"):
        TableOfColumns([table["row"], table["word"].iloc[1:]], tmp_path)


def test_a_name_that_repeats_is_refused(tmp_path: Path) -> None:
    columns = [pd.Series([1, 2], name="a"), pd.Series([3, 4], name="A")]
    with pytest.raises(UnstorableTable, match="column 'A' appears twice"):
        TableOfColumns(columns, tmp_path)


def test_threads_read_what_is_there(tmp_path: Path) -> None:
    columns = [pd.Series(np.arange(600_000.0) * k, name=f"x{k}") for k in range(3)]
    blocks = TableOfColumns(columns, tmp_path)
    with ThreadPoolExecutor(3) as threads:
        read = list(threads.map(blocks.column, blocks.column_names * 2))
    for column, expected in zip(read, columns * 2, strict=True):
        pd.testing.assert_series_equal(column, expected)
