"""The published protocol: 100 subsamples of one pool, each estimator held against its own pool."""

import numpy as np
import pytest

from hybrid_assets.benchmark import (
    PUBLISHED_PROTOCOL,
    BenchmarkSettings,
    Dials,
    plan_benchmark,
    run_benchmark,
)
from hybrid_assets.benchmark.blocks import analyse, pool_estimates
from hybrid_assets.benchmark.published import PublishedPool
from hybrid_assets.nuisance import NuisanceSettings

SETTINGS = BenchmarkSettings(
    n_replicates=20,
    sample_sizes=(200,),
    dials=(Dials(),),
    published_protocol=True,
)


@pytest.fixture(scope="module")
def plan(binary):
    linear = NuisanceSettings(propensity_library=("linear",), outcome_library=("linear",))
    return plan_benchmark(binary[0], SETTINGS, np.random.default_rng(3), nuisance=linear)


def test_subsamples_are_rows_of_the_pool_each_at_most_once(plan):
    pool = plan.published_pool
    assert pool.rows.treatment.shape == (1, 50_000)
    drawn = pool.draw(2, 1000, np.random.default_rng(0))
    marked = PublishedPool(
        pool.rows.__class__(
            np.arange(50_000.0)[None, :, None],
            pool.rows.treatment,
            pool.rows.outcome,
            ("row",),
            True,
        ),
        0.0,
        None,
    ).draw(2, 1000, np.random.default_rng(0))
    rows = marked.effects[..., 0].astype(int)
    assert [len(set(subsample)) for subsample in rows] == [1000, 1000]
    assert (drawn.outcome == pool.rows.outcome[0][rows]).all()
    assert (drawn.effects == pool.rows.effects[0][rows]).all()


def test_errors_are_against_each_estimators_own_pool_estimate(plan, binary):
    table = run_benchmark(plan).performance
    published = table[table["scenario"] == PUBLISHED_PROTOCOL].set_index("estimator")
    assert (published["n_rows"] == 1000).all()
    assert (published["n_replicates"] == 100).all()
    large = pool_estimates(plan)
    assert published["target_effect"].to_dict() == large
    assert len(set(large.values())) == 4
    assert (published["true_effect"] == binary[0].true_ate).all()
    assert published["bias"].to_numpy() == pytest.approx(
        published["mean_estimate"] - published["target_effect"], abs=1e-12
    )
    fresh = table[table["scenario"] == "as fitted"]
    assert (fresh["target_effect"] == fresh["true_effect"]).all()
    pool = plan.published_pool
    again = analyse(pool.rows, plan.analysis, plan.pool_stream()).set_index("estimator")
    assert again["estimate"].to_dict() == large
    wide = analyse(pool.rows, plan.analysis, np.random.default_rng(1)).set_index("estimator")
    # another fold draw moves the estimate by little of its error
    moved = (wide["estimate"] - again["estimate"]).abs() / again["standard_error"]
    assert moved.max() < 0.2
