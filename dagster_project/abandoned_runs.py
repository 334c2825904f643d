"""Runs whose process was killed: they end as failed, and give back what they held.

Dagster hears of a run's end from its process. A killed one would be shown as running for ever,
keep its places in the pools, and count among the runs that may go on at once.
"""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

ENDED = "its process was killed; run again: the last complete tables stay as they are"
CLOCKS_DIFFER = 2.0  # seconds between the start of a process and what it says of it, at most
SECONDS_BETWEEN_LOOKS = 120
UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def end_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """End as failed all runs under way whose own process is gone, and the steps that it left.

    Steps that outlive their run finish their work, and then wait for ever to tell it so. A home
    belongs to one machine, as its SQLite files and locks do. A run that never said which process
    it has is left alone.

    Returns
    -------
    list of str
        Ids of the ended runs.
    """
    ended = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNDER_WAY)):
        processes = _processes(instance, run.run_id)
        if not processes or _lives(processes[0]):
            continue
        for step in filter(_lives, processes[1:]):
            with suppress(ProcessLookupError):
                os.kill(step.pid, signal.SIGKILL)
        instance.report_run_failed(run, ENDED)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS, default_status=dg.DefaultSensorStatus.RUNNING
)
def abandoned_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End runs whose process was killed, so that the study's next run need not wait for them."""
    ended = end_abandoned_runs(context.instance)
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "all runs under way are alive")


@dataclass(frozen=True)
class _Process:
    """A process that a run named, and when it first did, in seconds since 1970."""

    pid: int
    named_at: float


def _processes(instance: dg.DagsterInstance, run_id: str) -> list[_Process]:
    """List the processes that a run's events name: its own first, then its steps'."""
    found: dict[int, float] = {}
    for entry in instance.all_logs(run_id):
        told = entry.dagster_event.event_specific_data if entry.dagster_event else None
        pid = (getattr(told, "metadata", None) or {}).get("pid")
        if isinstance(pid, dg.TextMetadataValue | dg.IntMetadataValue):
            found.setdefault(int(pid.value or 0), entry.timestamp)
    return [_Process(pid, named_at) for pid, named_at in found.items()]


def _lives(process: _Process) -> bool:
    """Whether it still runs: another may have its number by now."""
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    started = _started(process.pid)
    return started is None or started <= process.named_at + CLOCKS_DIFFER


def _started(pid: int) -> float | None:
    """Tell when a process began, in seconds since 1970; None where the system does not say."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        boot = Path("/proc/stat").read_text().partition("\nbtime ")[2].split()[0]
    except (OSError, IndexError, ValueError):
        return None
    return int(boot) + ticks / os.sysconf("SC_CLK_TCK")
