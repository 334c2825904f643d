"""`hybrid init`: what is guessed, what is asked, what is written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from dagster_project.command_line import app
from dagster_project.study_draft import table_source
from dagster_project.study_file import read_study_file
from dagster_project.study_init import next_steps
from dagster_project.study_roles import guess_roles
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
    assert guessed.treatment is not None
    assert guessed.outcome is not None
    assert (guessed.treatment.column, guessed.treatment.is_plain) == ("drug", True)
    assert (guessed.outcome.column, guessed.outcome.is_plain) == ("pain_response", False)
    assert guessed.identifiers == {"patient_id": 'its name says "id"'}
    assert guessed.binary == ("drug", "smoker")
    assert guess_roles(patients.rename(columns={"smoker": "arm"})).treatment is None
    assert guess_roles(patients.rename(columns={"drug": "x"})).treatment is None


def test_a_file_of_a_table_is_written_with_what_was_guessed(
    patients: pd.DataFrame, elsewhere: Path
) -> None:
    patients.to_parquet("Patients 2020.parquet")
    shown = init("Patients 2020.parquet", "--outcome", "pain_response", "--yes")
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
    assert "next:\n  hybrid check patients_2020\n" in shown.output  # studies/ is read from here
    for value in ("north", "1e3", "P17"):
        assert value not in file.read_text() + shown.output


def test_what_is_not_said_is_asked(patients: pd.DataFrame, elsewhere: Path) -> None:
    patients.drop(columns="seen").to_csv("p.csv", sep=";", index=False)
    shown = init("p.csv", "--name", "asked", replies="smoker\nbmi\n\ny\n0.3\n")
    assert shown.exit_code == 0, shown.output
    study = read_study_file(elsewhere / "studies" / "asked" / "defs.yaml")
    assert (study.treatment, study.outcome, study.design_probability) == ("smoker", "bmi", 0.3)
    assert study.source.read(elsewhere, elsewhere).shape == (300, 9)


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
    accept = ("p.parquet", "--outcome", "pain_response", "--folder", "own", "--yes")
    made = init(*accept)
    assert made.exit_code == 0
    assert f"export HYBRID_STUDIES={elsewhere / 'own'}" in made.output
    file = elsewhere / "own" / "p" / "defs.yaml"
    file.write_text("mine")
    shown = init(*accept)
    assert shown.exit_code == 2
    assert "got one, and left it as it is" in shown.output
    assert file.read_text() == "mine"


def test_numbers_of_people_become_identifiers_and_this_is_said(
    patients: pd.DataFrame, elsewhere: Path
) -> None:
    rng = np.random.default_rng(5)
    own = pd.DataFrame(rng.permuted(np.tile(np.arange(10**8, 10**9, 3 * 10**6), (5, 1)), axis=1).T)
    people = patients.drop(columns=["patient_id", "seen"]).assign(
        ssn=own[0],
        participant=own[1],
        patient_number=own[2],
        ledger=own[3].astype(float).where(own.index > 3),
        note=[f"seen by {i}" for i in own[4]],
        patient_age=patients["age"],
        criminal_record=rng.integers(0, 2, 300),
        drug_allergy=rng.integers(0, 2, 300),
    )
    people.to_csv("p.csv", index=False)
    stated = ("--treatment", "drug", "--outcome", "pain_response", "--yes")
    shown = init("p.csv", *stated)
    assert shown.exit_code == 0, shown.output
    study = read_study_file(elsewhere / "studies" / "p" / "defs.yaml")
    named = {"ssn": "ssn", "participant": "participant", "patient_number": "patient"}
    assert set(study.identifiers) == {*named, "ledger", "note"}
    assert {"patient_age", "criminal_record", "drug_allergy"} <= set(study.covariates or ())
    words = " ".join(shown.output.split())
    assert all(f'{n} identifier guessed: its name says "{w}"' in words for n, w in named.items())
    assert "ledger identifier guessed: nearly everybody has a value of their own" in words

    shown = init("p.csv", *stated, "--identifiers", "ssn", "--name", "mine")
    words = " ".join(shown.output.split())
    assert "ledger integer nearly everybody has a value of their own; an identifier?" in words


def test_a_mere_guess_is_not_accepted_unseen(elsewhere: Path) -> None:
    rng = np.random.default_rng(6)
    binary = {n: rng.integers(0, 2, 80) for n in ("drug_allergy", "qsmk", "death_in_family")}
    pd.DataFrame({**binary, "y82": rng.normal(size=80).round(2)}).to_csv("p.csv", index=False)
    shown = init("p.csv", "--yes")
    assert shown.exit_code == 2
    assert 'drug_allergy is a mere guess (its name says "drug"), so name it' in shown.output
    shown = init("p.csv", "--treatment", "qsmk", "--yes")
    assert shown.exit_code == 2
    assert "death_in_family is a mere guess" in shown.output
    shown = init("p.csv", "--treatment", "qsmk", "--outcome", "y82", "--yes")
    assert shown.exit_code == 0, shown.output


def test_roles_are_told_with_the_reason(elsewhere: Path) -> None:
    rng = np.random.default_rng(7)
    columns = {n: rng.integers(0, 2, 80) for n in ("treated", "smoker", "died")}
    pd.DataFrame(columns).to_csv("p.csv", index=False)
    words = " ".join(init("p.csv", "--yes").output.split())
    assert 'treated treatment guessed: its name says "treated"' in words
    assert 'died outcome guessed: its name says "died"' in words
    assert "(none) identifier guessed: no name and no value tells people apart" in words


def test_decimal_commas_are_refused_by_column(patients: pd.DataFrame, elsewhere: Path) -> None:
    patients.to_csv("p.csv", sep=";", decimal=",", index=False)
    shown = init("p.csv", "--outcome", "age", "--yes")
    assert shown.exit_code == 2
    assert "got commas in the numbers of bmi, pain_response (export" in shown.output


def test_cells_that_are_no_values_are_left_out(patients: pd.DataFrame, elsewhere: Path) -> None:
    lists = [[i, i + 1] for i in range(300)]
    patients.assign(visits=lists).to_parquet("p.parquet")
    patients.assign(dose=np.where(patients.index == 3, np.inf, 1.5)).to_csv("q.csv", index=False)
    for file, remark in (
        ("p.parquet", "visits: left out; holds lists"),
        ("q.csv", "dose: left out; expected finite values; got infinite ones"),
    ):
        shown = init(file, "--outcome", "pain_response", "--yes")
        assert shown.exit_code == 0, shown.output
        assert f"# {remark}" in (elsewhere / "studies" / file[0] / "defs.yaml").read_text()


def test_any_name_of_a_column_makes_a_file_that_reads(
    patients: pd.DataFrame, elsewhere: Path
) -> None:
    names = {
        "smoker": "smoker\n(now)",
        "bmi": "b: \u2028[m]",
        "constant": "c\nd: 1",
        "stage": "- #",
    }
    patients.drop(columns="seen").rename(columns=names).to_csv("p.csv", index=False)
    shown = init("p.csv", "--outcome", "pain_response", "--yes")
    assert shown.exit_code == 0, shown.output
    study = read_study_file(elsewhere / "studies" / "p" / "defs.yaml")
    assert {*names.values()} - {names["constant"]} <= set(study.covariates or ())


def test_a_folder_with_spaces_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYBRID_STUDIES", raising=False)
    first = next_steps(tmp_path / "My Studies" / "p" / "defs.yaml")[0]
    assert first == f"export HYBRID_STUDIES='{tmp_path / 'My Studies'}'"


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
