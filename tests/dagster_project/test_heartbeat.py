"""A step that takes long says so in the log of its run, in an instance with our settings."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import heartbeat, retries
from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.instance import SETTINGS
from dagster_project.private_errors import STEP_VARIABLE
from dagster_project.resources import ComputeDevice, StorageResource
from dagster_project.study_file import StudyFile
from warehouse import WarehouseBusy

Make = Callable[..., StudyFile]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    folder = tmp_path / "dagster"
    folder.mkdir()
    shutil.copyfile(SETTINGS, folder / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(folder)) as opened:
        yield opened


def told_by(
    study: StudyFile, folder: Path, instance: dg.DagsterInstance, body: Callable[[], None]
) -> list[str]:
    """Materialize an asset and give the lines of its step in the run's log."""

    @AssetFactory(study, folder).asset("seed_table", deps=[], kinds={}, privacy="derived")
    def seed_table(run: AssetRun) -> AssetResult:
        """Does as it is told."""
        body()
        return dg.MaterializeResult()

    result = dg.materialize(
        [seed_table],
        instance=instance,
        resources={"storage": StorageResource(home=str(folder)), "compute": ComputeDevice()},
    )
    lines = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    events = [line.get_dagster_event() for line in lines]
    return [e.message or "" for e in events if e.step_key == "small__seed_table"]


def test_a_long_step_says_for_how_long_it_has_been_computing(
    small_study: Make,
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS_BETWEEN_BEATS", 0.2)
    told = told_by(small_study(), tmp_path, instance, lambda: time.sleep(1.0))
    assert "at work for 0 s, computing for " in told[0]
    assert told[0].endswith(" MiB at most")
    assert told_by(small_study(), tmp_path, instance, lambda: None) == []


def test_a_wait_for_a_lock_stands_in_the_log(
    small_study: Make,
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "WAITS", (0,))
    errors = [WarehouseBusy("held by 12")]

    def fails_once() -> None:
        if errors:
            raise errors.pop()

    told = told_by(small_study(), tmp_path, instance, fails_once)
    assert told == ["held by 12; trying again in 0 s"]


def test_a_step_on_a_cluster_says_where_it_runs(
    small_study: Make,
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert told_by(small_study(), tmp_path, instance, lambda: None) == []
    monkeypatch.setenv(STEP_VARIABLE, "small__seed_table")
    (told,) = told_by(small_study(), tmp_path, instance, lambda: None)
    assert told == f"on host {os.uname().nodename}, process {os.getpid()}"
