"""Runs: the same bytes however they are cut, and figures that mean what they say."""

import multiprocessing

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.benchmark import (
    PERFORMANCE_COMMENTS,
    BenchmarkSettings,
    DesignPopulation,
    Dials,
    performance,
    plan_benchmark,
    run_benchmark,
)
from hybrid_assets.designs import DESIGNS
from hybrid_assets.errors import EvaluationError
from hybrid_assets.nuisance import NuisanceSettings
from hybrid_assets.processes import LocalProcesses

TRUTH = 1.0
QUICK = BenchmarkSettings(n_replicates=120, sample_sizes=(100, 300))
LINEAR = NuisanceSettings(propensity_library=("linear",), outcome_library=("linear",))


def run(population, settings=QUICK, seed=4, n_seed=1000, nuisance=LINEAR, **options):
    rng = np.random.default_rng(seed)
    plan = plan_benchmark(population, settings, rng, nuisance=nuisance, n_seed=n_seed)
    return run_benchmark(plan, **options)


def test_the_same_seed_gives_the_same_bytes(binary):
    first, second = run(binary[0]), run(binary[0])
    pd.testing.assert_frame_equal(first.performance, second.performance, check_exact=True)
    pd.testing.assert_frame_equal(first.replicates, second.replicates, check_exact=True)
    assert list(first.performance.columns) == list(PERFORMANCE_COMMENTS)
    assert len(first.performance) == 2 * 2 * 4
    other = run(binary[0], seed=5)
    assert not (other.replicates["estimate"] == first.replicates["estimate"]).any()


def test_an_interrupted_run_resumes_to_the_same_bytes(continuous):
    kept = []

    def stop_at_five(done):
        kept.append(done.replicates)
        if done.n_done == 5:
            raise KeyboardInterrupt

    whole = run(continuous[0])
    with pytest.raises(KeyboardInterrupt):
        run(continuous[0], progress=stop_at_five)
    seen = []
    resumed = run(continuous[0], finished=pd.concat(kept), progress=seen.append)
    pd.testing.assert_frame_equal(resumed.replicates, whole.replicates, check_exact=True)
    assert [done.n_done for done in seen] == list(range(6, 13))
    assert {done.n_blocks for done in seen} == {12}


def test_blocks_of_another_seed_or_population_are_left_aside(binary, continuous):
    other = run(continuous[0], BenchmarkSettings(n_replicates=20), n_seed=250)
    seen = []
    settings = BenchmarkSettings(n_replicates=20)
    run(binary[0], settings, finished=other.replicates, progress=seen.append, n_seed=250)
    assert len(seen) == 2
    seen.clear()
    run(continuous[0], settings, finished=other.replicates, progress=seen.append, n_seed=250)
    assert not seen
    run(continuous[0], settings, 5, finished=other.replicates, progress=seen.append, n_seed=250)
    assert len(seen) == 2


def test_more_replicates_keep_the_whole_blocks_of_fewer(binary):
    fewer = run(binary[0], BenchmarkSettings(n_replicates=100), n_seed=250)
    seen = []
    settings = BenchmarkSettings(n_replicates=150)
    more = run(binary[0], settings, finished=fewer.replicates, progress=seen.append, n_seed=250)
    assert len(seen) == 2
    both = more.replicates.merge(fewer.replicates, on=["scenario", "replicate", "estimator"])
    assert len(both) == len(fewer.replicates)
    assert (both["estimate_x"] == both["estimate_y"]).all()


def test_finished_must_be_replicates(binary):
    with pytest.raises(EvaluationError, match="finished replicates lack the columns .*'block'"):
        run(binary[0], finished=pd.DataFrame({"estimate": [1.0]}))


def test_two_processes_give_the_same_bytes(binary):
    settings = BenchmarkSettings(n_replicates=100, sample_sizes=(100,))
    one = run(binary[0], settings)
    with LocalProcesses(2) as workers:
        two = run(binary[0], settings, workers=workers)
    pd.testing.assert_frame_equal(one.replicates, two.replicates, check_exact=True)


