"""Worker processes: what they are sent, how often, and when it is gone."""

import gc
import os
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from hybrid_assets.processes import LocalProcesses


class Weighed:
    """Counts how often it was unpacked by the process it is in."""

    n_unpacked = 0

    def __init__(self, values):
        self.values = values

    def __setstate__(self, state):
        Weighed.n_unpacked += 1
        self.__dict__.update(state)

    def __call__(self, position):
        return float(self.values[position]), os.getpid(), Weighed.n_unpacked


def test_a_function_is_sent_to_each_process_once():
    function = Weighed(np.arange(100_000.0))
    with LocalProcesses(2) as workers:
        found = [future.result() for future in [workers.submit(function, n) for n in range(20)]]
    assert [value for value, _, _ in found] == list(range(20))
    assert {n_unpacked for _, _, n_unpacked in found} == {1}
    assert os.getpid() not in {process for _, process, _ in found}


def test_each_function_is_the_one_that_was_meant():
    with LocalProcesses(1) as workers:
        mixed = [workers.submit(partial(pow, base), 2) for base in range(8)]
        assert [future.result() for future in mixed] == [base**2 for base in range(8)]
        assert list(workers.map(abs, [-1, -2])) == [1, 2]


def lent():
    return [name for name in os.listdir("/proc/self/fd") if "memfd" in target(name)]


def target(name):
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except FileNotFoundError:
        return ""


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory that is lent: Linux alone")
def test_a_function_is_forgotten_with_its_caller():
    with LocalProcesses(1) as workers:
        function = partial(pow, 3)
        assert workers.submit(function, 2).result() == 9
        assert len(lent()) == 1
        del function
        gc.collect()
        assert lent() == []


def test_elsewhere_a_function_goes_with_each_call(monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with LocalProcesses(1) as workers:
        assert list(workers.map(partial(pow, 2), range(4))) == [1, 2, 4, 8]


@contextmanager
def noted(file):
    with open(file, "a") as notes:
        notes.write("in ")
        notes.flush()
        yield
        notes.write("out ")


def test_calls_wait_for_their_turn(tmp_path):
    with LocalProcesses(1, partial(noted, tmp_path / "turns")) as workers:
        assert list(workers.map(abs, [-1, -2])) == [1, 2]
    assert (tmp_path / "turns").read_text() == "in out in out "
