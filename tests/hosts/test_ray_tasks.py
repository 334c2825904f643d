"""Blocks on a Ray cluster: the same bytes, the science's own errors, and an end."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import as_completed
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.benchmark import (
    BenchmarkPlan,
    BenchmarkSettings,
    DesignPopulation,
    Dials,
    plan_benchmark,
    run_benchmark,
)
from hybrid_assets.designs import DESIGNS
from hybrid_assets.errors import EvaluationError
from hybrid_assets.generators import GENERATORS, ValidRows, draw_valid
from hybrid_assets.generators.cart import CartGenerator, CartSettings
from hybrid_assets.generators.fit_support import FitSupport
from hybrid_assets.nuisance import NuisanceSettings, cross_fit_draws
from hybrid_assets.privacy import nearest

pytestmark = pytest.mark.hosts
ray = pytest.importorskip("ray", reason="pip install 'hybrid-assets[ray]'")


@pytest.fixture(scope="module")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    path = os.environ.get("PYTHONPATH", "")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": f"{Path.cwd()}:{path}"}},
    )
    yield
    ray.shutdown()


@pytest.fixture
def plan() -> BenchmarkPlan:
    settings = BenchmarkSettings(n_replicates=150, sample_sizes=(100,), dials=(Dials(),))
    linear = NuisanceSettings(propensity_library=("linear",), outcome_library=("linear",))
    law = DesignPopulation(DESIGNS["confounded_binary"])
    return plan_benchmark(law, settings, np.random.default_rng(4), nuisance=linear)


@pytest.mark.usefixtures("_cluster")
def test_a_benchmark_on_ray_gives_the_bytes_of_one_process(plan: BenchmarkPlan) -> None:
    from dagster_project.ray_tasks import RayTasks

    with RayTasks() as workers:
        spread = run_benchmark(plan, workers=workers)
    alone = run_benchmark(plan)
    pd.testing.assert_frame_equal(spread.replicates, alone.replicates, check_exact=True)
    pd.testing.assert_frame_equal(spread.performance, alone.performance, check_exact=True)


@pytest.mark.usefixtures("_cluster")
def test_distances_on_ray_are_those_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project.ray_tasks import RayTasks

    rng = np.random.default_rng(3)
    points, references = rng.normal(size=(900, 6)), rng.normal(size=(300, 6))
    alone = nearest.nearest_distances(points, references)
    monkeypatch.setattr(nearest, "POINTS_HANDED_OUT", 250)
    with RayTasks() as workers:
        spread = nearest.nearest_distances(points, references, workers)
    assert spread.tobytes() == alone.tobytes()


@pytest.mark.usefixtures("_cluster")
def test_a_draw_on_ray_gives_the_rows_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project.ray_tasks import RayTasks

    monkeypatch.setattr("hybrid_assets.generators.drawing.BLOCK_ROWS", 250)
    design = DESIGNS["confounded_continuous"]
    schema, cart = design.schema(), GENERATORS["cart"]
    table = schema.canonical(design(400, 1))
    generator = cart(cart.settings_class()).fit(table, schema, np.random.default_rng(0))
    alone, report = draw_valid(generator, schema, 2_000, np.random.default_rng(3))
    drawn = ValidRows(generator, schema, 2_000, np.random.default_rng(3))
    with RayTasks() as workers:
        spread = pd.concat(drawn.blocks(workers), ignore_index=True)
    pd.testing.assert_frame_equal(spread, alone, check_exact=True)
    assert drawn.report == report


class Unpacked:
    """Tells how often its process was sent a function."""

    n_times = 0

    def __setstate__(self, state: object) -> None:
        Unpacked.n_times += 1

    def __getstate__(self) -> object:
        return True

    def __call__(self, _: int) -> tuple[int, int]:
        return os.getpid(), Unpacked.n_times


@pytest.mark.usefixtures("_cluster")
def test_a_process_of_ray_is_sent_a_function_once() -> None:
    from dagster_project.ray_tasks import RayTasks

    with RayTasks() as workers:
        told = set(workers.map(Unpacked(), range(12)))
    assert 1 <= len(told) <= 4  # once for each process, of which Ray may start some more
    assert {n_times for _, n_times in told} == {1}


@pytest.mark.usefixtures("_cluster")
def test_ray_forgets_what_was_handed_over() -> None:
    from dagster_project.ray_tasks import RayTasks

    def n_kept() -> int:
        objects = ray._private.worker.global_worker.core_worker.get_all_reference_counts()
        return len(objects)

    with RayTasks() as workers:
        before = n_kept()
        function = np.arange(1_000_000).take
        assert [workers.submit(function, n).result(60) for n in range(3)] == [0, 1, 2]
        del function
        end = time.monotonic() + 20
        while n_kept() > before and time.monotonic() < end:
            time.sleep(0.1)
        assert n_kept() <= before


@pytest.mark.usefixtures("_cluster")
def test_fits_on_ray_are_those_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project.ray_tasks import RayTasks

    monkeypatch.setattr("hybrid_assets.nuisance.out_of_fold.ROWS_HANDED_OUT", 100)
    monkeypatch.setattr("hybrid_assets.generators.cart.PEOPLE_HANDED_OUT", 100)
    design = DESIGNS["confounded_binary"]
    table, schema, settings = design(300, 1), design.schema(), NuisanceSettings(n_fold_draws=1)
    (alone,) = cross_fit_draws(table, schema, settings, np.random.default_rng(2))
    trees = [CartGenerator(CartSettings()) for _ in range(2)]
    trees[0].fit(table, schema, np.random.default_rng(3))
    with RayTasks() as workers:
        (spread,) = cross_fit_draws(
            table, schema, settings, np.random.default_rng(2), workers=workers
        )
        trees[1].support = FitSupport(workers=workers)
        trees[1].fit(table, schema, np.random.default_rng(3))
    assert spread.propensity.tobytes() == alone.propensity.tobytes()
    assert spread.outcome_treated.tobytes() == alone.outcome_treated.tobytes()
    assert spread.outcome_stack == alone.outcome_stack
    assert trees[0].to_files() == trees[1].to_files()


@pytest.mark.usefixtures("_cluster")
def test_a_block_fails_in_its_own_words() -> None:
    from dagster_project.ray_tasks import RayTasks

    def refused(number: int) -> None:
        raise EvaluationError(f"block {number} is empty")

    with RayTasks() as workers, pytest.raises(EvaluationError, match="^block 3 is empty$"):
        next(as_completed([workers.submit(refused, 3)])).result()


@pytest.mark.usefixtures("_cluster")
def test_ray_keeps_no_word_of_an_error() -> None:
    """A library's error may quote a cell, and Ray shows what a task raised on its dashboard."""
    from dagster_project.ray_tasks import RayTasks

    def quoting(cell: str) -> None:
        raise ValueError(f"could not convert {cell}")

    with RayTasks() as workers, pytest.raises(ValueError, match="could not convert QUOTED-CELL"):
        workers.submit(quoting, "QUOTED-CELL").result(60)
    time.sleep(2)  # task events are sent every second
    told = ray._private.state.state._get_all_task_events()
    assert told
    assert not any("QUOTED-CELL" in str(event) for event in told)


@pytest.mark.usefixtures("_cluster")
def test_blocks_end_with_whoever_wanted_them() -> None:
    from dagster_project.ray_tasks import RayTasks

    started = time.monotonic()
    with RayTasks() as workers:
        futures = [workers.submit(time.sleep, 60) for _ in range(4)]
        assert futures[-1].cancel()
    assert time.monotonic() - started < 30
    with RayTasks() as workers:
        assert workers.submit(abs, -7).result(30) == 7  # the cores are free again


@pytest.mark.usefixtures("_cluster")
def test_a_block_whose_process_is_killed_is_run_again(tmp_path: Path) -> None:
    from dagster_project.ray_tasks import RayTasks

    killed = tmp_path / "killed"

    def die_once(number: int) -> int:
        if not killed.exists():
            killed.touch()
            os._exit(9)
        return number

    with RayTasks() as workers:
        assert workers.submit(die_once, 5).result(60) == 5
