"""SIGKILL at random moments: the last complete version stays, and the next run is unharmed.

`make soak` does the same to the real `hybrid run` (``benchmarks/soak_kills.py``).
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.reliability.conftest import Undisturbed
from tests.reliability.pipeline import (
    LONG,
    SECOND,
    every_version,
    require_sound,
    run_silently,
    started,
)


@pytest.fixture
def whole_seconds(undisturbed: Undisturbed, tmp_path: Path) -> float:
    """Tell how long a run takes in a process of its own."""
    shutil.copytree(undisturbed.before, tmp_path / "whole")
    before = time.monotonic()
    process = started(run_silently, tmp_path / "whole", SECOND, LONG)
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - before


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "n_moments", [pytest.param(3, id="short"), pytest.param(30, id="soak", marks=pytest.mark.soak)]
)
def test_killed_at_random_moments(
    home: Path,
    undisturbed: Undisturbed,
    require_recovery: Callable[[], None],
    whole_seconds: float,
    n_moments: int,
) -> None:
    """Kill a run in each n-th part of its time; each starts in the home that the last one left."""
    rng = np.random.default_rng(5)
    at_first, sizes = every_version(home), []
    for moment in range(n_moments):
        process = started(run_silently, home, SECOND, LONG)
        time.sleep(whole_seconds * (moment + float(rng.random())) / n_moments)
        process.kill()
        process.join()
        require_sound(home, undisturbed.complete)
        sizes.append(len(every_version(home) - at_first))
    print(f"new versions after each kill, of {len(undisturbed.complete - at_first)}: {sizes}")
    require_recovery()
