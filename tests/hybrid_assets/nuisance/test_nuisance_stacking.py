import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from hybrid_assets.nuisance.stacking import fit_stack, mean_weights

WORDS = ("a", "b", "c", "d")


def draw(seed, is_binary):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=300)
    predictions = truth[:, None] * rng.uniform(0, 1.5, 4) + rng.normal(size=(300, 4)) / 2
    if not is_binary:
        return predictions, truth + rng.normal(size=300)
    target = (rng.random(300) < 1 / (1 + np.exp(-truth))).astype(float)
    return 1 / (1 + np.exp(-predictions)), target


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), is_binary=st.booleans())
def test_weights_are_the_best_convex_ones(seed, is_binary):
    """Compare with scipy's SLSQP from the even start."""
    predictions, target = draw(seed, is_binary)

    def loss(w):
        combined = predictions @ w
        if not is_binary:
            return np.mean((target - combined) ** 2)
        return -np.mean(np.log(np.where(target == 1, combined, 1 - combined)))

    reference = minimize(
        loss,
        np.full(4, 0.25),
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    stack = fit_stack(WORDS, predictions, target, is_binary)
    weights = np.array(list(stack.weights.values()))
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert stack.stacked_loss == pytest.approx(loss(weights), rel=1e-12)
    assert stack.stacked_loss <= reference.fun + 1e-9
    assert stack.stacked_loss <= min(stack.losses.values()) + 1e-9


def test_perfect_learner_takes_all():
    rng = np.random.default_rng(0)
    target = rng.normal(size=50)
    predictions = np.column_stack([rng.normal(size=50), target])
    stack = fit_stack(("noise", "perfect"), predictions, target, False)
    assert stack.weights == pytest.approx({"noise": 0.0, "perfect": 1.0}, abs=1e-9)
    assert stack.combine(predictions) == pytest.approx(target)


def test_identical_learners_share():
    predictions, target = draw(1, True)
    same = np.column_stack([predictions[:, 0]] * 3)
    stack = fit_stack(("a", "b", "c"), same, target, True)
    assert sum(stack.weights.values()) == pytest.approx(1.0)
    assert stack.stacked_loss == pytest.approx(stack.losses["a"])


def test_mean_weights_stay_convex():
    stacks = [fit_stack(WORDS, *draw(seed, True), True) for seed in (1, 2, 3)]
    found = mean_weights(stacks)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["a"] == pytest.approx(np.mean([stack.weights["a"] for stack in stacks]))
