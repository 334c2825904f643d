"""Wall-clock gain of a second process, default stack, R = 1000: for a quiet machine only."""

import os
import time

import numpy as np

from hybrid_assets.benchmark import (
    BenchmarkSettings,
    DesignPopulation,
    Dials,
    plan_benchmark,
    run_benchmark,
)
from hybrid_assets.designs import DESIGNS
from hybrid_assets.processes import LocalProcesses

SETTINGS = BenchmarkSettings(n_replicates=1000, sample_sizes=(1000,), dials=(Dials(),))
POPULATION = DesignPopulation(DESIGNS["confounded_binary"])
N_TURNS = 3


def seconds(n_processes):
    """Time one benchmark, the start of its processes included."""
    plan = plan_benchmark(POPULATION, SETTINGS, np.random.default_rng(1))
    started = time.perf_counter()
    with LocalProcesses(n_processes) as workers:
        run_benchmark(plan, workers=workers if n_processes > 1 else None)
    return time.perf_counter() - started


def main():
    for _ in range(N_TURNS):
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        one, two = seconds(1), seconds(2)
        print(f"{one:.1f} s with one, {two:.1f} s with two: {one / two:.2f} times faster ({load})")


if __name__ == "__main__":
    main()
