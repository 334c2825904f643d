import numpy as np
import pytest

from hybrid_assets.location_scale import bounded_location


def test_bounded_location_by_brute_force():
    rng = np.random.default_rng(0)
    residuals = rng.exponential(size=37) - 1.0
    residuals -= residuals.mean()
    means, scale = rng.uniform(0, 4, 50), rng.uniform(0.1, 3, 50)
    found = bounded_location(means, scale, residuals, (0.0, 4.0))
    draws = np.clip(found[:, None] + scale[:, None] * residuals, 0.0, 4.0)
    assert draws.mean(axis=1) == pytest.approx(means, abs=1e-9)
    free = bounded_location(means, scale, residuals, (-100.0, 100.0))
    assert (free == means).all()


def test_bounded_location_by_hand():
    # e = -1 or 1, scale 2, limits 0..10, mean .5: (0 + m + 2) / 2 = .5 gives m = -1
    e = np.array([-1.0, 1.0])
    found = bounded_location(np.array([0.5, 5.0, 10.0]), np.full(3, 2.0), e, (0.0, 10.0))
    assert found[:2] == pytest.approx([-1.0, 5.0], abs=1e-9)
    assert np.clip(found[2] + 2 * e, 0, 10) == pytest.approx([10.0, 10.0], abs=1e-9)


def test_rows_without_spread_keep_their_mean():
    means = np.array([0.0, 3.0, 4.0])
    assert (bounded_location(means, np.zeros(3), np.array([-1.0, 1.0]), (0.0, 4.0)) == means).all()
