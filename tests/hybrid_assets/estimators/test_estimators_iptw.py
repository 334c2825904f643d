import numpy as np
import pytest

from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators import iptw


def test_by_hand():
    A, Y = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])
    g = np.array([0.5, 0.25, 0.75, 0.5])
    found = iptw(A, Y, g, np.zeros(4), np.zeros(4))
    # weights: treated 2, 4; control 4, 2
    assert (found.mean_treated, found.mean_control) == pytest.approx((2 / 6, 4 / 6))
    assert found.estimate == pytest.approx(-1 / 3)
    assert (found.ess_treated, found.ess_control) == pytest.approx((36 / 20, 36 / 20))
    # mean weight 6/4 in each arm; residuals 2/3, -1/3 and 1/3, -2/3
    influence = np.array([2 * 2 / 3, -4 / 3, -4 / 3, 2 * 2 / 3]) / 1.5
    assert found.influence == pytest.approx(influence)
    assert found.standard_error == pytest.approx(np.sqrt((influence**2).sum()) / 4)


def test_brute_force_weighted_regression_with_hc0(arrays):
    for continuous in (False, True):
        A, Y, g, q0, q1 = arrays(5, continuous=continuous)
        weights = A / g + (1 - A) / (1 - g)
        X = np.column_stack([np.ones(len(A)), A])
        bread = np.linalg.inv(X.T @ (weights[:, None] * X))
        beta = bread @ X.T @ (weights * Y)
        scores = X * (weights * (Y - X @ beta))[:, None]
        sandwich = bread @ scores.T @ scores @ bread
        found = iptw(A, Y, g, q0, q1)
        assert found.estimate == pytest.approx(beta[1], rel=1e-10)
        assert found.standard_error == pytest.approx(np.sqrt(sandwich[1, 1]), rel=1e-10)


def test_scaled_weights_change_nothing(arrays):
    A, Y, _, q0, q1 = arrays(6)
    low, high = (iptw(A, Y, np.full(len(A), p), q0, q1) for p in (0.2, 0.6))
    assert low.estimate == pytest.approx(high.estimate)
    assert low.estimate == pytest.approx(Y[A == 1].mean() - Y[A == 0].mean())


def test_propensity_of_one_is_refused(arrays):
    A, Y, g, q0, q1 = arrays(1)
    g[3] = 1.0
    with pytest.raises(EstimationError, match="strictly between 0 and 1; bound them first"):
        iptw(A, Y, g, q0, q1)
