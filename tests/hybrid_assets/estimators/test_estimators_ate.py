import numpy as np
import pytest

from hybrid_assets.designs import DESIGNS, paper1_observational
from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import (
    adjusted_for_synthesis,
    aipw,
    estimate_ate,
    estimate_from_cross_fits,
    inference_factor,
    tmle,
)
from hybrid_assets.estimators.estimate_effects import median_estimate
from hybrid_assets.nuisance import NuisanceSettings, cross_fit_draws

TRIAL = DESIGNS["paper1_trial"]
QUICK = NuisanceSettings(outcome_library=("linear",), propensity_library=("constant", "linear"))


def test_median_rule_by_hand(arrays):
    draws = [aipw(*arrays(seed)) for seed in (1, 2, 3)]
    estimates = np.array([draw.estimate for draw in draws])
    errors = np.array([draw.standard_error for draw in draws])
    found = median_estimate(draws)
    middle = np.median(estimates)
    variance = np.median(errors**2 + (estimates - middle) ** 2)
    assert found.estimate == middle
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert found.mean_treated - found.mean_control == found.estimate
    assert found.n_fold_draws == 3


def test_median_of_an_even_number_is_refused(arrays):
    with pytest.raises(EstimationError, match="odd number of fold draws; got 2"):
        median_estimate([tmle(*arrays(1)), tmle(*arrays(2))])


def test_same_random_generator_gives_the_same_estimates():
    table = TRIAL(400, 8)
    first, second, other = (
        estimate_ate(table, TRIAL.schema(), QUICK, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert first["tmle"].estimate == second["tmle"].estimate
    assert first["tmle"].estimate != other["tmle"].estimate


def test_known_propensity_is_used_as_it_is():
    table = TRIAL(500, 4)
    rng = np.random.default_rng(1)
    fits = cross_fit_draws(table, TRIAL.schema(), QUICK, rng, known_propensity=0.5)
    found = estimate_from_cross_fits(fits)
    arms = [table.loc[table["A"] == a, "Y"].mean() for a in (0, 1)]
    assert found["iptw"].estimate == pytest.approx(arms[1] - arms[0], rel=1e-12)
    assert (fits[0].propensity == 0.5).all()
    assert fits[0].propensity_stack is None


def test_clipped_share_is_reported_when_arms_hardly_overlap():
    schema = DESIGNS["paper1_observational"].schema()
    found = estimate_ate(
        paper1_observational(600, 3),
        schema,
        NuisanceSettings(n_fold_draws=1),
        np.random.default_rng(0),
    )
    assert 0.5 < found["tmle"].clipped_share < 1.0
    assert found["tmle"].ess_treated < 80 < found["tmle"].ess_control


def test_inference_factor_widens_intervals(arrays):
    assert inference_factor(3000, 1000) == 2.0
    naive = aipw(*arrays(1))
    wide = adjusted_for_synthesis(naive, n_seed=20)
    assert wide.standard_error == pytest.approx(2.0 * naive.standard_error)
    assert wide.ci_high - wide.estimate == pytest.approx(1.959964 * wide.standard_error, rel=1e-6)
    with pytest.raises(EstimationError, match="positive row counts; got 10 and 0"):
        inference_factor(10, 0)
