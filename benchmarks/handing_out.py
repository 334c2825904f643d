"""Draws and fits here, by two processes and by two tasks on Ray. Needs root and Ray."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

import numpy as np
import pandas as pd

from benchmarks.step_overhead import cpu_of_descendants
from hybrid_assets.designs import DESIGNS
from hybrid_assets.fidelity import predictive_score
from hybrid_assets.generators import ValidRows
from hybrid_assets.generators.cart import CartGenerator, CartSettings
from hybrid_assets.generators.fit_support import FitSupport
from hybrid_assets.nuisance import NuisanceSettings, cross_fit_draws
from hybrid_assets.processes import LocalProcesses
from hybrid_assets.schema import TableSchema

DESIGN = DESIGNS["confounded_continuous"]
SCHEMA = DESIGN.schema()
Work = Callable[[Executor | None], object]


def people(n_rows: int) -> pd.DataFrame:
    return SCHEMA.canonical(DESIGN(n_rows, 1))


def drawn(n_rows: int) -> Work:
    schema: TableSchema = SCHEMA.covariates
    table = people(5_000)[schema.names]
    model = CartGenerator(CartSettings()).fit(table, schema, np.random.default_rng(0))

    def work(workers: Executor | None) -> object:
        blocks = ValidRows(model, schema, n_rows, np.random.default_rng(1)).blocks(workers)
        return sum(float(block.iloc[:, 0].sum()) for block in blocks)

    return work


def trees(n_rows: int) -> Work:
    table = people(n_rows)

    def work(workers: Executor | None) -> object:
        model = CartGenerator(CartSettings())
        model.support = FitSupport(workers=workers)
        return hash(model.fit(table, SCHEMA, np.random.default_rng(0)).trees_[-1].donors.tobytes())

    return work


def scores(n_rows: int) -> Work:
    made, train, holdout = people(n_rows), people(n_rows)[::-1], people(20_000)

    def work(workers: Executor | None) -> object:
        return predictive_score.train_on_synthetic_test_on_real(
            made,
            train,
            holdout,
            schema=SCHEMA,
            rng=np.random.default_rng(0),
            is_sample=True,
            workers=workers,
        )

    return work


def cross_fits(n_rows: int) -> Work:
    table, settings = people(n_rows), NuisanceSettings()

    def work(workers: Executor | None) -> object:
        fits = cross_fit_draws(table, SCHEMA, settings, np.random.default_rng(0), workers=workers)
        return repr([fit.outcome_stack for fit in fits])

    return work


WORK = {"draw": drawn, "trees": trees, "scores": scores, "cross-fits": cross_fits}


@contextmanager
def executor(place: str) -> Iterator[Executor | None]:
    if place == "here":
        yield None
    elif place == "processes":
        with LocalProcesses(2) as processes:
            yield processes
    else:
        from dagster_project.ray_tasks import RayTasks

        with RayTasks() as tasks:
            yield tasks


def main() -> None:
    """Usage: python -m benchmarks.handing_out draw 1000000 trees 200000 scores 250000 ..."""
    cpu = cpu_of_descendants()
    predictive_score.ROWS_HANDED_OUT = 0
    for name, n_rows in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        work, found = WORK[name](int(n_rows)), set()
        for place in ("here", "processes", "ray"):
            if place == "ray":
                import ray

                ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
            spent, started = cpu(), time.perf_counter()
            with executor(place) as workers:
                found.add(work(workers))
            told = f"{time.perf_counter() - started:.1f} s, {cpu() - spent:.1f} CPU s"
            print(f"{name} {n_rows} {place}: {told} (load {os.getloadavg()[0]:.1f})", flush=True)
            if place == "ray":
                ray.shutdown()
        if len(found) != 1:
            raise SystemExit(f"{name}: results differ")


if __name__ == "__main__":
    main()