def test_the_null_twin_rejects_in_five_percent(binary):
    settings = BenchmarkSettings(
        n_replicates=400,
        sample_sizes=(500,),
        dials=(Dials(null_effect=True),),
    )
    table = run(binary[0], settings).performance.set_index("estimator")
    for word in ("aipw", "tmle"):
        row = table.loc[word]
        assert row["true_effect"] == 0.0
        assert row["type_1_error"] == pytest.approx(0.05, abs=4 * row["type_1_error_error"])
        assert row["type_1_error"] == pytest.approx(1 - row["coverage"])
        assert np.isnan(row["power"])


def test_arms_too_small_for_the_folds_are_counted_as_failed():
    population = DesignPopulation(DESIGNS["paper1_observational"])
    settings = BenchmarkSettings(n_replicates=30, sample_sizes=(60,), dials=(Dials(),))
    table = run(population, settings).performance
    assert (table["n_failed"] > 0).all()
    assert (table["n_failed"] + table["n_replicates"] == 30).all()


def normal_replicates(rng, n_replicates, error=0.1, word="aipw", noise=None):
    estimate = TRUTH + error * (rng.normal(size=n_replicates) if noise is None else noise)
    return pd.DataFrame(
        {
            "scenario": "as fitted",
            "n_rows": 500,
            "replicate": np.arange(n_replicates),
            "estimator": word,
            "estimate": estimate,
            "standard_error": 0.1,
            "clipped_share": 0.0,
            "block": "x",
        }
    )


def test_monte_carlo_errors_are_the_spread_of_their_figures():
    """Stated errors against the spread over 1500 simulated benchmarks of 200 replicates."""
    rng = np.random.default_rng(0)
    tables = [performance(normal_replicates(rng, 200), {"as fitted": TRUTH}) for _ in range(1500)]
    found = pd.concat(tables)
    for name in ("bias", "variance", "mse", "rmse"):
        stated = np.sqrt((found[f"{name}_error"] ** 2).mean())
        assert stated == pytest.approx(found[name].std(), rel=0.08)
    stated = np.sqrt((found["coverage_error"] ** 2).mean())
    assert 1.0 < stated / found["coverage"].std() < 1.2  # on the safe side near 100 %


def test_figures_by_hand():
    replicates = normal_replicates(None, 4, noise=np.array([-3.0, 1.0, 0.0, 1.0]))
    row = performance(replicates, {"as fitted": TRUTH}).iloc[0]
    assert row["bias"] == pytest.approx(-0.025)
    assert row["variance"] == pytest.approx(0.01 * (11 - 4 * 0.0625) / 3)
    assert row["mse"] == pytest.approx(0.11 / 4)
    assert row["rmse"] == pytest.approx(np.sqrt(0.11 / 4))
    assert row["coverage"] == 0.75
    assert row["interval_width"] == pytest.approx(2 * 1.959963984540054 * 0.1)
    assert row["power"] == 1.0
    assert row["n_replicates"] == 4


@pytest.mark.slow
@pytest.mark.parametrize("word", ["paper1_trial", "confounded_binary"])
def test_coverage_at_1000_rows_with_the_default_stack(word):
    """500 replicates: one Monte-Carlo standard error of a coverage is about one point."""
    settings = BenchmarkSettings(sample_sizes=(1000,), dials=(Dials(),))
    result = run(DesignPopulation(DESIGNS[word]), settings, nuisance=NuisanceSettings())
    table = result.performance.set_index("estimator")
    for name in ("aipw", "tmle"):
        assert 0.93 <= table.loc[name, "coverage"] <= 0.97
        assert abs(table.loc[name, "bias"]) < 4 * table.loc[name, "bias_error"] + 0.002


def test_workers_end_when_a_run_of_several_processes_is_interrupted(binary):
    """The traceback is still held, as an interrupted Dagster step holds it."""

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as held, LocalProcesses(2) as workers:
        run(binary[0], workers=workers, progress=stop)
    assert held.tb is not None
    assert multiprocessing.active_children() == []
