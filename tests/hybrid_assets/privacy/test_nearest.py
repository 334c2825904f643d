from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from hybrid_assets.errors import EvaluationError
from hybrid_assets.privacy import distinct, nearest
from hybrid_assets.privacy.distinct import copy_of, distinct_points, row_groups
from hybrid_assets.privacy.nearest import (
    NearestPairs,
    nearest_distances,
    nearest_pairs,
    prefers_tree,
)
from hybrid_assets.privacy.tiles import certified_pairs


def plain_pairs(points, references):
    """Every difference in float64, then the least, then all within a relative 1e-9 of it."""
    distances = cdist(points, references)
    least = distances.min(axis=1, keepdims=True)
    rows, owners = np.nonzero(distances <= least * (1 + 1e-9))
    return least[:, 0], set(zip(rows.tolist(), owners.tolist(), strict=True))


def assert_same(points, references):
    references, _ = distinct_points(references)
    found = nearest_pairs(points, references)
    least, pairs = plain_pairs(points, references)
    np.testing.assert_allclose(found.distances, least, rtol=1e-12)
    assert set(zip(found.rows.tolist(), found.owners.tolist(), strict=True)) == pairs
    assert (np.diff(found.rows) >= 0).all()
    np.testing.assert_array_equal(nearest_distances(points, references), found.distances)


@st.composite
def two_tables(draw):
    """Mixed columns: numbers, few-valued numbers, levels, constants, offsets, outliers, copies."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, m = draw(st.integers(1, 40)), draw(st.integers(1, 60))
    both = []
    for _ in range(draw(st.integers(1, 18))):
        kind = draw(st.sampled_from(["number", "grid", "binary", "constant", "offset", "outlier"]))
        column = {
            "number": lambda: rng.normal(size=n + m),
            "grid": lambda: rng.integers(0, 4, n + m) / 4.0,
            "binary": lambda: rng.integers(0, 2, n + m).astype(float),
            "constant": lambda: np.full(n + m, 3.25),
            "offset": lambda: 2.0**20 + rng.integers(0, 64, n + m) / 16,
            "outlier": lambda: np.where(rng.random(n + m) < 0.1, 1e6, rng.normal(size=n + m)),
        }[kind]()
        both.append(column)
    table = np.column_stack(both)
    points, references = table[:n], table[n:]
    copied = rng.random(n) < 0.2
    points[copied] = references[rng.integers(0, m, copied.sum())]
    return points, references


@settings(max_examples=150, deadline=None)
@given(two_tables())
def test_equals_brute_force_whatever_the_columns(tables):
    assert_same(*tables)


@pytest.mark.parametrize("width", [3, 16], ids=["tree", "tiles"])
@pytest.mark.parametrize("n", [700, 5000])
def test_equals_brute_force_over_several_tiles(width, n):
    rng = np.random.default_rng(n + width)
    points, references = rng.normal(size=(n, width)), rng.normal(size=(1300, width))
    points[:50] = references[100:150]
    points[50:100] = points[:50]
    assert prefers_tree(references) == (width == 3)
    assert_same(points, references)


@pytest.mark.parametrize("width", [9, 16])
def test_columns_with_a_large_offset_are_exact(width):
    """|x|² + |y|² − 2 x·y in float64 is wrong from the eighth digit on here, in float32 useless."""
    rng = np.random.default_rng(1)
    points, references = (1e6 + rng.normal(size=(n, width)) for n in (300, 900))
    points[:100] = references[:100]
    squares = (points**2).sum(axis=1)[:, None] + (references**2).sum(axis=1)
    expanded = squares - 2 * points @ references.T
    assert (expanded[np.arange(100), np.arange(100)] != 0).mean() > 0.2
    assert_same(points, references)
    assert (nearest_distances(points, references)[:100] == 0.0).all()


@pytest.mark.parametrize("width", [6, 20], ids=["tree", "tiles"])
def test_all_categorical_tables_have_many_ties(width):
    rng = np.random.default_rng(2)
    points, references = (rng.integers(0, 2, (n, width)).astype(float) for n in (400, 30))
    assert_same(points, references)


def test_every_tie_is_found_however_many():
    angles = np.arange(32) * np.pi / 16
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    found = nearest_pairs(np.zeros((1, 2)), circle)
    assert found.owners.tolist() == list(range(32))
    assert found.distances == pytest.approx([1.0], rel=1e-15)


def test_constant_tables():
    ones, twos = np.ones((5, 14)), np.full((1, 14), 2.0)
    np.testing.assert_array_equal(nearest_distances(ones, ones), np.zeros(5))
    np.testing.assert_array_equal(nearest_distances(ones, twos), np.full(5, 14**0.5))


def test_candidates_are_few_and_never_miss_the_nearest():
    rng = np.random.default_rng(3)
    points, references = rng.normal(size=(2000, 30)), rng.normal(size=(3000, 30))
    references[:5] *= 1e5  # outliers must not loosen the bounds of all others
    rows, candidates = certified_pairs(points, references)
    nearest = cdist(points, references).argmin(axis=1)
    assert {*enumerate(nearest.tolist())} <= {*zip(rows.tolist(), candidates.tolist(), strict=True)}
    assert len(rows) < 1.05 * len(points)


def test_infinite_and_missing_coordinates_are_refused_first():
    good, bad = np.zeros((3, 2)), np.array([[0.0, np.nan], [np.inf, 0.0], [0.0, 0.0]])
    for tables in ((bad, good), (good, bad)):
        with pytest.raises(EvaluationError, match="2 of 3 points have a coordinate"):
            nearest_distances(*tables)
        with pytest.raises(EvaluationError, match="finite numbers; 2 of 3"):
            nearest_pairs(*tables)


def test_rows_are_grouped_in_order_of_appearance():
    points = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [0.0, -0.0], [-0.0, 0.0]])
    first, group_of = row_groups(points)
    assert (first.tolist(), group_of.tolist()) == ([0, 1, 3], [0, 1, 0, 2, 2])
    assert copy_of(points[::-1], points[1:3]).tolist() == [-1, -1, 1, 0, 1]


def test_rows_with_the_same_hash_stay_apart(monkeypatch):
    monkeypatch.setattr(distinct, "HASH_FACTOR", np.uint64(0))
    points = np.array([[1.0], [2.0], [1.0]])
    first, group_of = row_groups(points)
    assert (first.tolist(), group_of.tolist()) == ([0, 1], [0, 1, 0])


def test_pairs_of_copies_only():
    found = nearest_pairs(np.ones((2, 1)), np.array([[0.0], [1.0]]))
    assert isinstance(found, NearestPairs)
    assert (found.rows.tolist(), found.owners.tolist()) == ([0, 1], [1, 1])


@pytest.mark.parametrize("n_columns", [3, 14])
def test_blocks_of_workers_give_the_same_bytes(n_columns, monkeypatch):
    """Copies and ties included; 3 columns are searched by tree, 14 by products."""
    rng = np.random.default_rng(8)
    references = np.unique(rng.integers(0, 5, (400, n_columns)) / 2.0, axis=0)
    points = rng.integers(0, 11, (1000, n_columns)) / 4.0
    one = nearest_pairs(points, references)
    monkeypatch.setattr(nearest, "POINTS_HANDED_OUT", 300)
    with ThreadPoolExecutor(2) as workers:
        two = nearest_pairs(points, references, workers)
        distances = nearest_distances(points, references, workers)
    assert prefers_tree(references) is (n_columns == 3)
    assert len(one.rows) > len(points)  # ties
    for name in ("distances", "rows", "owners"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert distances.tobytes() == one.distances.tobytes()
