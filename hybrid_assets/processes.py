"""Worker processes that do not outlive their parent."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def local_processes(n_processes: int) -> ProcessPoolExecutor:
    """Give fresh processes of this machine, started when there is work for them.

    Threads of the parent, such as torch's, do not survive a fork.
    """
    return ProcessPoolExecutor(n_processes, get_context("spawn"), end_with_parent)


def end_with_parent() -> None:
    """Start watching the parent, in a worker's initializer: a killed one would leave it waiting."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
