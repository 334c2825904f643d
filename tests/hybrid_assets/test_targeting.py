import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from hybrid_assets.errors import EstimationError
from hybrid_assets.targeting import calibrate


def test_binary_by_hand():
    # odds 1/2 and 2 doubled: means 1/2 and 4/5
    means = np.array([1 / 3, 2 / 3])
    found = calibrate(means, means, target_control=0.65, target_treated=0.5)
    assert found.shift_control == pytest.approx(np.log(2), abs=1e-12)
    assert found.shift_treated == pytest.approx(0.0, abs=1e-12)
    assert found.apply(means, 0) == pytest.approx([0.5, 0.8], abs=1e-12)
    assert found.uncalibrated_ate == 0.0
    assert found.target_ate == pytest.approx(-0.15)


def test_continuous_by_hand_with_a_mean_at_the_limit():
    means = np.array([0.0, 4.0, 9.5])
    found = calibrate(means, means, target_control=4.5, target_treated=5.5, limits=(-2.0, 10.0))
    assert found.apply(means, 0).mean() == pytest.approx(4.5, abs=1e-12)
    # + 1.25 for two rows, the third stops at 10: (1.25 + 5.25 + 10) / 3 = 5.5
    assert found.shift_treated == pytest.approx(1.25, abs=1e-12)
    assert found.apply(means, 1) == pytest.approx([1.25, 5.25, 10.0], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    targets=st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 0.999)),
    is_binary=st.booleans(),
)
def test_effect_equals_the_target_to_1e_12(seed, targets, is_binary):
    rng = np.random.default_rng(seed)
    q0, q1 = expit(3 * rng.normal(size=(2, 1000)))
    limits = None if is_binary else (-1.0, 2.0)
    found = calibrate(q0, q1, target_control=targets[0], target_treated=targets[1], limits=limits)
    psi = found.apply(q1, 1).mean() - found.apply(q0, 0).mean()
    assert psi == pytest.approx(targets[1] - targets[0], abs=1e-12)
    order = np.argsort(q0)
    assert (np.diff(found.apply(q0, 0)[order]) >= 0).all()
    if is_binary:
        assert logit(found.apply(q0, 0)) - logit(q0) == pytest.approx(found.shift_control, abs=1e-6)


def test_target_outside_the_range_is_refused():
    means = np.array([0.2, 0.4])
    with pytest.raises(EstimationError, match="outside the outcome's range"):
        calibrate(means, means, target_control=1.0, target_treated=0.5)
    with pytest.raises(EstimationError, match="outside the outcome's range"):
        calibrate(means, means, target_control=1.0, target_treated=0.5, limits=(0.0, 0.9))
