"""Running a study through Dagster's multiprocess executor from the terminal."""

import os
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import dagster as dg

from dagster_project.abandoned_runs import end_abandoned_runs, tell_process
from dagster_project.asset_factory import JobWord
from dagster_project.engines import require_launcher
from dagster_project.resources import StorageResource
from dagster_project.system_refusals import LESS_MEMORY, STAYS
from dagster_project.trial import TRIAL_TAG

LAUNCH_TAG = "hybrid/launch"
INTERRUPTED = "DagsterExecutionInterruptedError"
CRASHED = "ChildProcessCrashException"
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


def run_study(
    study: str,
    job: JobWord,
    on_event: Callable[[dg.DagsterEvent], None],
    *,
    storage: StorageResource | None = None,
    assets: Sequence[str] = (),
) -> StudyRun:
    """Run a job of a study and tell `on_event` of each asset, check, observation and failure.

    Parameters
    ----------
    study : str
        Name of a study.
    job : {"refresh", "simulate", "release"}
    on_event : callable
        Called from another thread, in order.
    storage : StorageResource, optional
        With a trial's rows and generators, if the run is a trial.
    assets : sequence of str
        Those of the job that are made, such as ``cart/release_candidate``; all if empty.
    """
    storage = storage or StorageResource()
    chosen = [dg.AssetKey([study, *asset.split("/")]) for asset in assets]
    instance = dg.DagsterInstance.get()
    require_launcher(instance)
    end_abandoned_runs(instance)
    launch = uuid.uuid4().hex
    finished = threading.Event()
    watcher = threading.Thread(target=_watch, args=(instance, launch, finished, on_event))
    watcher.start()
    try:
        result = dg.execute_job(
            dg.build_reconstructable_job(__name__, "study_job", (f"{job}_{study}",)),
            instance=instance,
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                **storage_config(storage),
            },
            tags={LAUNCH_TAG: launch, **({TRIAL_TAG: "true"} if storage.is_trial else {})},
            asset_selection=chosen or _trial_assets(f"{job}_{study}", storage.trial_generators),
            raise_on_error=False,
        )
    finally:
        finished.set()
        watcher.join()
    return _summary(result)


def storage_config(storage: StorageResource) -> dict[str, object]:
    """Say in run config, as the launchpad would, what the storage was told."""
    told = {"home", "trial_rows", "trial_generators", "seed_version"}
    said = storage.model_dump(include=told, exclude_defaults=True)
    return {"resources": {"storage": {"config": said}}} if said else {}


def _trial_assets(job: str, generators: list[str]) -> list[dg.AssetKey] | None:
    """List the job's assets but those of other generators; None for all."""
    if not generators:
        return None
    keys = study_job(job).asset_layer.selected_asset_keys
    return [key for key in keys if len(key.path) == 2 or key.path[1] in generators]


def _watch(
    instance: dg.DagsterInstance,
    launch: str,
    finished: threading.Event,
    on_event: Callable[[dg.DagsterEvent], None],
) -> None:
    runs: Sequence[dg.DagsterRun] = ()
    cursor: str | None = None
    while True:
        last_look = finished.wait(1.0)
        if not runs:
            launched = dg.RunsFilter(tags={LAUNCH_TAG: launch})
            runs = instance.get_runs(filters=launched, limit=1)
            for run in runs:
                tell_process(instance, run, os.getpid())
        for run in runs:
            found = instance.get_records_for_run(run.run_id, cursor, SHOWN)
            cursor = found.cursor
            for record in found.records:
                on_event(record.event_log_entry.get_dagster_event())
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
    if data.error and CRASHED in data.error.message:
        return f"its process was killed, as when memory runs out: {LESS_MEMORY}, {STAYS}"
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error else "no message"
