"""Blocks of several steps at once take turns on this machine's cores.

Each step that hands out has as many processes as there are cores. A lock on a file is a core:
whoever holds it may work, and the kernel gives it back when its process ends, however it ends.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 0.02


def cores_of_this_host() -> Path:
    """Name the folder of the locks: never a shared home, whose locks other hosts would wait for."""
    return Path(tempfile.gettempdir()) / f"hybrid-cores-{os.getuid()}"


@contextmanager
def core_turn(folder: Path, n_cores: int) -> Iterator[None]:
    """Wait for a core, whichever is free first, and hold it.

    Parameters
    ----------
    folder : Path
        One for all steps that share the cores; made if need be.
    n_cores : int
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(folder / "queue.lock"):  # who is first in it looks, the others sleep
        while (core := _free_core(folder, n_cores)) is None:
            time.sleep(SECONDS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        fcntl.flock(core, fcntl.LOCK_UN)  # closing would not, where a block forked
        os.close(core)


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _free_core(folder: Path, n_cores: int) -> int | None:
    for number in range(n_cores):
        file = folder / f"{number}.lock"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return descriptor
    return None
