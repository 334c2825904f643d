"""Bad input: one clear error that names study, column, expected and got; nothing is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from dagster_project.study_file import StudyFile, read_study_file
from hybrid_assets.errors import StudyError

Materialize = Callable[..., dg.ExecuteInProcessResult]
MakeStudy = Callable[..., StudyFile]
CSV = {"kind": "csv", "path": "seed.csv"}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    failed = [e for e in result.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    assert [event.step_key for event in failed] == ["small__seed_table"]
    description = failed[0].step_failure_data.user_failure_data
    assert description is not None
    return str(description.description)


def with_rare_arm(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(A=(np.arange(len(rows)) < 9).astype(int))


@pytest.mark.parametrize(
    ("spoil", "settings", "message"),
    [
        (lambda t: t.drop(columns="Y"), {}, "column 'Y': expected a column of the seed table; got"),
        (lambda t: t.assign(A=range(300)), {}, "'A': expected a treatment coded 0 and 1; got 300"),
        (lambda t: t.assign(A=1), {}, "'A': expected at least 10 rows in each arm; got 0 rows"),
        (with_rare_arm, {}, "'A': expected at least 10 rows in each arm; got fewer than 10"),
        (lambda t: t.assign(Y=1), {}, "'Y': expected an outcome that varies; got a single value"),
        (lambda t: t.assign(Y=t["Y"].where(t.index > 3)), {}, "'Y': expected no missing value"),
        (lambda t: t.assign(W4=np.inf), {}, "'W4': expected finite values; got 300 infinite"),
        (lambda t: t.rename(columns={"W2": "W1"}), {}, "'W1': expected a unique column name"),
        (lambda t: t.iloc[:0], {}, r"'(table)': expected rows; got an empty table"),
        (
            lambda t: pd.concat([t] * 34, ignore_index=True).assign(
                site=[f"s{i}" for i in range(10_200)]
            ),
            {},
            "'site': expected at most 500 levels (an identifier? name it under identifiers; or "
            "group the rare levels first); got 10200 levels",
        ),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_before_anything_is_written(
    tmp_path: Path,
    materialize: Materialize,
    small_study: MakeStudy,
    trial_rows: pd.DataFrame,
    spoil: Callable[[pd.DataFrame], pd.DataFrame],
    settings: dict[str, Any],
    message: str,
) -> None:
    spoil(trial_rows).to_csv(tmp_path / "seed.csv", index=False)
    said = failure_of(materialize(small_study(source=CSV, **settings), "seed_table"))
    assert "study 'small'" in said
    assert message in said
    assert not (tmp_path / "home").exists()


def test_an_absent_file_is_refused(materialize: Materialize, small_study: MakeStudy) -> None:
    said = failure_of(materialize(small_study(source=CSV), "seed_table"))
    assert "source csv: expected a file at" in said


def test_a_failure_keeps_the_last_version(
    tmp_path: Path, materialize: Materialize, small_study: MakeStudy, trial_rows: pd.DataFrame
) -> None:
    from warehouse import Warehouse

    study = small_study(source=CSV)
    trial_rows.to_csv(tmp_path / "seed.csv", index=False)
    assert materialize(study, "seed_table").success
    trial_rows.assign(Y=1).to_csv(tmp_path / "seed.csv", index=False)
    failure_of(materialize(study, "seed_table"))
    kept = Warehouse(tmp_path / "home", "small").read_table("seed_table")
    pd.testing.assert_series_equal(kept["W4"], trial_rows["W4"])


def test_a_single_valued_covariate_is_left_out_with_a_warning(
    tmp_path: Path, materialize: Materialize, small_study: MakeStudy, trial_rows: pd.DataFrame
) -> None:
    trial_rows.assign(W2=1).to_csv(tmp_path / "seed.csv", index=False)
    result = materialize(small_study(source=CSV), "seed_table")
    assert result.success
    (check,) = (
        c for c in result.get_asset_check_evaluations() if c.check_name == "covariates_vary"
    )
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert check.metadata["left_out"].value == ["W2"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("outcom: Y", r"attributes.outcom at .*defs.yaml:12"),
        ("generators: [lmm]", r"defs.yaml:11`\n  Value error, unknown generator 'lmm'; known:"),
        ("holdout: {share: 0.9}", r"holdout.share at .*:12`\n  Input should be less than"),
        ("holdout: {share: 0}", r"holdout.share at .*:12`\n  Input should be greater than"),
        ("holdout: {}", "expected either a share or a source"),
        ("identifiers: [W1]", "study 'small', column 'W1': expected one role for each column"),
        ("holdout: {source: {kind: csv, path: seed.csv}}", "got its own source"),
        ("identifiers: [A]", "study 'small', column 'A': expected one role for each column"),
        ("owners: [nobody]", "String should match pattern"),
    ],
)
def test_a_bad_study_file_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "defs.yaml"
    key = line.split(":")[0]
    lines = [each for each in GOOD_FILE.splitlines() if not each.strip().startswith(f"{key}:")]
    file.write_text("\n".join([*lines, f"  {line}"]) + "\n")
    with pytest.raises(ValidationError, match=message):
        read_study_file(file)


@pytest.mark.parametrize("text", ["", "type: x", "- a list"])
def test_a_study_file_without_attributes_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "defs.yaml").write_text(text)
    with pytest.raises(StudyError, match=r"defs.yaml: expected the key.* attributes; got none"):
        read_study_file(tmp_path / "defs.yaml")


GOOD_FILE = """\
type: dagster_project.component.StudyComponent
attributes:
  name: small
  title: A small study
  source: {kind: csv, path: seed.csv}
  treatment: A
  outcome: Y
  covariates: [W1, W2]
  design: {kind: observational}
  random_seed: 1
  generators: [bootstrap]
"""
