import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit

from hybrid_assets.errors import NotConverged
from hybrid_assets.estimators import tmle, tmle_covariate


def test_by_hand():
    # equal propensities and flat Q: the fluctuated means are the arms' means
    A, Y = np.array([1.0, 1, 1, 1, 0, 0, 0, 0]), np.array([1.0, 1, 1, 0, 1, 0, 0, 0])
    found = tmle_covariate(A, Y, np.full(8, 0.5), np.full(8, 0.4), np.full(8, 0.9))
    assert (found.mean_treated, found.mean_control) == pytest.approx((0.75, 0.25), abs=1e-12)
    influence = np.array([0.5, 0.5, 0.5, -1.5, -1.5, 0.5, 0.5, 0.5])
    assert found.influence == pytest.approx(influence, abs=1e-12)


def test_by_hand_with_two_propensities():
    # covariates 2 and 4, shift log(2) / 2: odds of Q = 1/2 become 2 and 4
    A, g = np.array([1.0, 1, 0, 0]), np.array([0.5, 0.25, 0.5, 0.5])
    half = np.full(4, 0.5)
    # 2 (y1 - 2/3) + 4 (y2 - 4/5) = 0; a Y of 0 and 1 in the controls spans the range
    Y = np.array([2 / 3 - 0.2, 4 / 5 + 0.1, 0.0, 1.0])
    found = tmle_covariate(A, Y, g, half, half)
    assert found.mean_treated == pytest.approx((2 / 3 + 4 / 5 + 2 / 3 + 2 / 3) / 4, abs=1e-12)
    assert found.mean_control == pytest.approx(0.5, abs=1e-12)


def test_brute_force_joint_maximum_likelihood(arrays):
    """Maximise the likelihood of both shifts at once, to 1e-6."""
    for continuous in (False, True):
        A, Y, g, q0, q1 = arrays(11, continuous=continuous)
        low, width = (Y.min(), np.ptp(Y)) if continuous else (0.0, 1.0)
        q0, q1 = ((q - low) / width for q in (q0, q1))
        if continuous:
            q0, q1 = (np.clip(q, 0.0005, 0.9995) for q in (q0, q1))
        y, H = (Y - low) / width, np.column_stack([A / g, (1 - A) / (1 - g)])
        offset = logit(np.where(A == 1, q1, q0))

        def loss(shifts, offset=offset, H=H, y=y):
            eta = offset + H @ shifts
            return (np.logaddexp(0.0, eta) - y * eta).sum()

        shifts = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-9}).x
        treated = (low + width * expit(logit(q1) + shifts[0] / g)).mean()
        control = (low + width * expit(logit(q0) + shifts[1] / (1 - g))).mean()
        found = tmle_covariate(A, Y, g, low + width * q0, low + width * q1)
        assert found.mean_treated == pytest.approx(treated, abs=1e-6)
        assert found.mean_control == pytest.approx(control, abs=1e-6)
        assert abs(found.score_residual) <= 1e-9 * width


def test_constant_propensity_makes_both_fluctuations_the_same(arrays):
    A, Y, _, q0, q1 = arrays(12)
    g = np.full(len(A), 0.3)
    for estimand in ("ate", "att", "atc", "risk_ratio", "odds_ratio"):
        ours, r = (f(A, Y, g, q0, q1, estimand=estimand) for f in (tmle, tmle_covariate))
        assert ours.estimate == pytest.approx(r.estimate, abs=1e-10)
        assert ours.standard_error == pytest.approx(r.standard_error, abs=1e-10)


def test_arm_without_any_case_is_refused(arrays):
    A, Y, g, q0, q1 = arrays(2)
    with pytest.raises(NotConverged, match="outcomes are all 0 or all 1"):
        tmle_covariate(A, Y * A, g, q0, q1)
