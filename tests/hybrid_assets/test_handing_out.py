"""Results come in order and are told of when they end, however the calls are interleaved."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.handing_out import ThisProcess, in_order, made


@given(
    waits=st.lists(st.integers(0, 3), max_size=12),
    n_ahead=st.integers(1, 5),
    n_workers=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_results_keep_their_order_and_few_wait(waits, n_ahead, n_workers):
    ended, most_ahead, given_so_far = [], [0], [0]

    def work(position):
        time.sleep(waits[position] / 1000)
        return position**2

    def started(workers):
        for position in range(len(waits)):
            most_ahead[0] = max(most_ahead[0], position + 1 - given_so_far[0])
            yield workers.submit(work, position)

    with ThreadPoolExecutor(n_workers) if n_workers else ThisProcess() as workers:
        found = []
        for result in in_order(
            started(workers), n_ahead=n_ahead, on_end=lambda n, r: ended.append((n, r))
        ):
            given_so_far[0] += 1
            found.append(result)
    wanted = [position**2 for position in range(len(waits))]
    assert found == wanted
    assert sorted(ended) == list(enumerate(wanted))
    assert most_ahead[0] <= n_ahead


def test_what_ends_first_is_told_first():
    slow, quick = Future(), made("b")
    ended = []

    def tell(number, result):
        ended.append((number, result))
        if number == 1:
            slow.set_result("a")

    assert list(in_order(iter([slow, quick]), n_ahead=2, on_end=tell)) == ["a", "b"]
    assert ended == [(1, "b"), (0, "a")]


def test_an_error_cancels_what_has_not_begun():
    failed, waiting = Future(), Future()
    failed.set_exception(ValueError("block 0 is empty"))
    with pytest.raises(ValueError, match="block 0 is empty"):
        list(in_order(iter([failed, waiting]), n_ahead=2, on_end=lambda *_: None))
    assert waiting.cancelled()


def test_who_leaves_early_cancels_the_rest():
    waiting = Future()
    results = in_order(iter([made(1), waiting]), n_ahead=2, on_end=lambda *_: None)
    assert next(results) == 1
    results.close()
    assert waiting.cancelled()
