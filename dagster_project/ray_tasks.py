"""Tasks of a Ray cluster as an executor of Python's own kind."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import ray

from dagster_project.private_errors import keep_output_private

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
N_TRIES = 5  # a task whose host is lost is run again, with the same stream


@dataclass(frozen=True)
class Failed:
    """What a task raised, as a value: Ray would keep the words of an error, which may quote a cell.

    Attributes
    ----------
    error : BaseException
    """

    error: BaseException


class RayTasks(Executor):
    """Runs each call as a task of one core, on whichever host has one free.

    A function is sent to the cluster once, however often it is called: what all blocks need
    belongs into it (``functools.partial``). The cluster forgets it when the caller does, and a
    result when it was handed over.
    """

    def __init__(self) -> None:
        self._sent: WeakKeyDictionary[Callable[..., Any], Any] = WeakKeyDictionary()
        self._running: set[Any] = set()
        self._task = ray.remote(num_cpus=1, max_retries=N_TRIES)(_call)

    def submit(
        self,
        function: Callable[Arguments, Result],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> "Future[Result]":
        """Start a task; its future fails with what the task raised, not with Ray's words for it."""
        if not ray.is_initialized():
            # what tasks print could hold rows
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        sent = self._sent.get(function)
        if sent is None:
            sent = self._sent[function] = ray.put(function)
        reference = self._task.remote([sent], *args, **kwargs)
        self._running.add(reference)
        future: Future[Result] = Future()
        reference.future().add_done_callback(partial(_hand_over, future))
        future.add_done_callback(partial(self._forget, reference))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End what still runs: whoever leaves early wants nothing of it."""
        for reference in list(self._running):
            ray.cancel(reference, force=True)
        self._running.clear()
        self._sent.clear()

    def _forget(self, reference: Any, future: "Future[Any]") -> None:
        if future.cancelled():
            ray.cancel(reference, force=True)
        self._running.discard(reference)


def _hand_over(future: "Future[Any]", task: "Future[Any]") -> None:
    if not future.set_running_or_notify_cancel():
        return
    lost = task.exception()
    made = Failed(lost) if lost else task.result()
    if isinstance(made, Failed):
        future.set_exception(made.error)
    else:
        future.set_result(made)


_last_called: tuple[str, Callable[..., Any]] | None = None


def _call(sent: list[Any], *args: Any, **kwargs: Any) -> Any:
    """Call the function that a reference stands for: in a list, Ray would else fetch it anew."""
    global _last_called
    keep_output_private()
    try:
        if _last_called is None or _last_called[0] != sent[0].hex():
            _last_called = None  # a process holds one function at a time
            _last_called = sent[0].hex(), ray.get(sent[0])
        return _last_called[1](*args, **kwargs)
    except Exception as error:
        return Failed(error)
