"""SIGKILL at random moments: the last complete version stays, and the next run is unharmed."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.reliability.conftest import Undisturbed
from tests.reliability.pipeline import LONG, SECOND, require_sound, run_silently, started

N_MOMENTS = 3


def test_killed_again_and_again(
    home: Path, undisturbed: Undisturbed, require_recovery: Callable[[], None]
) -> None:
    """Kill one run after another in the same home, then let one finish."""
    rng = np.random.default_rng(5)
    for moment in range(N_MOMENTS):
        process = started(run_silently, home, SECOND, LONG)
        time.sleep(1.5 + float(rng.uniform(moment, moment + 1.0)))
        process.kill()
        process.join()
        assert process.exitcode == -9
        require_sound(home, undisturbed.complete)
    require_recovery()
