"""One run for each new version of a source: also after a restart, also when a version returns."""

import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from pydantic import ValidationError

from dagster_project.seed_watch import look
from dagster_project.study_file import StudyFile

Make = Callable[..., StudyFile]
NOW = 1_800_000_000.0


@pytest.fixture
def watched(small_study: Make) -> StudyFile:
    return small_study(source={"kind": "csv", "path": "seed.csv"}, on_new_seed=True)


def write(folder: Path, text: str, *, at: float = NOW - 3600) -> None:
    (folder / "seed.csv").write_text(text)
    os.utime(folder / "seed.csv", (at, at))


def keys(told: dg.SensorResult | dg.SkipReason) -> list[str | None]:
    assert isinstance(told, dg.SensorResult), told
    return [request.run_key for request in told.run_requests or ()]


def cursor(told: dg.SensorResult | dg.SkipReason) -> str | None:
    assert isinstance(told, dg.SensorResult), told
    return told.cursor


def test_each_version_is_run_once(watched: StudyFile, tmp_path: Path) -> None:
    write(tmp_path, "a\n1\n")
    first = look(watched, tmp_path, None, now=NOW)
    assert len(keys(first)) == 1
    again = look(watched, tmp_path, cursor(first), now=NOW)  # also what a restart would see
    assert isinstance(again, dg.SkipReason)

    write(tmp_path, "a\n1\n", at=NOW - 60)
    touched = look(watched, tmp_path, cursor(first), now=NOW)
    assert keys(touched) == []

    write(tmp_path, "a\n2\n", at=NOW - 50)
    second = look(watched, tmp_path, cursor(touched), now=NOW)
    write(tmp_path, "a\n1\n", at=NOW - 40)
    third = look(watched, tmp_path, cursor(second), now=NOW)
    assert len({*keys(first), *keys(second), *keys(third)}) == 3


def test_a_crash_before_the_cursor_was_kept_asks_for_the_same_run(
    watched: StudyFile, tmp_path: Path
) -> None:
    write(tmp_path, "a\n1\n")
    asked = [keys(look(watched, tmp_path, None, now=NOW)) for _ in range(2)]
    assert asked[0] == asked[1]  # Dagster launches a run key once


def test_a_file_being_written_is_waited_for(watched: StudyFile, tmp_path: Path) -> None:
    write(tmp_path, "a\n1\n", at=NOW - 5)
    told = look(watched, tmp_path, None, now=NOW)
    assert isinstance(told, dg.SkipReason)
    assert "at rest" in str(told.skip_message)
    assert keys(look(watched, tmp_path, None, now=NOW + 30))


def test_an_absent_file_is_said(watched: StudyFile, tmp_path: Path) -> None:
    told = look(watched, tmp_path, None, now=NOW)
    assert isinstance(told, dg.SkipReason)
    assert "expected a file at" in str(told.skip_message)


def test_another_table_of_the_file_is_nothing_new(small_study: Make, tmp_path: Path) -> None:
    source = {"kind": "duckdb", "path": "own.duckdb", "table": "seed"}
    study = small_study(source=source, on_new_seed=True)

    def run(statement: str, at: float) -> None:
        with duckdb.connect(str(tmp_path / "own.duckdb")) as connection:
            connection.execute(statement)
        os.utime(tmp_path / "own.duckdb", (at, at))

    run("CREATE TABLE seed AS SELECT 1 AS a", NOW - 3600)
    first = look(study, tmp_path, None, now=NOW)
    run("CREATE TABLE another AS SELECT 2 AS a", NOW - 3000)
    second = look(study, tmp_path, cursor(first), now=NOW)
    assert keys(second) == []
    run("INSERT INTO seed VALUES (3)", NOW - 2000)
    assert len(keys(look(study, tmp_path, cursor(second), now=NOW))) == 1


def test_a_source_that_cannot_change_is_not_watched(small_study: Make) -> None:
    with pytest.raises(ValidationError, match="on_new_seed: expected a source that lies in files"):
        small_study(on_new_seed=True)
