from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.generators.private.graphical_model import (
    GraphicalModel,
    NoisyCounts,
    fit_model,
)

SIZES = (2, 3, 2, 4, 3)
EDGES = [(0, 1), (1, 2), (2, 3), (0, 3), (4,)]


def joint_of(sizes, potentials):
    """The product of all potentials on every cell of the whole table: what inference avoids."""
    total = np.zeros(sizes)
    for columns, potential in potentials.items():
        total = total + potential.reshape([s if i in columns else 1 for i, s in enumerate(sizes)])
    joint = np.exp(total)
    return joint / joint.sum()


def marginal(joint, columns):
    return joint.sum(axis=tuple(i for i in range(joint.ndim) if i not in columns))


def random_model(seed, edges=EDGES):
    rng = np.random.default_rng(seed)
    potentials = {c: rng.normal(0, 1.5, [SIZES[i] for i in c]) for c in edges}
    return GraphicalModel(SIZES, potentials), joint_of(SIZES, potentials)


@given(
    st.lists(
        st.sets(st.integers(0, 4), min_size=1, max_size=3).map(lambda c: tuple(sorted(c))),
        unique=True,
        max_size=5,
    ),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_every_marginal_equals_brute_force(edges, seed):
    model, joint = random_model(seed, edges)
    for degree in (1, 2, 3):
        for columns in combinations(range(5), degree):
            np.testing.assert_allclose(
                model.probabilities(columns), marginal(joint, columns), atol=1e-12
            )


def test_draws_follow_the_whole_law():
    model, joint = random_model(3)
    rows = model.draw(200_000, np.random.default_rng(1))
    cells = np.ravel_multi_index(tuple(rows.T), SIZES)
    expected = 200_000 * joint.ravel()
    drawn = np.bincount(cells, minlength=joint.size)
    kept = expected > 5
    chi2 = ((drawn - expected)[kept] ** 2 / expected[kept]).sum()
    assert chi2 < kept.sum() + 5 * np.sqrt(2 * kept.sum())
    assert model.draw(0, np.random.default_rng(1)).shape == (0, 5)


def test_same_generator_same_rows():
    model, _ = random_model(4)
    first, second = (model.draw(30_000, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, model.draw(30_000, np.random.default_rng(8)))


def test_exact_counts_of_a_chain_give_its_law_back():
    _, joint = random_model(5, [(0, 1), (1, 2), (2, 3), (4,)])
    taken = [NoisyCounts(c, 1000 * marginal(joint, c), 1.0) for c in [(0, 1), (1, 2), (2, 3), (4,)]]
    model = fit_model(SIZES, taken, 1000, n_steps=3000)
    np.testing.assert_allclose(model.probabilities((0, 3)), marginal(joint, (0, 3)), atol=2e-4)


def test_fit_solves_the_least_squares_of_one_set():
    # alone, a table's best law is the projection of y/n onto the simplex
    noisy = NoisyCounts((0, 1), np.array([[50.0, -4, 20], [30, 9, 1]]), 2.0)
    model = fit_model((2, 3), [noisy], 100, n_steps=3000)
    y = noisy.counts.ravel() / 100
    ordered = np.sort(y)[::-1]
    shifts = (ordered.cumsum() - 1) / np.arange(1, 7)
    shift = shifts[np.flatnonzero(ordered > shifts)[-1]]
    projection = np.maximum(y - shift, 0).reshape(2, 3)
    np.testing.assert_allclose(model.probabilities((0, 1)), projection, atol=2e-3)


def test_repeated_counts_are_weighed_by_their_precision():
    taken = [
        NoisyCounts((0,), np.array([40.0, 60]), 1.0),
        NoisyCounts((0,), np.array([70.0, 30]), 2.0),
    ]
    model = fit_model((2,), taken, 100, n_steps=2000)
    assert model.probabilities((0,))[0] == pytest.approx(
        (40 + 70 / 4) / (1 + 1 / 4) / 100, abs=1e-4
    )


def test_starting_from_a_fit_is_no_worse():
    _, joint = random_model(6)
    rng = np.random.default_rng(2)
    taken = [
        NoisyCounts(c, 500 * marginal(joint, c) + rng.normal(0, 3, [SIZES[i] for i in c]), 3.0)
        for c in EDGES
    ]
    first = fit_model(SIZES, taken[:3], 500)
    warm = fit_model(SIZES, taken, 500, start=first, n_steps=50)
    cold = fit_model(SIZES, taken, 500, n_steps=1000)
    for columns in EDGES:
        np.testing.assert_allclose(
            warm.probabilities(columns), cold.probabilities(columns), atol=0.01
        )
