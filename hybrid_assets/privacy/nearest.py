"""Exact nearest neighbours of points, copies and ties included."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from hybrid_assets.errors import EvaluationError
from hybrid_assets.privacy.distinct import copy_of, distinct_points
from hybrid_assets.privacy.tiles import certified_pairs

MAX_TREE_DIMENSIONS, MAX_TREE_NUMBERS = 12, 8
TIE_TOLERANCE = 1e-9  # relative: the same difference, rounded at two places
ROWS_TOGETHER, MAX_CACHED_REFERENCES = 8192, 16_384
CELLS_TOGETHER = 4_000_000  # 32 MB of float64
POINTS_HANDED_OUT = 50_000  # a second's work, which a worker's share of the references costs once


@dataclass(frozen=True)
class NearestPairs:
    """Each point with every reference that is closest to it.

    Attributes
    ----------
    distances : ndarray of float64, shape (n,)
        Exactly 0 for a verbatim copy, which is found by hash.
    rows, owners : ndarray of int64, shape (n_pairs,)
        Positions in the points (each at least once, in increasing order) and
        in the references. Distances within a relative 1e-9 are tied.
    """

    distances: np.ndarray
    rows: np.ndarray
    owners: np.ndarray


def nearest_distances(
    points: np.ndarray, references: np.ndarray, workers: Executor | None = None
) -> np.ndarray:
    """Give each point's distance to the closest reference.

    Parameters
    ----------
    points : ndarray of float64, shape (n, p)
    references : ndarray of float64, shape (m, p)
        At least one.
    workers : Executor, optional
        Searches blocks of many points; this process if None. The result is the same.

    Returns
    -------
    ndarray of float64, shape (n,)
        Exactly 0 for a verbatim copy, which is found by hash.

    Raises
    ------
    EvaluationError
        If a coordinate is missing or infinite.
    """
    require_finite(points, references)
    distinct, row_of = distinct_points(points)
    targets, _ = distinct_points(references)
    return np.asarray(_in_blocks(distinct, targets, 1, workers).distances[row_of])


def nearest_pairs(
    points: np.ndarray, references: np.ndarray, workers: Executor | None = None
) -> NearestPairs:
    """Pair each point with every reference that is closest to it.

    Parameters
    ----------
    points : ndarray of float64, shape (n, p)
    references : ndarray of float64, shape (m, p)
        Distinct.
    workers : Executor, optional
        Searches blocks of many points; this process if None. The result is the same.

    Raises
    ------
    EvaluationError
        If a coordinate is missing or infinite.
    """
    require_finite(points, references)
    return _in_blocks(points, references, 2, workers)


class NeighbourSearch:
    """The closest references of points, as many as asked for.

    Parameters
    ----------
    references : ndarray of float64, shape (m, p)
        At least one.
    """

    def __init__(self, references: np.ndarray) -> None:
        from scipy.spatial import KDTree

        self._references = references
        self._tree = KDTree(references) if references.shape[1] <= MAX_TREE_DIMENSIONS else None

    def nearest(self, points: np.ndarray, n_neighbours: int) -> tuple[np.ndarray, np.ndarray]:
        """Give distances, ascending, and positions of the closest references.

        Parameters
        ----------
        points : ndarray of float64, shape (n, p)
        n_neighbours : int
            From 1 to m.

        Returns
        -------
        distances : ndarray of float64, shape (n, n_neighbours)
        owners : ndarray of int64, shape (n, n_neighbours)
        """
        if self._tree is not None:
            found = self._tree.query(points, k=list(range(1, n_neighbours + 1)))
            return np.asarray(found[0]), np.asarray(found[1], dtype=np.int64)
        squares, owners = [], []
        for _, tile in _tiles(points, self._references):
            order = np.argsort(tile, axis=1, kind="stable")[:, :n_neighbours]
            squares.append(np.take_along_axis(tile, order, axis=1))
            owners.append(order)
        return np.sqrt(np.concatenate(squares)), np.concatenate(owners)


def require_finite(*tables: np.ndarray) -> None:
    """Refuse coordinates that are missing or infinite, before any search.

    Raises
    ------
    EvaluationError
    """
    for points in tables:
        n_bad = int((~np.isfinite(points)).any(axis=1).sum())
        if n_bad:
            raise EvaluationError(
                f"distances need finite numbers; {n_bad} of {len(points)} points have a "
                "coordinate that is missing or infinite"
            )


def prefers_tree(references: np.ndarray) -> bool:
    """Whether a tree beats matrix products: few coordinates, and few that are not 0/1-like."""
    if references.shape[1] > MAX_TREE_DIMENSIONS:
        return False
    low, high = references.min(axis=0), references.max(axis=0)
    has_two_values = ((references == low) | (references == high)).all(axis=0)
    return int((~has_two_values).sum()) <= MAX_TREE_NUMBERS


def _in_blocks(
    points: np.ndarray, references: np.ndarray, n_sought: int, workers: Executor | None
) -> NearestPairs:
    if workers is None or len(points) <= POINTS_HANDED_OUT:
        return _nearest(points, references, n_sought)
    starts = range(0, len(points), POINTS_HANDED_OUT)
    search = partial(_nearest, references=references, n_sought=n_sought)
    blocks = (points[first : first + POINTS_HANDED_OUT] for first in starts)
    found = list(workers.map(search, blocks))
    return NearestPairs(
        np.concatenate([block.distances for block in found]),
        np.concatenate([first + block.rows for first, block in zip(starts, found, strict=True)]),
        np.concatenate([block.owners for block in found]),
    )


def _nearest(points: np.ndarray, references: np.ndarray, n_sought: int) -> NearestPairs:
    copied = copy_of(points, references)
    apart, equal = np.flatnonzero(copied < 0), np.flatnonzero(copied >= 0)
    distances = np.zeros(len(points))
    if not apart.size:
        return NearestPairs(distances, equal, copied)
    if prefers_tree(references):
        rows, owners = _pairs_by_tree(points[apart], references, n_sought)
    else:
        rows, owners = certified_pairs(points[apart], references)
    rows = apart[rows]
    squares = _squared_distances(points, references, rows, owners)
    starts = np.searchsorted(rows, apart)
    least = np.minimum.reduceat(squares, starts)
    distances[apart] = np.sqrt(least)
    limit = np.repeat(least * (1 + TIE_TOLERANCE) ** 2, np.diff(starts, append=len(rows)))
    kept = squares <= limit
    rows, owners = np.append(rows[kept], equal), np.append(owners[kept], copied[equal])
    order = np.lexsort((owners, rows))
    return NearestPairs(distances, rows[order], owners[order])


def _squared_distances(
    points: np.ndarray, references: np.ndarray, rows: np.ndarray, owners: np.ndarray
) -> np.ndarray:
    """Differences first, then squares: the expanded norm formula loses small distances."""
    squares = np.empty(len(rows))
    n_together = max(CELLS_TOGETHER // points.shape[1], 1)
    for first in range(0, len(rows), n_together):
        part = slice(first, first + n_together)
        difference = points[rows[part]] - references[owners[part]]
        squares[part] = np.einsum("ij,ij->i", difference, difference)
    return squares


def _pairs_by_tree(
    points: np.ndarray, references: np.ndarray, n_sought: int
) -> tuple[np.ndarray, np.ndarray]:
    """Search in the order of the points' own tree: neighbours in a row share the cache."""
    from scipy.spatial import KDTree

    tree = KDTree(references, leafsize=32)
    is_cached = len(references) <= MAX_CACHED_REFERENCES
    order = np.arange(len(points)) if is_cached else KDTree(points, leafsize=32).indices
    rows, owners = [], []
    for first in range(0, len(points), ROWS_TOGETHER):
        pending, k = order[first : first + ROWS_TOGETHER], n_sought
        while pending.size:
            found = tree.query(points[pending], k=np.arange(1, k + 1))
            near, owner = np.asarray(found[0]), np.asarray(found[1])
            # a tie as far as the last neighbour may go on beyond it; absent ones are infinitely far
            tied = near <= near[:, :1] * (1 + TIE_TOLERANCE)
            complete = ~tied[:, -1] | (k == 1)
            row, rank = np.nonzero(tied & complete[:, None])
            rows.append(pending[row])
            owners.append(owner[row, rank])
            pending, k = pending[~complete], 4 * k
    row, owner = np.concatenate(rows), np.concatenate(owners).astype(np.int64)
    by_row = np.argsort(row, kind="stable")
    return row[by_row], owner[by_row]


def _tiles(points: np.ndarray, references: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Give squared distances block by block: first row, and shape (block, m)."""
    from scipy.spatial.distance import cdist

    n_together = max(CELLS_TOGETHER // len(references), 1)
    for first in range(0, len(points), n_together):
        # differences first, then squares: the expanded norm formula loses small distances
        yield first, cdist(points[first : first + n_together], references, "sqeuclidean")
