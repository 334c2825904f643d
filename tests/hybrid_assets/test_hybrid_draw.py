"""Hybrid rows in blocks: the same rows however the covariates come, calibrated over all."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.designs import DESIGNS
from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import estimate_from_cross_fits
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import HybridDraw, hybrid_triplets
from hybrid_assets.nuisance import (
    NuisanceSettings,
    cross_fit_draws,
    fit_outcome_model,
    fit_propensity_model,
)
from hybrid_assets.targeting import calibrate

QUICK, N = NuisanceSettings(n_fold_draws=1), 2_000


@pytest.fixture(scope="module", params=["confounded_binary", "confounded_continuous"])
def study(request):
    design = DESIGNS[request.param]
    table, schema = design(600, 2), design.schema()
    fits = cross_fit_draws(table, schema, QUICK, np.random.default_rng(0))
    seed = estimate_from_cross_fits(fits)["tmle"]
    models = GeneratingModels(
        fit_propensity_model(table, schema, QUICK, fits),
        fit_outcome_model(table, schema, QUICK, fits),
        seed.mean_treated,
        seed.mean_control,
    )
    return seed, models, design(N, 3)[schema.covariate_names]


@pytest.fixture
def small_blocks(monkeypatch):
    for module in ("blocks", "hybrid_draw", "targeting"):
        monkeypatch.setattr(f"hybrid_assets.{module}.BLOCK_ROWS", 300)


def draw_of(pool, models, seed=1):
    return HybridDraw(pool, models, settings=HybridSettings(), rng=np.random.default_rng(seed))


@pytest.mark.parametrize("cuts", [[N], [7, 300, 301, N], [1999, N], list(range(100, N + 1, 100))])
def test_rows_do_not_depend_on_how_covariates_come(study, small_blocks, cuts):
    _, models, covariates = study
    whole = hybrid_triplets(
        covariates, models, settings=HybridSettings(), rng=np.random.default_rng(1)
    )
    pool = [covariates.iloc[a:b] for a, b in zip([0, *cuts], cuts, strict=False)]
    drawn = draw_of(pool, models)
    made = list(drawn.blocks())
    assert [len(block.table) for block in made] == [300] * 6 + [200]
    rows = pd.concat([block.table for block in made], ignore_index=True)
    pd.testing.assert_frame_equal(rows, whole.table)
    assert np.array_equal(np.concatenate([b.propensity for b in made]), whole.propensity)
    assert drawn.summary.true_ate == pytest.approx(whole.true_ate, abs=1e-15)
    assert drawn.summary.bounded_share == pytest.approx(whole.bounded_share, abs=1e-15)
    assert drawn.summary.outcome_sd == pytest.approx(rows["Y"].std(), rel=1e-12)


def test_the_effect_of_all_blocks_is_the_seeds(study, small_blocks):
    seed, models, covariates = study
    drawn = draw_of([covariates], models)
    effects = [block.true_ate for block in drawn.blocks()]
    assert drawn.summary.true_ate == pytest.approx(seed.estimate, abs=1e-12)
    assert np.std(effects) > 1e-4  # it holds over all rows, not block by block


def test_every_block_has_a_stream_of_its_own(study, small_blocks):
    """However many random numbers a block before took: the third starts a stream afresh."""
    _, models, covariates = study
    made = list(draw_of([covariates], models, seed=7).blocks())
    stream = np.random.default_rng(7).spawn(len(made))[2]
    treated = stream.random(300) < models.propensity.predict(covariates.iloc[600:900])
    assert np.array_equal(made[2].table["A"].to_numpy(), treated.astype("int64"))


def test_no_rows_are_refused(study):
    _, models, covariates = study
    with pytest.raises(EstimationError, match="need at least one row of covariates"):
        draw_of([covariates.iloc[:0]], models)


@given(
    means=st.lists(st.floats(0.02, 0.98), min_size=4, max_size=60),
    target=st.floats(0.2, 0.8),
    block=st.integers(1, 70),
)
@settings(max_examples=60, deadline=None)
def test_calibration_over_blocks_is_that_over_all_rows(means, target, block):
    pool = np.array(means)
    whole = calibrate(pool, pool, target_control=target, target_treated=target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hybrid_assets.targeting.BLOCK_ROWS", block)
        found = calibrate(pool, pool, target_control=target, target_treated=target)
    assert found.shift_control == pytest.approx(whole.shift_control, abs=1e-11)
    assert found.apply(pool, 1).mean() == pytest.approx(target, abs=1e-12)
    assert found.uncalibrated_treated == pytest.approx(pool.mean(), rel=1e-14)
