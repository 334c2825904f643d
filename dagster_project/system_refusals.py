"""What the system refuses (space, permission, memory), in words that say what to do about it."""

import errno
import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from dagster_project.resources import HOME_VARIABLE, hybrid_home

STAYS = "then run again; the last complete tables stay as they are"
SPACE = f"free disk space under {HOME_VARIABLE}"
PERMISSION = f"let this user write there, or name another folder in {HOME_VARIABLE}"
READABLE = "let this user read it"
ADVICE = {
    errno.ENOSPC: SPACE,
    errno.EDQUOT: SPACE,
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EROFS: PERMISSION,
    errno.EACCES: PERMISSION,
    errno.EPERM: PERMISSION,
    errno.ENOMEM: "free memory",
    errno.EIO: "check the disk",
}
LESS_MEMORY = "free memory or ask for fewer rows (n_synthetic)"
OUT_OF_MEMORY_SIGNS = ("can't allocate memory", "out of memory")  # PyTorch has no class for them


def refused_by_system(error: BaseException) -> str | None:
    """Say what the system refused, and what to do; None if that is not the error.

    Only the kind of the refusal and the name of a file are told: a library's own words may quote
    a cell.
    """
    from sqlalchemy.exc import OperationalError

    if is_out_of_memory(error):
        return f"memory ran out: {LESS_MEMORY}, {STAYS}"
    if isinstance(error, BrokenProcessPool):
        return f"a worker process was killed, most likely for its memory: {LESS_MEMORY}, {STAYS}"
    if isinstance(error, OSError) and error.errno in ADVICE:
        place = f": {error.filename}" if error.filename else ""
        return f"{os.strerror(error.errno)}{place}; {_advice(error)}, {STAYS}"
    if isinstance(error, OperationalError):
        return (
            f"the record of runs in {hybrid_home() / 'dagster'} cannot be used; "
            f"{SPACE}, or {PERMISSION}, {STAYS}"
        )
    return None


def _advice(error: OSError) -> str:
    is_denied = error.errno in (errno.EACCES, errno.EPERM)
    if is_denied and error.filename:
        is_ours = Path(str(error.filename)).resolve().is_relative_to(hybrid_home())
        return PERMISSION if is_ours else READABLE  # all that is written lies in the home
    return ADVICE[error.errno or 0]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, in NumPy, pandas, Arrow or PyTorch."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in OUT_OF_MEMORY_SIGNS)
    )
