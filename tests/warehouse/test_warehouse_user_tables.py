"""A user's own DuckDB file is read, never changed, and faults are told in the user's words."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from warehouse import (
    BLOCK_ROWS,
    StorageUnavailable,
    TableNotFound,
    WarehouseBusy,
    read_duckdb_table,
)

EVIL = '"; DROP TABLE trial'


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    path = tmp_path / "trial.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TYPE sex AS ENUM ('f', 'm')")
        connection.execute(
            "CREATE TABLE trial AS "
            "SELECT 1 AS id, 2.50::DECIMAL(5, 2) AS cd4, 'm'::sex AS sex, 3::HUGEINT AS n"
        )
        connection.execute("CREATE SCHEMA raw")
        connection.execute("CREATE TABLE raw.visits AS SELECT range AS v FROM range(3)")
        connection.execute(f'CREATE TABLE "{EVIL.replace(chr(34), chr(34) * 2)}" AS SELECT 4 AS v')
        connection.execute("CREATE TABLE texts AS SELECT 'Jane Roe' AS name")
    return path


def test_values_and_kinds(trial: Path) -> None:
    before = trial.read_bytes()
    table = read_duckdb_table(trial, "trial", trial.parent)
    assert table.to_dict("list") == {"id": [1], "cd4": [2.5], "sex": ["m"], "n": [3.0]}
    assert table["cd4"].dtype == "float64"
    assert table["sex"].cat.categories.tolist() == ["f", "m"]
    assert read_duckdb_table(trial, "raw.visits", trial.parent)["v"].tolist() == [0, 1, 2]
    assert read_duckdb_table(trial, EVIL, trial.parent)["v"].tolist() == [4]
    assert trial.read_bytes() == before


def test_absent_table_names_the_others(trial: Path) -> None:
    with pytest.raises(TableNotFound, match=r"no table 'visits'; use one of: .*raw\.visits"):
        read_duckdb_table(trial, "visits", trial.parent)


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(TableNotFound, match=r"there is no file .*none\.duckdb; check the path"):
        read_duckdb_table(tmp_path / "none.duckdb", "trial", tmp_path)
    assert not (tmp_path / "none.duckdb").exists()


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "trial.csv"
    path.write_text("id,cd4\n1,2\n" * 5000)
    with pytest.raises(StorageUnavailable, match="check its permissions and that it is a DuckDB"):
        read_duckdb_table(path, "trial", tmp_path)


@pytest.mark.parametrize("n_rows", [0, 2 * BLOCK_ROWS])
def test_a_view_that_fails_quotes_no_cell(trial: Path, n_rows: int) -> None:
    with duckdb.connect(str(trial)) as connection:
        connection.execute(
            "CREATE OR REPLACE VIEW broken AS SELECT name::INTEGER AS n FROM "
            f"(SELECT range::VARCHAR AS name FROM range({n_rows}) UNION ALL FROM texts)"
        )
    with pytest.raises(StorageUnavailable, match="reading 'broken' failed") as caught:
        read_duckdb_table(trial, "broken", trial.parent)
    assert "Jane" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_file_open_elsewhere_is_busy(trial: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); "
            "sys.stdin.read()",
            str(trial),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WarehouseBusy, match=r"trial\.duckdb was in use by another process"):
            read_duckdb_table(trial, "trial", trial.parent)
        holder.communicate("")
    assert read_duckdb_table(trial, "trial", trial.parent)["id"].tolist() == [1]
