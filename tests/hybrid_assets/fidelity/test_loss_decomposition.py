"""The identity of METHOD section 4, by brute force over both arms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_assets.designs import confounded_propensity, paper1_outcome_mean
from hybrid_assets.fidelity.loss_decomposition import loss_decomposition


def excess_by_enumeration(fitted, reference, g):
    """E over W and over A given W of the squared gap between the two regressions."""
    total = 0.0
    for i in range(len(g)):
        for arm, probability in ((0, 1 - g[i]), (1, g[i])):
            total += probability * (fitted[arm][i] - reference[arm][i]) ** 2
    return total / len(g)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_the_parts_sum_to_the_excess_loss(seed, n_rows):
    rng = np.random.default_rng(seed)
    fitted, reference = rng.normal(size=(2, 2, n_rows)) * 3
    g = rng.random(n_rows).round(2)  # 0 and 1 among them
    found = loss_decomposition(tuple(fitted), tuple(reference), g)
    brute = excess_by_enumeration(fitted, reference, g)
    assert found.excess_loss == pytest.approx(brute, abs=1e-10)
    assert found.effect_error <= 0.25 * found.effect_error_unweighted + 1e-12


def test_the_excess_of_a_known_design_is_its_squared_loss_less_the_best():
    """On a design with known m, g and τ the excess of drawn outcomes is the sum of the parts."""
    rng = np.random.default_rng(1)
    n = 400_000
    w = {f"W{k}": rng.integers(0, 2, n) for k in (1, 2, 3)}
    w |= {f"W{k}": rng.normal(size=n) for k in (4, 5, 6)}
    g = confounded_propensity(w)
    truth = tuple(paper1_outcome_mean(w, arm) for arm in (0, 1))
    wrong = (truth[0] + 0.05 * np.sin(w["W4"]), truth[1] - 0.2)
    arm = rng.random(n) < g
    y = rng.random(n) < np.where(arm, truth[1], truth[0])
    losses = [(y - np.where(arm, q[1], q[0])) ** 2 for q in (wrong, truth)]
    excess = losses[0] - losses[1]
    found = loss_decomposition(wrong, truth, g)
    error = excess.std() / np.sqrt(n)
    assert error < 0.0005
    assert abs(excess.mean() - found.excess_loss) < 4 * error
    assert found.ate_error == pytest.approx(-0.2 - 0.05 * np.sin(w["W4"]).mean())


def test_an_effect_error_without_overlap_costs_almost_no_loss():
    n = 1000
    g = np.full(n, 1e-4)
    reference = (np.zeros(n), np.zeros(n))
    # the effect is wrong by 1 for everybody, the mean outcome E[Y | W] is right
    fitted = (-g, 1.0 - g)
    found = loss_decomposition(fitted, reference, g)
    assert found.ate_error == pytest.approx(1.0)
    assert found.effect_error_unweighted == pytest.approx(1.0)
    assert found.main_error == pytest.approx(0.0, abs=1e-20)
    assert found.excess_loss == pytest.approx(1e-4 * (1 - 1e-4))


def test_by_hand():
    g = np.array([0.5, 0.2])
    found = loss_decomposition(
        (np.array([1.0, 0.0]), np.array([2.0, 2.0])),
        (np.array([0.0, 0.0]), np.array([2.0, 1.0])),
        g,
    )
    # effects 1 and 2 against 2 and 1; main 1.5 and .4 against 1 and .2
    assert found.ate_error == 0.0
    assert found.effect_error_unweighted == 1.0
    assert found.main_error == pytest.approx((0.5**2 + 0.2**2) / 2)
    assert found.effect_error == pytest.approx((0.25 + 0.16) / 2)
