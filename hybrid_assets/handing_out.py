"""Blocks of work for other processes or hosts: results in order, whoever is done first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class ThisProcess(Executor):
    """Makes each call at once, here: what does not pay to hand out takes the same path."""

    def submit(
        self,
        function: Callable[Arguments, Result],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Future[Result]:
        """Make the call; its future is done."""
        return made(function(*args, **kwargs))


def made(result: Result) -> Future[Result]:
    """Give the future of something that is there already."""
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def in_order(
    started: Iterator[Future[Result]],
    *,
    n_ahead: int,
    on_end: Callable[[int, Result], None],
) -> Generator[Result, None, None]:
    """Give results in the order of their start, and tell of each as soon as it is there.

    Parameters
    ----------
    started : iterator of Future
        Starts the next one when it is asked for it.
    n_ahead : int
        How many are started before the first of them is given: what waits in memory.
    on_end : callable
        Told of the position and the result of each that ends, in any order.
        What it or a future raises ends all; what has not begun is cancelled.
    """
    numbered = enumerate(started)
    ahead: deque[Future[Result]] = deque()
    at_work: dict[Future[Result], int] = {}
    try:
        while True:
            for number, future in islice(numbered, n_ahead - len(ahead)):
                ahead.append(future)
                at_work[future] = number
            if not ahead:
                return
            for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                on_end(at_work.pop(future), future.result())
            while ahead and ahead[0] not in at_work:
                yield ahead.popleft().result()
    finally:
        for future in ahead:
            future.cancel()
