"""Each source reads what it names, and says clearly what is missing."""

from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from dagster_project.sources import AnySource, Source
from dagster_project.sources.csv_file import CsvSource
from dagster_project.sources.file_source import FileSource
from hybrid_assets.errors import SourceError

TABLE = pd.DataFrame({"w": [1.5, 2.5], "A": [0, 1], "site": ["a", "b, c"]})


def source(**settings: object) -> Source:
    made: Source = TypeAdapter(AnySource).validate_python(settings)
    return made


def test_csv_relative_to_the_study_file(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "seed.csv", index=False)
    pd.testing.assert_frame_equal(
        source(kind="csv", path="seed.csv").read(tmp_path, tmp_path), TABLE
    )


def test_csv_keeps_repeated_column_names(tmp_path: Path) -> None:
    (tmp_path / "seed.csv").write_text("w,w,A\n1,2,0\n")
    read = source(kind="csv", path="seed.csv").read(tmp_path, tmp_path)
    assert list(read.columns) == ["w", "w", "A"]


def test_csv_separator_and_missing_cells(tmp_path: Path) -> None:
    (tmp_path / "seed.csv").write_text("w;A\n1,5;0\n;1\n")
    read = source(kind="csv", path="seed.csv", separator=";").read(tmp_path, tmp_path)
    assert read["w"].isna().tolist() == [False, True]


def test_parquet(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "seed.parquet")
    pd.testing.assert_frame_equal(
        source(kind="parquet", path="seed.parquet").read(tmp_path, tmp_path), TABLE
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_last_version_is_read_unless_another_is_asked_for(kind: str, tmp_path: Path) -> None:
    for number, version in enumerate(("2026-02", "2026-01", "2026-03")):
        written, file = TABLE.assign(w=float(number)), tmp_path / f"seed [{version}].{kind}"
        written.to_csv(file, index=False) if kind == "csv" else written.to_parquet(file)
    last = source(kind=kind, path=f"seed [{{version}}].{kind}")
    assert isinstance(last, FileSource)
    assert last.versions(tmp_path) == ("2026-01", "2026-02", "2026-03")
    assert last.read(tmp_path, tmp_path)["w"].tolist() == [2.0, 2.0]
    first = last.at("2026-01", tmp_path)
    assert first.read(tmp_path, tmp_path)["w"].tolist() == [1.0, 1.0]
    assert first.model_dump() == last.model_dump()
    assert first.version(tmp_path) != last.version(tmp_path)
    with pytest.raises(SourceError, match="version '../x': expected 2026-01, 2026-02, 2026-03"):
        last.at("../x", tmp_path)
    with pytest.raises(SourceError, match="version '1': expected a path with {version}"):
        CsvSource(kind="csv", path="seed.csv").at("1", tmp_path)
    with pytest.raises(SourceError, match=r"expected a file at .*none_\*; got nothing there"):
        source(kind=kind, path="none_{version}").read(tmp_path, tmp_path)


@pytest.mark.parametrize("path", ["{version}/seed.csv", "{version}_{version}.csv"])
def test_a_version_stands_once_in_the_name_of_a_file(path: str) -> None:
    with pytest.raises(ValidationError, match="expected {version} once, in the name of the file"):
        source(kind="csv", path=path)


def test_duckdb(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "own.duckdb")) as connection:
        connection.execute("CREATE SCHEMA trial")
        connection.register("rows", TABLE)
        connection.execute("CREATE TABLE trial.patients AS SELECT * FROM rows")
    read = source(kind="duckdb", path="own.duckdb", table="trial.patients").read(tmp_path, tmp_path)
    pd.testing.assert_frame_equal(read, TABLE)


def test_nhefs_is_the_books_table(tmp_path: Path) -> None:
    read = source(kind="example", name="nhefs").read(tmp_path, tmp_path)
    assert len(read) == 1566
    change = read.groupby("qsmk")["wt82_71"].mean()
    assert change[1.0] - change[0.0] == pytest.approx(2.540581, abs=1e-6)  # What If, chapter 12


def test_design_is_the_published_table_and_knows_its_effect(tmp_path: Path) -> None:
    trial = source(kind="design", name="paper1_trial", n_rows=1000, random_seed=2)
    assert trial.read(tmp_path, tmp_path)["W4"].iloc[0] == pytest.approx(
        -1.6421272009522956, abs=1e-12
    )
    assert trial.known_effect is not None
    assert trial.known_effect.effect == pytest.approx(0.41847, abs=2e-5)


LATE_FAULT = b"w,A\n" + b"1,2\n" * 9000 + b"\xff,1\n"


def test_a_designs_levels_are_plain_numbers(tmp_path: Path) -> None:
    cost = source(kind="design", name="skewed_cost", n_rows=50, random_seed=1).read(
        tmp_path, tmp_path
    )
    assert cost.dtypes.astype(str).tolist() == ["int64", "int64", "float64", "int64", "float64"]
    assert set(cost["severity"]) == {1, 2, 3}


@pytest.mark.parametrize(
    ("settings", "content", "message"),
    [
        ({"kind": "csv", "path": "none.csv"}, None, "csv: expected a file at .*none.csv"),
        ({"kind": "csv", "path": "f"}, b"", "expected a header line of UTF-8 text"),
        ({"kind": "csv", "path": "f"}, LATE_FAULT, "got lines that do not parse"),
        ({"kind": "csv", "path": "f"}, b"w,A\nr1,2.5,0\nr2,3.5,1\n", "row names without a header"),
        ({"kind": "parquet", "path": "none"}, None, "parquet: expected a file"),
        ({"kind": "parquet", "path": "f"}, b"PAR?", "expected a Parquet file at"),
        ({"kind": "duckdb", "path": "none", "table": "t"}, None, "duckdb: expected a file"),
        ({"kind": "duckdb", "path": "f", "table": "t"}, b"not a database", "source duckdb: "),
    ],
)
def test_refuses(
    tmp_path: Path, settings: dict[str, object], content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "f").write_bytes(content)
    with pytest.raises(SourceError, match=message):
        source(**settings).read(tmp_path, tmp_path)


def test_unknown_design_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown design 'paper9'; known: paper1_trial"):
        source(kind="design", name="paper9", n_rows=10, random_seed=1)
