import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_assets.errors import EvaluationError
from hybrid_assets.positivity.matching import match_without_replacement


def closest_pair_first(points, donors):
    """Take the least entry of the whole distance matrix, strike row and column, repeat."""
    distances = np.linalg.norm(points[:, None] - donors[None], axis=2)
    found, gaps = np.empty(len(points), dtype=int), np.empty(len(points))
    for _ in range(len(points)):
        row, donor = np.unravel_index(distances.argmin(), distances.shape)
        found[row], gaps[row] = donor, distances[row, donor]
        distances[row], distances[:, donor] = np.inf, np.inf
    return found, gaps


@pytest.mark.parametrize(("n_points", "n_donors"), [(40, 40), (60, 300), (200, 1500)])
@pytest.mark.parametrize("n_dimensions", [1, 3, 15])
def test_as_by_brute_force(n_points, n_donors, n_dimensions):
    rng = np.random.default_rng(n_points + n_dimensions)
    points = rng.normal(1.0, 0.3, size=(n_points, n_dimensions))  # they compete for few donors
    donors = rng.normal(size=(n_donors, n_dimensions))
    found = match_without_replacement(points, donors)
    expected, gaps = closest_pair_first(points, donors)
    assert found.donors.tolist() == expected.tolist()
    np.testing.assert_allclose(found.distances, gaps, rtol=1e-12)


def test_when_every_donor_near_by_is_used_up():
    """2000 points share a spot that 600 donors are near: the search is renewed on the way."""
    rng = np.random.default_rng(0)
    points = rng.normal(scale=1e-3, size=(700, 2))
    donors = np.concatenate([rng.normal(scale=1e-2, size=(600, 2)), rng.normal(size=(400, 2))])
    found = match_without_replacement(points, donors)
    expected, _ = closest_pair_first(points, donors)
    assert found.donors.tolist() == expected.tolist()


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_count(random):
    rng = np.random.default_rng(random.randrange(2**32))
    points, donors = rng.normal(size=(30, 2)), rng.normal(size=(50, 2))
    rows, columns = rng.permutation(30), rng.permutation(50)
    found = match_without_replacement(points, donors)
    shuffled = match_without_replacement(points[rows], donors[columns])
    assert columns[shuffled.donors].tolist() == found.donors[rows].tolist()


def test_equal_donors_are_each_used_once_and_the_first_goes_to_the_first():
    points = np.array([[0.0], [0.0], [5.0]])
    donors = np.array([[9.0], [0.0], [0.0], [0.0], [4.0]])
    found = match_without_replacement(points, donors)
    assert found.donors.tolist() == [1, 2, 4]
    assert found.distances.tolist() == [0.0, 0.0, 1.0]


def test_grids_with_ties_use_each_donor_once_at_brute_force_distances():
    rng = np.random.default_rng(1)
    points, donors = rng.integers(0, 2, (80, 5)) * 1.0, rng.integers(0, 2, (90, 5)) * 1.0
    found = match_without_replacement(points, donors)
    assert len(set(found.donors)) == 80
    gaps = np.linalg.norm(points - donors[found.donors], axis=1)
    np.testing.assert_allclose(found.distances, gaps)
    assert (found.distances == 0).sum() == (closest_pair_first(points, donors)[1] == 0).sum()


def test_too_few_donors_are_refused():
    with pytest.raises(EvaluationError, match="got 2 donors for 3 points"):
        match_without_replacement(np.zeros((3, 1)), np.zeros((2, 1)))


@pytest.mark.slow
def test_ten_thousand_matches_among_a_million_rows_take_under_a_minute():
    rng = np.random.default_rng(0)
    points, donors = rng.normal(size=(10_000, 8)), rng.normal(size=(1_000_000, 8))
    started = time.process_time()
    found = match_without_replacement(points, donors)
    assert time.process_time() - started < 60
    assert len(set(found.donors)) == 10_000
