"""A sign of life from steps that take long, in the log of their run."""

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.private_errors import STEP_VARIABLE
from dagster_project.resources import process_peak_bytes

ON_HOST = "on host "
SECONDS_BETWEEN_BEATS = 30.0


def tell_run(context: dg.OpExecutionContext, message: str) -> None:
    """Write a line into the run's log: `context.log` is silent, since libraries share its level."""
    key = context.get_step_execution_context().step.key
    context.instance.report_engine_event(message, context.run, step_key=key)


def tell_host(context: dg.OpExecutionContext) -> None:
    """Say on which host a step of a cluster runs: where to look when it is lost."""
    if STEP_VARIABLE in os.environ:
        tell_run(context, f"{ON_HOST}{os.uname().nodename}, process {os.getpid()}")


@contextmanager
def heartbeat(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Say every 30 seconds for how long a step has been at work, and how much of it computing.

    A step that hangs shows as one that no longer computes.
    """
    tell_host(context.op_execution_context)
    finished, started = threading.Event(), time.monotonic()

    def beat() -> None:
        while not finished.wait(SECONDS_BETWEEN_BEATS):
            used = resource.getrusage(resource.RUSAGE_SELF)
            tell_run(
                context.op_execution_context,
                f"at work for {time.monotonic() - started:.0f} s, computing for "
                f"{used.ru_utime + used.ru_stime:.0f} s; {process_peak_bytes() / 2**20:.0f} MiB "
                "at most",
            )

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        finished.set()
        beating.join()
