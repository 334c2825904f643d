"""Spoiled seed tables and study files by the ten thousand: a run, or one clear refusal.

    python -m benchmarks.fuzz --tables 60000 --study-files 40000

Item i depends on i alone: ``--first`` goes on where another call ended. Prints one line of JSON for
each five thousand; names the items that ended otherwise, and then exits with 1.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.reliability.front_door import Outcome, outcome_of_study_file, outcome_of_table
from tests.reliability.odd_study_files import study_file
from tests.reliability.odd_tables import SECRET, seeded_settings, seeded_table

LONGEST_SECONDS = 60.0
AT_A_TIME = 5_000
WHOLE = 40  # one table in so many goes on to hybrid triplets


def table(number: int, folder: Path) -> Outcome:
    """Take one spoiled table through the front door, and some to the end."""
    rng = np.random.default_rng([17, number])
    content, study = seeded_table(rng), seeded_settings(rng)
    outcome = outcome_of_table(content, study, folder, whole=number % WHOLE == 0)
    assert SECRET not in outcome.message, outcome.message
    return outcome


def study(number: int, folder: Path) -> Outcome:
    """Read one spoiled study file."""
    return outcome_of_study_file(study_file(number), folder / "defs.yaml")


def fuzz(take: Callable[[int, Path], Outcome], numbers: range) -> dict[str, object]:
    """Take every item; count how they ended, and name those that ended as none may."""
    kinds: Counter[str] = Counter()
    faults: dict[int, str] = {}
    longest, started, cpu = 0.0, time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            before = time.process_time()
            try:
                kinds[take(number, Path(folder)).kind] += 1
            except Exception as error:  # no library's, and no assertion's, may get here
                faults[number] = f"{type(error).__name__}: {error}"[:200]
            longest = max(longest, time.process_time() - before)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if longest > LONGEST_SECONDS:
        faults[-1] = f"one took {longest:.0f} s"
    return {
        "what": take.__name__,
        "first": numbers.start,
        "count": len(numbers),
        "ended": dict(kinds.most_common()),
        "per_cpu_second": round(len(numbers) / cpu, 1),
        "per_second": round(len(numbers) / seconds, 1),
        "longest_cpu_seconds": round(longest, 2),
        "faults": faults,
    }


def main() -> None:
    """Print what is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=60_000)
    parser.add_argument("--study-files", type=int, default=40_000)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    warnings.simplefilter("error")
    any_faults = False
    for take, count in ((study, asked.study_files), (table, asked.tables)):
        end = asked.first + count
        for first in range(asked.first, end, AT_A_TIME):
            told = fuzz(take, range(first, min(first + AT_A_TIME, end)))
            any_faults |= bool(told["faults"])
            print(json.dumps(told), flush=True)
    sys.exit(any_faults)


if __name__ == "__main__":
    main()
