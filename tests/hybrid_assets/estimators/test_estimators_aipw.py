import numpy as np
import pytest

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import aipw, iptw, outcome_regression


def test_by_hand():
    A, Y = np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 0, 1])
    g = np.array([0.5, 0.5, 0.25, 0.75])
    q0, q1 = np.array([0.2, 0.2, 0.4, 0.4]), np.array([0.6, 0.8, 0.5, 0.9])
    found = aipw(A, Y, g, q0, q1)
    treated = np.array([0.6 + 0.4 / 0.5, 0.8, 0.5 - 0.5 / 0.25, 0.9])
    control = np.array([0.2, 0.2 - 0.2 / 0.5, 0.4, 0.4 + 0.6 / 0.25])
    assert found.mean_treated == pytest.approx(treated.mean())
    assert found.mean_control == pytest.approx(control.mean())
    assert found.estimate == pytest.approx((treated - control).mean())
    assert found.standard_error == pytest.approx(np.std(treated - control, ddof=1) / 2)


def test_brute_force(arrays):
    for continuous in (False, True):
        A, Y, g, q0, q1 = arrays(7, continuous=continuous)
        terms = []
        for a, y, p, low, high in zip(A, Y, g, q0, q1, strict=True):
            correction = (y - high) / p if a == 1 else -(y - low) / (1 - p)
            terms.append(high - low + correction)
        found = aipw(A, Y, g, q0, q1)
        assert found.estimate == pytest.approx(sum(terms) / len(terms), rel=1e-12)
        assert found.influence == pytest.approx(np.array(terms) - found.estimate, abs=1e-12)


def test_perfect_outcome_model_needs_no_correction(arrays):
    A, Y, g, q0, q1 = arrays(8, continuous=True)
    Y = np.where(A == 1, q1, q0)
    plain = outcome_regression(A, Y, g, q0, q1)
    assert aipw(A, Y, g, q0, q1).estimate == pytest.approx(plain.estimate, rel=1e-12)


def test_no_outcome_model_in_a_balanced_trial_is_weighting(arrays):
    A, Y, _, q0, _ = arrays(9)
    share = np.full(len(A), A.mean())
    zero = np.zeros_like(q0)
    weighted = iptw(A, Y, share, zero, zero)
    assert aipw(A, Y, share, zero, zero).estimate == pytest.approx(weighted.estimate)


def test_empty_arm_is_refused(arrays):
    A, Y, g, q0, q1 = arrays(1)
    with pytest.raises(EstimationError, match="one arm is empty: 60 of 60"):
        aipw(0 * A + 1, Y, g, q0, q1)
