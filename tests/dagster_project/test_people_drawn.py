"""A seed of more people than are analysed: who is drawn, where it is said, what of the others."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from typer.testing import CliRunner

from dagster_project.command_line import app
from dagster_project.study_check import check_study
from dagster_project.study_file import StudyFile
from hybrid_assets.designs import DESIGNS
from warehouse import Warehouse

Materialize = Callable[..., dg.ExecuteInProcessResult]
Make = Callable[..., StudyFile]
NOTE = "200 people drawn at random of 300"


@pytest.fixture(autouse=True)
def few_people(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("hybrid_assets.blocks", "dagster_project.assets.data"):
        monkeypatch.setattr(f"{module}.PEOPLE_ROWS", 200)


@pytest.fixture
def patients(tmp_path: Path, trial_rows: pd.DataFrame, small_study: Make) -> StudyFile:
    trial_rows.assign(patient=range(300)).to_csv(tmp_path / "seed.csv", index=False)
    return small_study(
        source={"kind": "csv", "path": "seed.csv"},
        identifiers=["patient"],
        generators=["bootstrap"],
        n_synthetic=200,
    )


def test_the_others_stay_in_the_seed_alone_and_all_say_so(
    patients: StudyFile, materialize: Materialize, tmp_path: Path
) -> None:
    result = materialize(patients)
    assert result.success
    warehouse = Warehouse(tmp_path / "home", "small")
    seed, splits = warehouse.read_table("seed_table"), warehouse.read_table("splits")
    assert (len(seed), len(splits)) == (300, 200)
    n_treated = int(seed["A"].sum())
    assert int(splits["A"].sum()) == round(n_treated * 200 / 300)
    told = result.asset_materializations_for_node("small__splits")[0].metadata
    assert told["people_drawn"].value == NOTE
    assert told["train_rows"].value + told["holdout_rows"].value == 200
    report = (tmp_path / "home/reports/small/study_report.html").read_text()
    assert f"Analysed: {NOTE}." in report
    assert f"splits: {NOTE}" in check_study(patients, tmp_path).concerns


def test_of_a_holdout_of_its_own_people_are_drawn_in_proportion(
    patients: StudyFile, small_study: Make, materialize: Materialize, tmp_path: Path
) -> None:
    unseen = DESIGNS["paper1_trial"](100, 9).assign(patient=range(1000, 1100))
    unseen.to_csv(tmp_path / "holdout.csv", index=False)
    holdout = {"source": {"kind": "csv", "path": "holdout.csv"}}
    study = small_study(**patients.model_dump(exclude_unset=True) | {"holdout": holdout})
    result = materialize(study, "seed_table", "splits")
    assert result.success
    told = result.asset_materializations_for_node("small__splits")[0].metadata
    assert (told["train_rows"].value, told["holdout_rows"].value) == (150, 50)
    assert told["people_drawn"].value == "200 people drawn at random of 400"


def test_a_person_who_was_not_drawn_is_told_from_one_who_was(
    patients: StudyFile,
    materialize: Materialize,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trial_rows: pd.DataFrame,
) -> None:
    assert materialize(patients, "seed_table", "splits").success
    monkeypatch.setenv("HYBRID_HOME", str(tmp_path / "home"))
    answers = {str(k): CliRunner().invoke(app, _asked("small"), input=f"{k}\n") for k in range(12)}
    assert all(found.exit_code == 0 for found in answers.values())
    undrawn = [k for k, found in answers.items() if "not drawn: not among" in found.output]
    drawn = [
        k for k, f in answers.items() if "train: the gen" in f.output or "holdout: no" in f.output
    ]
    assert len(undrawn) + len(drawn) == 12
    assert 0 < len(undrawn) < 12
    stranger = CliRunner().invoke(app, _asked("small"), input="999\n")
    assert "No version of the seed holds these values" in stranger.output
    # in the next version the seed is another, and of the first only the people drawn are known
    trial_rows.assign(patient=range(100, 400)).to_csv(tmp_path / "seed.csv", index=False)
    assert materialize(patients, "seed_table", "splits").success
    found = CliRunner().invoke(app, _asked("small"), input=f"{undrawn[0]}\n")
    assert found.exit_code == 1
    assert "No version of the seed holds these values" in found.output
    assert "cannot be told of the 100 people of seed version" in found.output


def _asked(study: str) -> list[str]:
    return ["audit", study, "--subject"]
