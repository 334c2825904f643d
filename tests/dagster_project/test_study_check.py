"""`hybrid check` says of a study what its run would."""

import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from typer.testing import CliRunner

from dagster_project.command_line import app
from dagster_project.sources.csv_file import CsvSource
from dagster_project.study_check import check_study
from dagster_project.study_file import StudyFile
from hybrid_assets.errors import SeedTableError

Make = Callable[..., StudyFile]


def test_the_parts_are_those_of_the_run(
    small_study: Make, materialize: Callable[..., dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    study = small_study()
    checked = check_study(study, tmp_path)
    result = materialize(study, "seed_table", "splits")
    assert result.success
    told = result.asset_materializations_for_node("small__splits")[0].metadata
    assert checked.n_train == told["train_rows"].value
    assert checked.n_holdout == told["holdout_rows"].value
    assert checked.n_rows == 300


def test_what_gates_will_say_is_said_before(small_study: Make, tmp_path: Path) -> None:
    checked = check_study(small_study(), tmp_path)
    assert [each.split(":")[0] for each in checked.concerns] == ["privacy_verdict", "bootstrap"]
    assert f"INCONCLUSIVE at best; {checked.n_holdout} people" in checked.concerns[0]


def test_columns_are_told_without_a_value(small_study: Make, tmp_path: Path, trial_rows) -> None:  # type: ignore[no-untyped-def]
    rows = trial_rows.assign(site="unmistakable", person=range(300)).astype({"W4": float})
    rows.loc[:4, "W4"] = None
    rows.loc[3:, "site"] = "other"
    rows.loc[1, "person"] = 0
    rows.to_csv(tmp_path / "seed.csv", index=False)
    study = small_study(
        source={"kind": "csv", "path": "seed.csv"}, missing="impute", identifiers=["person"]
    )
    checked = check_study(study, tmp_path)
    by_name = {column.name: column for column in checked.columns}
    assert by_name["W4"].missing == "< 10 of 300"
    assert (by_name["site"].n_levels, by_name["site"].policy) == (2, "impute")
    assert (by_name["Y"].role, by_name["Y"].policy) == ("outcome", "refuse")
    assert "person: repeats; each row is taken for one person" in checked.concerns
    assert "unmistakable" not in json.dumps(checked.as_json())


def test_counts_of_a_few_people_and_a_changed_policy(
    small_study: Make,
    materialize: Callable[..., dg.ExecuteInProcessResult],
    tmp_path: Path,
    trial_rows: pd.DataFrame,
) -> None:
    rows = trial_rows.astype({"W4": float})
    rows.loc[:4, "W4"] = None
    rows.to_csv(tmp_path / "seed.csv", index=False)
    study = small_study(
        source={"kind": "csv", "path": "seed.csv"},
        missing="drop_rows",
        privacy={"policy": {"min_holdout": 20}},
    )
    checked = check_study(study, tmp_path)
    assert (checked.n_rows, checked.rows_dropped) == (295, "< 10 of 300")
    assert not any(each.startswith("privacy_verdict") for each in checked.concerns)
    made = materialize(study, "seed_table").asset_materializations_for_node("small__seed_table")
    assert made[0].metadata["rows_dropped"].value == "< 10 of 300"


def test_brackets_in_a_name_are_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study_folder(tmp_path, "drug")
    table = (folder / "seed.csv").read_text()
    (folder / "seed.csv").write_text(table.replace("age", "age [/years]", 1))
    monkeypatch.setenv("HYBRID_STUDIES", str(folder.parent))
    shown = CliRunner().invoke(app, ["check", "small"])
    assert shown.exit_code == 0, shown.output
    assert "age [/years]" in shown.output


def study_folder(tmp_path: Path, treatment: str) -> Path:
    folder = tmp_path / "studies" / "small"
    folder.mkdir(parents=True)
    rows = "\n".join(f"{i % 2},{i % 7},{i % 3}" for i in range(200))
    (folder / "seed.csv").write_text(f"drug,age,pain\n{rows}\n")
    (folder / "defs.yaml").write_text(
        "type: dagster_project.component.StudyComponent\n"
        "attributes: {name: small, title: t, source: {kind: csv, path: seed.csv}, "
        f"treatment: {treatment}, outcome: pain, design: {{kind: observational}}, "
        "generators: [cart], random_seed: 1}\n"
    )
    return folder


@pytest.mark.parametrize("arguments", [("check", "small"), ("init", "cells.csv")])
def test_an_unexpected_error_is_told_in_the_private_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, str]
) -> None:
    def quoting(self: CsvSource, folder: Path, aside: Path) -> pd.DataFrame:
        return pd.DataFrame({"age": ["cell-of-a-patient"]}).astype(float)

    folder = study_folder(tmp_path, "drug")
    (tmp_path / "cells.csv").write_text("age\n1\n")
    monkeypatch.setenv("HYBRID_STUDIES", str(folder.parent))
    monkeypatch.setenv("HYBRID_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(CsvSource, "read", quoting)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 1
    assert "unexpected ValueError, which may quote rows" in shown.output
    assert "cell-of-a-patient" not in shown.output + repr(shown.exception)
    written = tmp_path / "home" / "errors" / "redacted_errors.log"
    assert "cell-of-a-patient" in written.read_text()
    assert written.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("treatment", ["drug", "age"])
def test_the_terminal_exits_with_what_came_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, treatment: str
) -> None:
    monkeypatch.setenv("HYBRID_STUDIES", str(study_folder(tmp_path, treatment).parent))
    monkeypatch.setenv("HYBRID_HOME", str(tmp_path / "home"))
    shown = CliRunner().invoke(app, ["check", "small", "--json"])
    told = json.loads(shown.output)
    assert told["runnable"] is (treatment == "drug")
    assert shown.exit_code == (0 if treatment == "drug" else 1)
    if treatment == "age":
        expected = "study 'small', column 'age': expected a treatment coded 0 and 1; got 7"
        assert told["refusal"].startswith(expected)
    assert not (tmp_path / "home").exists()


def test_an_unknown_study_is_refused_with_the_known_ones() -> None:
    shown = CliRunner().invoke(app, ["check", "nhfs"])
    assert shown.exit_code == 2
    assert "unknown study nhfs; known: actg175, nhanes, nhefs" in shown.output


def test_a_table_that_cannot_stand_is_refused_as_the_asset_refuses_it(
    small_study: Make, tmp_path: Path
) -> None:
    with pytest.raises(SeedTableError, match="column 'W9'"):
        check_study(small_study(treatment="W9"), tmp_path)
