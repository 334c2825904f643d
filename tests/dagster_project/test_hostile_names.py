"""Names that are SQL, paths or markup go through a whole study as names, or are refused."""

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from dagster_project.command_line import app
from dagster_project.study_file import StudyFile
from dagster_project.study_folders import find_study
from hybrid_assets.errors import StudyError
from warehouse import Warehouse

HOSTILE = {
    "A": '"; DROP TABLE seed_table; --',
    "Y": "'); DROP TABLE audit.log; --",
    "W1": 'a"b',
    "W2": "select",
    "W4": "<script>alert(1)</script>",
    "W5": "{{ 7 * 7 }}",
    "W6": "../../etc/passwd",
}


def test_names_that_are_statements_are_only_names(
    tmp_path: Path,
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    trial_rows: pd.DataFrame,
) -> None:
    rows = trial_rows.rename(columns=HOSTILE)
    table = 'trial"; DROP TABLE trial; --'
    with closing(duckdb.connect(tmp_path / "clinic.duckdb")) as connection:
        connection.register("incoming", rows)
        quoted = table.replace('"', '""')
        connection.execute(f'CREATE TABLE "{quoted}" AS SELECT * FROM incoming')
    study = small_study(
        source={"kind": "duckdb", "path": "clinic.duckdb", "table": table},
        treatment=HOSTILE["A"],
        outcome=HOSTILE["Y"],
        generators=["cart"],
    )
    result = materialize(study)
    assert result.success
    warehouse = Warehouse(tmp_path / "home", "small")
    assert sorted(warehouse.read_table("cart/hybrid_triplets").columns[:8]) == sorted(rows.columns)
    assert warehouse.verify_tables() == len(warehouse.table_names())
    assert warehouse.check_audit_log() > 20
    page = (tmp_path / "home" / "reports" / "small" / "study_report.html").read_text()
    assert "<script" not in page
    assert "{{ 7 * 7 }}" in page
    outside = {path.name for path in tmp_path.iterdir()}
    assert outside == {"home", "clinic.duckdb"}


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "a b", "", "Nhefs", "a\n", "a;b"])
def test_a_study_cannot_be_named_after_a_path(
    name: str, small_study: Callable[..., StudyFile]
) -> None:
    with pytest.raises(ValidationError, match="name"):
        small_study(name=name)


@pytest.mark.parametrize("name", ["../x", "a/b", "a__b", "a_", "", "a.b", "x;", "é", "a" * 41])
def test_a_generator_cannot_be_named_after_a_path(
    name: str, small_study: Callable[..., StudyFile]
) -> None:
    with pytest.raises(
        ValidationError, match=re.escape(f"generator name {name!r}: expected lower")
    ):
        small_study(generators={name: {"kind": "cart"}})


@pytest.mark.parametrize(
    "command",
    [
        ("run", "../x"),
        ("check", "../x"),
        ("report", "../../etc"),
        ("audit", "../x"),
        ("audit", "paper_trial", "../../x"),
        ("release", "paper_trial", "--generator", "../x"),
        ("approve", "paper_trial", "--generator", "../x", "--reviewer", "a", "--reason", "b"),
    ],
    ids=" ".join,
)
def test_no_command_leaves_the_home(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home: Any = tmp_path / "a" / "home"
    monkeypatch.setenv("HYBRID_HOME", str(home))
    monkeypatch.delenv("HYBRID_STUDIES", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 2, shown.output
    assert [
        path for path in tmp_path.rglob("*") if path.is_file() and home not in path.parents
    ] == []


def test_a_study_is_found_by_its_name_alone() -> None:
    with pytest.raises(StudyError, match=re.escape("unknown study ../nhefs; known: actg175")):
        find_study("../nhefs")
