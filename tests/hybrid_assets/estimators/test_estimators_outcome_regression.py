import numpy as np
import pytest

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import outcome_regression


def test_by_hand():
    A, Y = np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 0, 1])
    g = np.array([0.5, 0.5, 0.25, 0.75])
    q0, q1 = np.array([0.2, 0.2, 0.4, 0.4]), np.array([0.6, 0.8, 0.5, 0.9])
    found = outcome_regression(A, Y, g, q0, q1)
    # Q1 - Q0 = .4 .6 .1 .5; corrections (1-.6)/.5, -(0-.2)/.5, (0-.5)/.25, -(1-.4)/.25
    assert found.estimate == pytest.approx(0.4)
    assert (found.mean_treated, found.mean_control) == pytest.approx((0.7, 0.3))
    corrections = np.array([0.8, 0.4, -2.0, -2.4])
    assert found.score_residual == pytest.approx(corrections.mean())
    uncentred = np.array([0.4, 0.6, 0.1, 0.5]) + corrections
    assert found.standard_error == pytest.approx(np.std(uncentred, ddof=1) / 2)
    assert found.influence == pytest.approx(uncentred - uncentred.mean())


def test_brute_force(arrays):
    for continuous in (False, True):
        A, Y, g, q0, q1 = arrays(3, continuous=continuous)
        total = 0.0
        for i in range(len(A)):
            total += (q1[i] - q0[i]) / len(A)
        assert outcome_regression(A, Y, g, q0, q1).estimate == pytest.approx(total, rel=1e-12)


def test_empty_arm_is_refused(arrays):
    A, Y, g, q0, q1 = arrays(1)
    with pytest.raises(EstimationError, match="one arm is empty: 0 of 60"):
        outcome_regression(0 * A, Y, g, q0, q1)
