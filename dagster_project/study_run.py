"""Running a study through Dagster's multiprocess executor from the terminal."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import dagster as dg

from dagster_project.asset_factory import JobWord

LAUNCH_TAG = "hybrid/launch"
INTERRUPTED = "DagsterExecutionInterruptedError"
SHOWN = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
}


@dataclass(frozen=True)
class StudyRun:
    """How a run ended.

    Attributes
    ----------
    run_id : str
        Of the Dagster run.
    success : bool
        Whether every step succeeded.
    failed_checks : tuple of str
        Checks that did not pass, as ``asset: check``.
    failures : tuple of str
        What each failed step said.
    """

    run_id: str
    success: bool
    failed_checks: tuple[str, ...]
    failures: tuple[str, ...]


@cache
def _location() -> dg.Definitions:
    from dagster_project.definitions import defs

    return defs()


def study_job(name: str) -> dg.JobDefinition:
    """Give a job, such as ``refresh_nhefs``; step processes call this to rebuild it."""
    return _location().resolve_job_def(name)


def studies(job: JobWord = "refresh") -> list[str]:
    """Names of the studies that have a job of this kind; all have ``refresh``."""
    names = [each.name for each in _location().resolve_all_job_defs()]
    return sorted(n.removeprefix(f"{job}_") for n in names if n.startswith(f"{job}_"))


def run_study(study: str, job: JobWord, on_event: Callable[[dg.DagsterEvent], None]) -> StudyRun:
    """Run a job of a study and tell `on_event` of each asset, check, observation and failure.

    Parameters
    ----------
    study : str
        Name of a study.
    job : {"refresh", "simulate", "release"}
    on_event : callable
        Called from another thread, in order.
    """
    instance = dg.DagsterInstance.get()
    launch = uuid.uuid4().hex
    finished = threading.Event()
    watcher = threading.Thread(target=_watch, args=(instance, launch, finished, on_event))
    watcher.start()
    try:
        result = dg.execute_job(
            dg.build_reconstructable_job(__name__, "study_job", (f"{job}_{study}",)),
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={LAUNCH_TAG: launch},
            raise_on_error=False,
        )
    finally:
        finished.set()
        watcher.join()
    return _summary(result)


def _watch(
    instance: dg.DagsterInstance,
    launch: str,
    finished: threading.Event,
    on_event: Callable[[dg.DagsterEvent], None],
) -> None:
    n_seen = 0
    while True:
        last_look = finished.wait(1.0)
        for run in instance.get_runs(filters=dg.RunsFilter(tags={LAUNCH_TAG: launch}), limit=1):
            entries = instance.all_logs(run.run_id, of_type=SHOWN)
            for entry in entries[n_seen:]:
                on_event(entry.get_dagster_event())
            n_seen = len(entries)
        if last_look:
            return


def _summary(result: dg.JobExecutionResult) -> StudyRun:
    evaluations = result.get_asset_check_evaluations()
    failed = [
        f"{e.asset_key.to_user_string()}: {e.check_name}" for e in evaluations if not e.passed
    ]
    failures = [
        f"{event.step_key}: {failure_text(event)}"
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.STEP_FAILURE
    ]
    return StudyRun(result.run_id, result.success, tuple(sorted(failed)), tuple(failures))


def failure_text(event: dg.DagsterEvent) -> str:
    """Give the message of a failed step, without its stack."""
    data = event.step_failure_data
    if data.error and INTERRUPTED in data.error.message:
        return "interrupted; run again, it starts afresh (a benchmark from its finished blocks)"
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error else "no message"
