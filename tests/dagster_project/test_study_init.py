"""`hybrid init`: what is guessed, what is asked, what is written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from dagster_project.command_line import app
from dagster_project.study_draft import guess_roles, table_source
from dagster_project.study_file import read_study_file
from hybrid_assets.errors import SourceError
from hybrid_assets.schema import ColumnKind


@pytest.fixture
def patients() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    n = 300
    table = pd.DataFrame(
        {
            "patient_id": [f"P{i}" for i in range(n)],
            "drug": rng.integers(0, 2, n),
            "smoker": rng.integers(0, 2, n),
            "age": rng.integers(18, 90, n),
            "site: main #1": rng.choice(["north", "yes", "1e3"], n),
            "bmi": rng.normal(27, 4, n).round(1),
            "stage": rng.integers(1, 5, n),
            "constant": 1,
            "seen": pd.date_range("2020-01-01", periods=n),
            "pain_response": rng.normal(5, 2, n).round(2),
        }
    )
    table.loc[:30, "bmi"] = np.nan
    return table


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HYBRID_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HYBRID_STUDIES", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*arguments: str, replies: str | None = None) -> Result:
    return CliRunner().invoke(app, ["init", *arguments], input=replies)


def test_roles_are_guessed_by_telling_names_only(patients: pd.DataFrame) -> None:
    guessed = guess_roles(patients)
    assert (guessed.treatment, guessed.outcome) == ("drug", "pain_response")
    assert guessed.identifiers == ("patient_id",)
    assert guessed.binary == ("drug", "smoker")
    assert guess_roles(patients.rename(columns={"smoker": "arm"})).treatment is None
    assert guess_roles(patients.rename(columns={"drug": "x"})).treatment is None


def test_a_file_of_a_table_is_written_with_what_was_guessed(
    patients: pd.DataFrame, elsewhere: Path
) -> None:
    patients.to_parquet("Patients 2020.parquet")
    shown = init("Patients 2020.parquet", "--yes")
    assert shown.exit_code == 0, shown.output
    file = elsewhere / "studies" / "patients_2020" / "defs.yaml"
    study = read_study_file(file)
    assert {name: one.kind for name, one in (study.covariates or {}).items()} == {
        "smoker": ColumnKind.BINARY,
        "age": ColumnKind.INTEGER,
        "site: main #1": ColumnKind.CATEGORICAL,
        "bmi": ColumnKind.CONTINUOUS,
        "stage": ColumnKind.INTEGER,
    }
    assert (study.treatment, study.outcome, study.identifiers) == (
        "drug",
        "pain_response",
        ("patient_id",),
    )
    assert (study.missing, study.n_synthetic, study.design.kind) == ("impute", 300, "observational")
    assert "# constant: left out; holds fewer than two values" in file.read_text()
    assert "# seen: left out; expected numbers or text" in file.read_text()
    assert f"export HYBRID_STUDIES={elsewhere / 'studies'}" in shown.output
    for value in ("north", "1e3", "P17"):
        assert value not in file.read_text() + shown.output


def test_what_is_not_said_is_asked(patients: pd.DataFrame, elsewhere: Path) -> None:
    patients.drop(columns="seen").to_csv("p.csv", sep=";", index=False)
    shown = init("p.csv", "--name", "asked", replies="smoker\nbmi\n\ny\n0.3\n")
    assert shown.exit_code == 0, shown.output
    study = read_study_file(elsewhere / "studies" / "asked" / "defs.yaml")
    assert (study.treatment, study.outcome, study.design_probability) == ("smoker", "bmi", 0.3)
    assert study.source.read(elsewhere).shape == (300, 9)


def test_nobody_there_to_answer_is_a_refusal(patients: pd.DataFrame, elsewhere: Path) -> None:
    patients.to_parquet("p.parquet")
    shown = init("p.parquet", replies="drug\n")
    assert shown.exit_code == 2
    assert "expected an answer about outcome; got none (say --outcome, or --yes)" in shown.output


def test_nothing_is_guessed_that_no_name_tells(patients: pd.DataFrame, elsewhere: Path) -> None:
    patients.rename(columns={"smoker": "exposed"}).to_parquet("p.parquet")
    shown = init("p.parquet", "--yes")
    assert shown.exit_code == 2
    assert "name it with --treatment; it could be drug, exposed" in shown.output
    assert not Path("studies").exists()


def test_nothing_is_overwritten(patients: pd.DataFrame, elsewhere: Path) -> None:
    patients.to_parquet("p.parquet")
    assert init("p.parquet", "--yes").exit_code == 0
    file = elsewhere / "studies" / "p" / "defs.yaml"
    file.write_text("mine")
    shown = init("p.parquet", "--yes")
    assert shown.exit_code == 2
    assert "got one, and left it as it is" in shown.output
    assert file.read_text() == "mine"


def test_an_absent_column_is_refused(patients: pd.DataFrame, elsewhere: Path) -> None:
    patients.to_parquet("p.parquet")
    shown = init("p.parquet", "--outcome", "pian", "--yes")
    assert shown.exit_code == 2
    assert "expected columns of the table; it has no pian" in shown.output


@pytest.mark.parametrize("name", ["absent.csv", "table.xlsx"])
def test_only_tables_it_can_read_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    with pytest.raises(SourceError, match="expected a table at|expected a .csv, .tsv"):
        table_source(tmp_path / name)
