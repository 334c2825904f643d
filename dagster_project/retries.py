"""Which failures of a step heal by waiting; all others would only fail again."""

import errno
import os

import dagster as dg

from dagster_project.heartbeat import tell_run
from warehouse import WarehouseBusy

WAITS = (10, 40, 160)  # seconds before each further try
HEALING = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.EINTR,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EMFILE,
    errno.ENFILE,
}


def heals(error: Exception) -> bool:
    """Whether a lock that others hold, or a passing refusal of the system, is the cause."""
    return isinstance(error, WarehouseBusy) or (
        isinstance(error, OSError) and error.errno in HEALING
    )


def tried_again(error: Exception, context: dg.OpExecutionContext) -> dg.RetryRequested | dg.Failure:
    """Ask for another try after a wait that grows, or give up with what went wrong.

    Parameters
    ----------
    error : Exception
        One that `heals`.
    context : OpExecutionContext
        Knows how often this step was tried.
    """
    words = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
    n_retries = context.retry_number
    if n_retries >= len(WAITS):
        return dg.Failure(f"{words}; gave up after {n_retries + 1} tries", allow_retries=False)
    tell_run(context, f"{words}; trying again in {WAITS[n_retries]} s")
    return dg.RetryRequested(max_retries=len(WAITS), seconds_to_wait=WAITS[n_retries])
