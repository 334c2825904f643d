"""A run whose process was killed ends as failed, its slots are free and its orphans are gone."""

import os
import subprocess
import sys
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from dagster_project.abandoned_runs import ENDED, abandoned_runs, end_abandoned_runs

SLEEP = "import time; time.sleep(100)"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


def run_of(instance: dg.DagsterInstance, *pids: int) -> dg.DagsterRun:
    """Record a run under way whose events name processes."""

    @dg.job
    def nothing() -> None:
        pass

    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    for pid in pids:
        instance.report_engine_event("started", run, EngineEventData.in_process(pid))
    return run


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def gone() -> int:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        return process.pid


def test_a_killed_run_ends_and_gives_back_its_slots(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("gpu", 1)
    run = run_of(instance, gone())
    instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "fit")
    with subprocess.Popen([sys.executable, "-S", "-c", SLEEP]) as orphan:
        instance.report_engine_event("step", run, EngineEventData.in_process(orphan.pid))
        assert end_abandoned_runs(instance) == [run.run_id]
        assert orphan.wait(10) == -9
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 0


def test_runs_that_live_or_never_said_where_are_left(instance: dg.DagsterInstance) -> None:
    living, silent = run_of(instance, os.getpid(), gone()), run_of(instance)
    assert end_abandoned_runs(instance) == []
    for run in (living, silent):
        assert status(instance, run) is dg.DagsterRunStatus.STARTED


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_another_process_with_the_same_number_is_not_the_runs(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of the run's process has gone to one that began after the run told of it."""
    with subprocess.Popen([sys.executable, "-S", "-c", SLEEP]) as later:
        monkeypatch.setattr("time.time", lambda: 1e9)  # when the event is recorded
        run = run_of(instance, later.pid)
        monkeypatch.undo()
        assert end_abandoned_runs(instance) == [run.run_id]
        assert later.poll() is None
        later.kill()


def test_the_daemon_ends_them_and_says_why(instance: dg.DagsterInstance) -> None:
    run = run_of(instance, gone())
    told = abandoned_runs(dg.build_sensor_context(instance))
    assert isinstance(told, dg.SkipReason)
    assert told.skip_message == f"ended {run.run_id}"
    (ended,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert ended.get_dagster_event().message == ENDED
    again = abandoned_runs(dg.build_sensor_context(instance))
    assert isinstance(again, dg.SkipReason)
    assert again.skip_message == "all runs under way are alive"
