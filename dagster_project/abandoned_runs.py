"""Runs whose process was killed: they end as failed, and give back what they held.

Dagster hears of a run's end from its process. A killed one would be shown as running for ever,
keep its places in the pools, and count among the runs that may go on at once.
"""

import multiprocessing
import os
import threading
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import BaseModel, ConfigDict

ENDED = "its process was killed; run again: the last complete tables stay as they are"
SECONDS_BETWEEN_LOOKS = 120
UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
PROCESS_TAG = "hybrid/process"
OUTSIDE_CONTAINERS = "pid:[4026531836]"  # PROC_PID_INIT_INO of Linux, include/linux/proc_ns.h


class RunProcess(BaseModel):
    """The process of a run, and where its number means something.

    Parameters
    ----------
    run_id : str
        A run that is executed again inherits its tags; this tells that they are another's.
    host, machine, boot, namespace : str
        Name and id of the host, id of its boot, and the process-id namespace (a container's own).
    pid : int
    started : int
        Clock ticks from boot to its start, which no change of the clock moves.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    host: str
    machine: str
    boot: str
    namespace: str
    pid: int
    started: int

    @classmethod
    def of(cls, run_id: str, pid: int) -> Self:
        """Describe a living process of this namespace.

        Raises
        ------
        OSError
            If it is gone, or the system is not Linux.
        """
        started = _started(pid)
        if started is None:
            raise ProcessLookupError(pid)
        machine = Path("/etc/machine-id")
        return cls(
            run_id=run_id,
            host=os.uname().nodename,
            machine=machine.read_text().strip() if machine.is_file() else "",
            boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            namespace=os.readlink("/proc/self/ns/pid"),
            pid=pid,
            started=started,
        )

    @property
    def is_gone(self) -> bool:
        """Whether it has surely ended: of another host's or container's nothing is sure."""
        now = RunProcess.of(self.run_id, os.getpid())
        if (self.host, self.namespace) != (now.host, now.namespace):
            return False
        if self.boot == now.boot:
            return _started(self.pid) != self.started
        return self.namespace == OUTSIDE_CONTAINERS and self.machine == now.machine != ""


def _started(pid: int) -> int | None:
    try:
        state, *others = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else int(others[18])


def tell_process(instance: dg.DagsterInstance, run: dg.DagsterRun, pid: int) -> None:
    """Tag a run with its process, once; without such tags (not on Linux) no run is judged."""
    try:
        told = RunProcess.of(run.run_id, pid).model_dump_json()
    except OSError:
        return
    if run.tags.get(PROCESS_TAG) != told:
        instance.add_run_tags(run.run_id, {PROCESS_TAG: told})


def end_with_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Tell which process a step's run has, and end the step's own as soon as that is gone.

    A step that outlives its run would finish its work, and then wait for ever to tell it so. On a
    cluster it has no such parent: another process may take the run over.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:  # the run executes its steps itself
        return
    tell_process(instance, run, parent.pid)

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def end_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """End as failed all runs under way whose own process is gone.

    Only processes that this host, boot and process-id namespace can judge are judged, and none is
    killed: steps end with their run. A run that never said which process it has is left alone.

    Returns
    -------
    list of str
        Ids of the ended runs.
    """
    ended = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNDER_WAY)):
        told = run.tags.get(PROCESS_TAG)
        process = RunProcess.model_validate_json(told) if told else None
        if process is None or process.run_id != run.run_id or not process.is_gone:
            continue
        now = instance.get_run_by_id(run.run_id)  # a process that is gone says nothing more
        if now is None or now.status not in UNDER_WAY:
            continue
        instance.report_run_failed(now, ENDED)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


@dg.sensor(
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS, default_status=dg.DefaultSensorStatus.RUNNING
)
def abandoned_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End runs whose process was killed, so that the study's next run need not wait for them."""
    ended = end_abandoned_runs(context.instance)
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "no run under way is abandoned")
