"""A run whose process was killed ends as failed, its slots are free and its steps are gone."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.abandoned_runs import (
    ENDED,
    OUTSIDE_CONTAINERS,
    PROCESS_TAG,
    RunProcess,
    abandoned_runs,
    end_abandoned_runs,
    end_with_run,
    tell_process,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(100)"]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


@pytest.fixture
def killed() -> RunProcess:
    """Give what a run told of a process that is gone by now."""
    with subprocess.Popen(SLEEP) as process:
        told = RunProcess.of("", process.pid)
        process.kill()
    return told


def run_of(instance: dg.DagsterInstance, told: RunProcess | None = None) -> dg.DagsterRun:
    """Record a run under way that told of its process, or did not."""

    @dg.job
    def nothing() -> None:
        pass

    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    if told is not None:
        tag = told.model_copy(update={"run_id": run.run_id}).model_dump_json()
        instance.add_run_tags(run.run_id, {PROCESS_TAG: tag})
    return run


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_killed_run_ends_and_gives_back_its_slots(
    instance: dg.DagsterInstance, killed: RunProcess
) -> None:
    instance.event_log_storage.set_concurrency_slots("gpu", 1)
    run = run_of(instance, killed)
    instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "fit")
    assert end_abandoned_runs(instance) == [run.run_id]
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 0


def test_runs_that_live_or_never_said_where_are_left(instance: dg.DagsterInstance) -> None:
    living, silent = run_of(instance), run_of(instance)
    tell_process(instance, living, os.getpid())
    assert end_abandoned_runs(instance) == []
    for run in (living, silent):
        assert status(instance, run) is dg.DagsterRunStatus.STARTED


@pytest.mark.parametrize("where", ["host", "namespace"])
def test_runs_of_another_host_or_container_are_left(
    instance: dg.DagsterInstance, killed: RunProcess, where: str
) -> None:
    run = run_of(instance, killed.model_copy(update={where: "another"}))
    assert end_abandoned_runs(instance) == []
    assert status(instance, run) is dg.DagsterRunStatus.STARTED


def test_the_runs_of_an_earlier_boot_ended_with_it(killed: RunProcess) -> None:
    """Outside containers, on a machine that has an id: elsewhere another boot may be another's."""
    before = killed.model_copy(update={"boot": "the last", "pid": os.getpid()})
    sure = killed.namespace == OUTSIDE_CONTAINERS and killed.machine != ""
    assert before.is_gone is sure
    assert not before.model_copy(update={"machine": "another"}).is_gone


def test_another_process_with_the_same_number_is_not_the_runs(
    instance: dg.DagsterInstance,
) -> None:
    own = RunProcess.of("", os.getpid())
    run = run_of(instance, own.model_copy(update={"started": own.started - 1}))
    assert end_abandoned_runs(instance) == [run.run_id]


def test_a_process_that_nobody_has_waited_for_is_gone() -> None:
    with subprocess.Popen(SLEEP) as process:
        told = RunProcess.of("", process.pid)
        assert not told.is_gone
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert told.is_gone


def test_a_step_that_begins_after_its_run_was_killed_tells_nothing_more(
    instance: dg.DagsterInstance, killed: RunProcess
) -> None:
    run = run_of(instance, killed)
    tell_process(instance, run, killed.pid)
    assert end_abandoned_runs(instance) == [run.run_id]


def test_a_run_that_is_executed_again_is_not_judged_by_the_first_ones_process(
    instance: dg.DagsterInstance, killed: RunProcess
) -> None:
    again = run_of(instance)
    tag = killed.model_copy(update={"run_id": "the first"}).model_dump_json()
    instance.add_run_tags(again.run_id, {PROCESS_TAG: tag})
    assert end_abandoned_runs(instance) == []


def test_a_run_that_ends_while_it_is_looked_at_stays_a_success(
    instance: dg.DagsterInstance, killed: RunProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(instance, killed)
    seen = instance.get_runs()
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, "nothing"), run.run_id
    )
    monkeypatch.setattr(instance, "get_runs", lambda filters: seen)
    assert end_abandoned_runs(instance) == []
    assert status(instance, run) is dg.DagsterRunStatus.SUCCESS


def a_step(home: str, run_id: str) -> None:
    with dg.DagsterInstance.from_ref(dg.DagsterInstance.local_temp(home).get_ref()) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        end_with_run(instance, run)
        print("at work", flush=True)
        time.sleep(100)


def a_run(home: str, run_id: str) -> None:
    step = multiprocessing.get_context("forkserver").Process(target=a_step, args=(home, run_id))
    step.start()
    step.join()


def test_a_step_ends_with_its_run_and_tells_its_process(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = run_of(instance)
        code = f"from {__name__} import a_run; a_run({str(tmp_path)!r}, {run.run_id!r})"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"at work\n"
            assert end_abandoned_runs(instance) == []
            before = time.monotonic()
            process.kill()
            process.stdout.read()  # until nobody holds its other end
            assert time.monotonic() - before < 60.0
        assert end_abandoned_runs(instance) == [run.run_id]


def test_the_daemon_ends_them_and_says_why(
    instance: dg.DagsterInstance, killed: RunProcess
) -> None:
    run = run_of(instance, killed)
    told = abandoned_runs(dg.build_sensor_context(instance))
    assert isinstance(told, dg.SkipReason)
    assert told.skip_message == f"ended {run.run_id}"
    (ended,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert ended.get_dagster_event().message == ENDED
    again = abandoned_runs(dg.build_sensor_context(instance))
    assert isinstance(again, dg.SkipReason)
    assert again.skip_message == "no run under way is abandoned"
