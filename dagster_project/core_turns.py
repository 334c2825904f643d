"""Blocks of several steps at once take turns on this machine's cores.

Each step that hands out has as many processes as there are cores. A lock on a file is a core:
whoever holds it may work, and the kernel gives it back when its process ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path


@contextmanager
def core_turn(folder: Path, n_cores: int) -> Iterator[None]:
    """Wait for a core, and hold it.

    Parameters
    ----------
    folder : Path
        One for all steps that share the cores; made if need be.
    n_cores : int
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _free_core(folder, n_cores) or _core(folder, os.getpid() % n_cores, fcntl.LOCK_EX):
        yield


def _free_core(folder: Path, n_cores: int) -> BufferedWriter | None:
    for number in range(n_cores):
        try:
            return _core(folder, number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
    return None


def _core(folder: Path, number: int, operation: int) -> BufferedWriter:
    file = (folder / f"{number}.lock").open("ab")
    try:
        fcntl.flock(file, operation)
    except BaseException:
        file.close()
        raise
    return file
