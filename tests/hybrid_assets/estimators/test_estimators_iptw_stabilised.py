import numpy as np
import pytest

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import iptw, iptw_stabilised


def test_by_hand():
    A, Y = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])
    g = np.array([0.5, 0.25, 0.75, 0.5])
    found = iptw_stabilised(A, Y, g, np.zeros(4), np.zeros(4))
    # half are treated: stabilised weights 1, 2 and 2, 1, divided by 2 people in each arm
    assert (found.mean_treated, found.mean_control) == pytest.approx((1 / 2, 2 / 2))
    assert found.estimate == pytest.approx(-1 / 2)
    # A Y / g - (1 - A) Y / (1 - g) - estimate
    influence = np.array([2, 0, -4, 0]) + 1 / 2
    assert found.influence == pytest.approx(influence)
    assert found.standard_error == pytest.approx(np.std(influence, ddof=1) / 2)


def test_brute_force_stabilised_weights(arrays):
    for continuous in (False, True):
        A, Y, g, q0, q1 = arrays(5, continuous=continuous)
        share, sums = A.mean(), [0.0, 0.0]
        for a, y, p in zip(A, Y, g, strict=True):
            weight = share / p if a == 1 else (1 - share) / (1 - p)
            sums[int(a)] += weight * y
        expected = sums[1] / A.sum() - sums[0] / (1 - A).sum()
        assert iptw_stabilised(A, Y, g, q0, q1).estimate == pytest.approx(expected, rel=1e-12)


def test_brute_force_in_the_treated(arrays):
    A, Y, g, q0, q1 = arrays(5)
    odds = sum(y * p / (1 - p) for a, y, p in zip(A, Y, g, strict=True) if a == 0)
    found = iptw_stabilised(A, Y, g, q0, q1, estimand="att")
    assert found.estimate == pytest.approx((Y[A == 1].sum() - odds) / A.sum(), rel=1e-12)


def test_reference_is_the_difference_of_means_of_inverse_probability_weighted_outcomes(arrays):
    """Without an intercept, a regression through statsmodels: mean of A Y/g - (1 - A) Y/(1 - g)."""
    sm = pytest.importorskip("statsmodels.api")
    A, Y, g, q0, q1 = arrays(6, continuous=True)
    transformed = A * Y / g - (1 - A) * Y / (1 - g)
    fit = sm.OLS(transformed, np.ones(len(A))).fit()
    found = iptw_stabilised(A, Y, g, q0, q1)
    assert found.estimate == pytest.approx(fit.params[0], abs=1e-12)
    assert found.standard_error == pytest.approx(fit.bse[0], abs=1e-12)


def test_constant_propensity_at_the_observed_share_is_the_difference_of_means(arrays):
    A, Y, _, q0, q1 = arrays(6)
    found = iptw_stabilised(A, Y, np.full(len(A), A.mean()), q0, q1)
    assert found.estimate == pytest.approx(Y[A == 1].mean() - Y[A == 0].mean(), abs=1e-12)
    assert found.estimate == pytest.approx(
        iptw(A, Y, np.full(len(A), A.mean()), q0, q1).estimate, abs=1e-12
    )


def test_a_constant_added_to_the_outcome_moves_it_by_what_the_weights_are_off(arrays):
    A, Y, g, q0, q1 = arrays(7, continuous=True)
    base, moved = (iptw_stabilised(A, Y + shift, g, q0, q1) for shift in (0.0, 10.0))
    off = (A / g).mean() - ((1 - A) / (1 - g)).mean()
    assert moved.estimate - base.estimate == pytest.approx(10 * off, abs=1e-12)


def test_a_risk_beyond_1_has_no_odds():
    A, Y = np.array([1.0, 1, 0, 0]), np.array([1.0, 1, 1, 0])
    g = np.array([0.2, 0.2, 0.5, 0.5])
    with pytest.raises(EstimationError, match="puts the risks at 2.5 and 0.5: odds_ratio needs"):
        iptw_stabilised(A, Y, g, Y, Y, estimand="odds_ratio")
