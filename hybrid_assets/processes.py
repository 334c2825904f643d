"""Worker processes of this machine, which do not outlive their parent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import count
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Turn = Callable[[], AbstractContextManager[object]]


class LocalProcesses(ProcessPoolExecutor):
    """Fresh processes of this machine, started when there is work for them.

    A function is sent to each process once, however often it is called: what
    all blocks need belongs into it (``functools.partial``; not a method, which
    is another object each time), as it is when first called. Whoever leaves
    early wants nothing of what has not begun.

    Parameters
    ----------
    n_processes : int
        At most.
    turn : callable
        Gives a context for each call to wait for and run in.
    """

    def __init__(self, n_processes: int, turn: Turn = nullcontext) -> None:
        # threads of the parent, such as torch's, do not survive a fork
        super().__init__(n_processes, get_context("spawn"), _begin, (turn,))
        self._sent: WeakKeyDictionary[Callable[..., Any], _SentFunction] = WeakKeyDictionary()

    def submit(
        self,
        function: Callable[Arguments, Result],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Future[Result]:
        """Start a call, as every executor does."""
        sent = self._sent.get(function)
        if sent is None:
            sent = self._sent[function] = _SentFunction(function)
        future: Future[Result] = super().submit(_call, sent.number, sent.content, args, kwargs)
        future.add_done_callback(partial(_let_go, sent))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """End the processes when they have done what they are at."""
        super().shutdown(wait, cancel_futures=cancel_futures)


class _SentFunction:
    """A function in memory that processes of this machine can read, and that ends with this one.

    Attributes
    ----------
    number : int
    content : Path or callable
        Where it is; itself, to go with each call, where no system but Linux lends such memory.
    """

    _numbers = count()

    def __init__(self, function: Callable[..., Any]) -> None:
        self.number = next(self._numbers)
        self.content: Path | Callable[..., Any] = function
        if hasattr(os, "memfd_create"):
            self._memory = Connection(os.memfd_create("function"), readable=False)
            self._memory.send(function)
            self.content = Path(f"/proc/{os.getpid()}/fd/{self._memory.fileno()}")


def _let_go(sent: _SentFunction, future: Future[Any]) -> None:
    """Hold a sent function until whoever wanted a result of it has let that go."""


_own_turn: Turn = nullcontext
_last_called: tuple[int, Callable[..., Any]] | None = None


def _begin(turn: Turn) -> None:
    """Start watching the parent: a killed one would leave a worker waiting for ever."""
    global _own_turn
    _own_turn = turn
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(
    number: int,
    content: Path | Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    global _last_called
    if _last_called is None or _last_called[0] != number:
        _last_called = None  # a process holds one function at a time
        _last_called = number, _received(content) if isinstance(content, Path) else content
    with _own_turn():
        return _last_called[1](*args, **kwargs)


def _received(memory: Path) -> Callable[..., Any]:
    with Connection(os.open(memory, os.O_RDONLY), writable=False) as sent:
        function: Callable[..., Any] = sent.recv()
    return function
