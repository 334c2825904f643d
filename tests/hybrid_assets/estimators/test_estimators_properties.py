"""What holds for every estimator: invariances, and coverage on known designs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import ESTIMATORS, estimate_ate
from hybrid_assets.nuisance import NuisanceSettings

SHIFTED_WITH_Y = [word for word in ESTIMATORS if word != "iptw_stabilised"]


@pytest.mark.parametrize("word", SHIFTED_WITH_Y)
@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_row_order_shift_and_arm_swap(arrays, word, seed, shift):
    estimator = ESTIMATORS[word]
    A, Y, g, q0, q1 = arrays(seed, continuous=True)
    base = estimator(A, Y, g, q0, q1)
    order = np.random.default_rng(seed).permutation(len(A))
    shuffled = estimator(*(each[order] for each in (A, Y, g, q0, q1)))
    shifted = estimator(A, Y + shift, g, q0 + shift, q1 + shift)
    swapped = estimator(1 - A, Y, 1 - g, q1, q0)
    for other, sign in ((shuffled, 1), (shifted, 1), (swapped, -1)):
        assert sign * other.estimate == pytest.approx(base.estimate, abs=1e-8)
        assert other.standard_error == pytest.approx(base.standard_error, abs=1e-8)
    assert shifted.mean_treated - shift == pytest.approx(base.mean_treated, abs=1e-8)
    assert swapped.ess_control == pytest.approx(base.ess_treated)
    assert shuffled.influence == pytest.approx(base.influence[order], abs=1e-8)


@pytest.mark.parametrize("word", ESTIMATORS)
def test_estimate_is_the_difference_of_arm_means_with_a_normal_interval(arrays, word):
    found = ESTIMATORS[word](*arrays(4))
    assert found.mean_treated - found.mean_control == found.estimate
    half = 1.959963984540054 * found.standard_error
    assert (found.ci_low, found.ci_high) == (found.estimate - half, found.estimate + half)
    assert found.influence.mean() == pytest.approx(0.0, abs=1e-9)
    assert (found.estimator, found.n_rows) == (word, 60)


N_REPLICATES = 200


@pytest.fixture(scope="module", params=["confounded_binary", "confounded_continuous"])
def replicates(request):
    design = DESIGNS[request.param]
    nuisances = NuisanceSettings(n_fold_draws=1)
    return design, [
        estimate_ate(design(1000, seed), design.schema(), nuisances, np.random.default_rng(seed))
        for seed in range(N_REPLICATES)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("word", ESTIMATORS)
def test_95_percent_intervals_cover(replicates, word):
    """Coverage of 200 fresh studies of 1000 people: .95 within 4 Monte-Carlo errors (.015)."""
    design, found = replicates
    inside = [r[word].ci_low <= design.true_ate <= r[word].ci_high for r in found]
    assert np.mean(inside) >= 0.89
    errors = np.array([r[word].estimate - design.true_ate for r in found])
    spread = errors.std(ddof=1)
    # a third of the spread in bias costs 1 % of coverage
    assert abs(errors.mean()) < spread / 3 + 3 * spread / np.sqrt(N_REPLICATES)
    if word in ("aipw", "tmle"):
        typical = np.mean([r[word].standard_error for r in found])
        assert typical / spread == pytest.approx(1.0, abs=0.2)
