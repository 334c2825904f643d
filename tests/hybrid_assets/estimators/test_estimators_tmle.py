import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from hybrid_assets.errors import EstimationError, NotConverged
from hybrid_assets.estimators import tmle


def test_by_hand():
    # equal weights and flat Q: the fluctuated means are the arms' means
    A, Y = np.array([1.0, 1, 1, 1, 0, 0, 0, 0]), np.array([1.0, 1, 1, 0, 1, 0, 0, 0])
    half = np.full(8, 0.5)
    found = tmle(A, Y, half, np.full(8, 0.4), np.full(8, 0.9))
    assert (found.mean_treated, found.mean_control) == pytest.approx((0.75, 0.25), abs=1e-12)
    influence = np.array([0.5, 0.5, 0.5, -1.5, -1.5, 0.5, 0.5, 0.5])
    assert found.influence == pytest.approx(influence, abs=1e-12)
    assert found.standard_error == pytest.approx(np.std(influence, ddof=1) / np.sqrt(8))


def test_by_hand_with_two_strata():
    # logit q = +-d and a common shift e: weighted score is zero at e = log 2
    odds = np.array([0.5, 2.0, 0.5, 2.0])
    Q = odds / (1 + odds)
    updated = 2 * odds / (1 + 2 * odds)
    A, g = np.ones(4), np.full(4, 0.5)
    y = updated + np.array([0.1, -0.1, -0.1, 0.1])  # fractional outcomes, same sums
    from hybrid_assets.estimators.tmle import fluctuate

    assert fluctuate(y, Q, A / g) == pytest.approx(updated, abs=1e-12)


def test_brute_force_maximum_likelihood(arrays):
    """Maximise the weighted log likelihood of the shift directly, to 1e-7."""
    for continuous in (False, True):
        A, Y, g, q0, q1 = arrays(11, continuous=continuous)
        low, width = (Y.min() - 0.01 * np.ptp(Y), 1.02 * np.ptp(Y)) if continuous else (0.0, 1.0)
        means = []
        for Q, weights in ((q1, A / g), (q0, (1 - A) / (1 - g))):
            offset = logit(np.clip((Q - low) / width, 1e-9, 1 - 1e-9))
            y = (Y - low) / width

            def loss(shift, offset=offset, y=y, weights=weights):
                p = expit(offset + shift)
                return -(weights * (y * np.log(p) + (1 - y) * np.log(1 - p))).sum()

            shift = minimize_scalar(
                loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}
            ).x
            means.append((low + width * expit(offset + shift)).mean())
        found = tmle(A, Y, g, q0, q1)
        assert found.mean_treated == pytest.approx(means[0], abs=1e-6)
        assert found.mean_control == pytest.approx(means[1], abs=1e-6)
        assert abs(found.score_residual) <= 1e-9 * width


def test_estimate_stays_inside_the_range_of_the_outcome():
    A = np.r_[np.ones(30), np.zeros(30)]
    Y = np.r_[np.ones(29), 0, np.zeros(29), 1]
    g = np.r_[np.full(59, 0.5), 0.01]
    found = tmle(A, Y, g, np.full(60, 0.02), np.full(60, 0.98))
    assert 0 < found.mean_control < found.mean_treated < 1


def test_arm_without_any_case_is_refused(arrays):
    A, Y, g, q0, q1 = arrays(2)
    with pytest.raises(NotConverged, match="outcomes are all 0 or all 1"):
        tmle(A, Y * A, g, q0, q1)


def test_constant_outcome_is_refused(arrays):
    A, Y, g, q0, q1 = arrays(2)
    with pytest.raises(EstimationError, match="the outcome is constant"):
        tmle(A, 0 * Y + 3.5, g, q0, q1)
