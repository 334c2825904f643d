"""`hybrid status`: stored or not, stale and why, checks that failed, runs that are not done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from dagster_project import study_status as status_module
from dagster_project.factory import study_definitions
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile
from dagster_project.study_status import StudyStatus, study_status

Make = Callable[..., StudyFile]


@pytest.fixture
def small_csv(tmp_path: Path, trial_rows: Any, small_study: Make) -> StudyFile:
    trial_rows.assign(constant=1).to_csv(tmp_path / "seed.csv", index=False)
    return small_study(source={"kind": "csv", "path": "seed.csv"}, generators=["cart"])


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dg.DagsterInstance]:
    monkeypatch.setenv("HYBRID_HOME", str(tmp_path / "home"))
    instance = dg.DagsterInstance.ephemeral()

    def run(study: StudyFile, *assets: str, **storage: Any) -> dg.DagsterInstance:
        definitions = study_definitions(study, tmp_path)
        dg.materialize(
            [*definitions.assets, *definitions.asset_checks],  # type: ignore[misc]
            selection=[dg.AssetKey([study.name, *asset.split("/")]) for asset in assets],
            instance=instance,
            resources={
                "storage": StorageResource(**storage),
                "compute": ComputeDevice(device="cpu"),
                "io_manager": RefusingIOManager(),
            },
        )
        return instance

    return run


def states(found: StudyStatus) -> dict[str, str]:
    return {asset.asset: asset.state for asset in found.assets}


def test_what_was_made_is_current_and_the_rest_missing(
    small_csv: StudyFile, made: Callable[..., dg.DagsterInstance], tmp_path: Path
) -> None:
    instance = made(small_csv, "seed_table", "splits")
    found = study_status(small_csv, tmp_path, instance)
    told = states(found)
    assert told["splits"] == told["seed_table"] == "current"
    assert (found.count("current"), found.n_stale) == (2, 0)
    assert found.count("missing") == len(found.assets) - 2
    (seed,) = (asset for asset in found.assets if asset.asset == "seed_table")
    assert seed.n_rows == 300
    assert list(told).index("seed_table") < list(told).index("cart/hybrid_triplets")


def test_a_failed_check_is_told_and_a_trial_does_not_hide_it(
    small_csv: StudyFile, made: Callable[..., dg.DagsterInstance], tmp_path: Path
) -> None:
    made(small_csv, "seed_table")
    whole = small_csv.model_copy(update={"identifiers": ("constant",)})
    instance = made(whole, "seed_table")
    assert study_status(small_csv, tmp_path, instance).failed_checks == ()
    instance = made(small_csv, "seed_table")
    assert study_status(small_csv, tmp_path, instance).failed_checks == (
        "seed_table: covariates_vary",
    )


def test_what_is_stale_says_why(
    small_csv: StudyFile,
    made: Callable[..., dg.DagsterInstance],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instance = made(small_csv, "seed_table", "splits")
    changed = small_csv.model_copy(update={"random_seed": 8})
    assert states(study_status(changed, tmp_path, instance))["splits"] == "study file changed"

    rows = pd.read_csv(tmp_path / "seed.csv")
    rows.iloc[:290].to_csv(tmp_path / "seed.csv", index=False)
    made(small_csv, "seed_table")
    told = states(study_status(small_csv, tmp_path, instance))
    assert (told["seed_table"], told["splits"]) == ("current", "input changed")

    monkeypatch.setattr(status_module, "science_version", lambda: "another")
    assert states(study_status(small_csv, tmp_path, instance))["seed_table"] == "code changed"


def test_a_source_of_its_own_is_no_input_that_changed(
    small_csv: StudyFile,
    made: Callable[..., dg.DagsterInstance],
    tmp_path: Path,
    trial_rows: Any,
) -> None:
    unseen = trial_rows.assign(constant=1, W4=trial_rows["W4"] + 0.01)
    unseen.to_csv(tmp_path / "unseen.csv", index=False)
    own = {"source": {"kind": "csv", "path": "unseen.csv"}}
    study = StudyFile.model_validate(small_csv.model_dump(exclude_unset=True) | {"holdout": own})
    instance = made(study, "seed_table", "splits")
    assert states(study_status(study, tmp_path, instance))["splits"] == "current"


def test_unfinished_runs_of_the_study_are_told(small_csv: StudyFile, tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("small", "another"):
            instance.create_run_for_job(
                dg.Definitions(jobs=[_job(name)]).resolve_job_def(f"refresh_{name}"),
                status=dg.DagsterRunStatus.STARTED,
                tags={"study": name},
            )
        (told,) = study_status(small_csv, tmp_path, instance).unfinished_runs
    assert told.endswith(": refresh_small (started)")


def _job(study: str) -> dg.JobDefinition:
    @dg.job(name=f"refresh_{study}")
    def nothing() -> None: ...

    return nothing
