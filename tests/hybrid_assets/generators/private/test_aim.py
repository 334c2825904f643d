from itertools import combinations
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.generators.private.aim import (
    PeopleCounts,
    _chosen,
    aim,
    weighted_workload,
)
from hybrid_assets.generators.private.graphical_model import GraphicalModel
from hybrid_assets.generators.private.mechanisms import (
    ABSOLUTE_CHANGE,
    COUNTS_CHANGE,
    score_change,
)

SIZES = (2, 3, 4, 2)


def people_of(seed, n_rows=60):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, n_rows)
    second = np.minimum(first + rng.integers(0, 2, n_rows), 2)
    third = (second + rng.integers(0, 2, n_rows)) % 4
    return PeopleCounts(np.stack([first, second, third, (third > 1).astype(int)], axis=1), SIZES)


def with_one_row_replaced(people, row, values):
    rows = people.rows.copy()
    rows[row] = values
    return PeopleCounts(rows, people.sizes)


NEIGHBOURS = st.tuples(
    st.integers(0, 500),
    st.integers(0, 59),
    st.tuples(*(st.integers(0, size - 1) for size in SIZES)),
)


@given(NEIGHBOURS)
@settings(deadline=None)
def test_replacing_a_row_moves_counts_and_scores_by_what_is_accounted(neighbours):
    seed, row, values = neighbours
    people, weights = people_of(seed), weighted_workload(4)
    other = with_one_row_replaced(people, row, values)
    rng = np.random.default_rng(seed)
    model = GraphicalModel(
        SIZES, {(0, 2): rng.normal(size=(2, 4)), (1, 3): rng.normal(size=(3, 2))}
    )
    for columns in weights:
        a, b = people.of(columns), other.of(columns)
        assert np.linalg.norm((a - b).ravel()) <= COUNTS_CHANGE + 1e-12
        assert np.abs(a - b).sum() <= ABSOLUTE_CHANGE
    asked = [asked_of(each, weights, model) for each in (people, other)]
    assert asked[0].rho == asked[1].rho == pytest.approx(0.1 * 0.02)
    assert asked[0].largest_weight == asked[1].largest_weight == 9
    moved = np.abs(asked[0].scores - asked[1].scores)
    assert moved.max() <= score_change(asked[0].largest_weight)


class Asked(NamedTuple):
    scores: np.ndarray
    rho: float
    largest_weight: float


def asked_of(people, weights, model):
    """What the exponential mechanism is really given in a round."""
    heard = []

    class Listener:
        def best(self, *question):
            heard.append(Asked(*question))
            return 0

    _chosen(people, weights, model, 0.02, Listener())
    (asked,) = heard
    return asked


def test_the_accounted_change_is_reached():
    people = people_of(1)
    row = people.rows[0]
    other = with_one_row_replaced(people, 0, (1 - row[0], row[1], row[2], row[3]))
    moved = people.of((0,)) - other.of((0,))
    assert np.linalg.norm(moved) == pytest.approx(COUNTS_CHANGE)
    assert np.abs(moved).sum() == ABSOLUTE_CHANGE


@pytest.mark.parametrize("rho", [0.003, 0.2, 5.0])
def test_never_spends_more_than_the_budget(rho, seeded_noise):
    noise = seeded_noise()
    found = aim(people_of(2), rho, noise, max_cells=200)
    assert sum(noise.spent) == pytest.approx(rho, rel=1e-9)
    assert sum(noise.spent) <= rho * (1 + 1e-9)
    assert found.rho == pytest.approx(rho)
    assert len(noise.spent) == 2 * len(found.measured) - 4  # counts and choices; four came first


def test_with_much_budget_the_law_is_the_peoples(seeded_noise):
    people = people_of(7, n_rows=4000)
    model = aim(people, 200.0, seeded_noise(), max_cells=500).model
    for columns in combinations(range(4), 3):
        truth = people.of(columns) / 4000
        assert np.abs(model.probabilities(columns) - truth).sum() / 2 < 0.01


def test_stays_within_its_cells(seeded_noise):
    noise = seeded_noise()
    found = aim(people_of(8), 5.0, noise, max_cells=20)
    cells = sum(np.prod([SIZES[c] for c in clique]) for clique in found.model.tree.cliques)
    assert cells <= 20


def test_workload_weighs_what_many_sets_share():
    weights = weighted_workload(5)
    assert len(weights) == 5 + 10 + 10
    assert weights[(0,)] == 6  # in six of the ten sets of three
    assert weights[(0, 1)] == 12
    assert weights[(0, 1, 2)] == 18
    assert weighted_workload(1) == {(0,): 1.0}
