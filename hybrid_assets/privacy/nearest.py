"""Exact nearest neighbours of points, copies and ties included."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hybrid_assets.privacy.records import exact_keys

MAX_TREE_DIMENSIONS = 12
TILE_CELLS = 4_000_000  # 32 MB of float64
TIE_TOLERANCE = 1e-9  # relative: the same difference, rounded at two places


def nearest_distances(points: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Give each point's distance to the closest reference.

    Parameters
    ----------
    points : ndarray of float64, shape (n, p)
    references : ndarray of float64, shape (m, p)
        At least one.

    Returns
    -------
    ndarray of float64, shape (n,)
        Exactly 0 for a verbatim copy, which is found by hash.
    """
    distinct, row_of = distinct_points(points)
    targets, _ = distinct_points(references)
    is_copy = exact_keys(distinct).isin(exact_keys(targets))
    distances = np.zeros(len(distinct))
    if not is_copy.all():
        distances[~is_copy] = _searched(distinct[~is_copy], targets)
    return np.asarray(distances[row_of])


def distinct_points(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep one of equal points.

    Returns
    -------
    distinct : ndarray of float64, shape (k, p)
        In order of first appearance.
    row_of : ndarray of int64, shape (n,)
        ``distinct[row_of]`` are the points again.
    """
    keys = exact_keys(points)
    row_of, _ = keys.factorize()
    return points[~keys.duplicated()], row_of.astype(np.int64)


def nearest_pairs(points: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair each point with every reference that is closest to it.

    Parameters
    ----------
    points : ndarray of float64, shape (n, p)
    references : ndarray of float64, shape (m, p)
        Distinct.

    Returns
    -------
    rows, owners : ndarray of int64, shape (n_pairs,)
        Positions in `points` (each at least once) and in `references`.
    """
    if points.shape[1] <= MAX_TREE_DIMENSIONS:
        return _pairs_by_tree(points, references)
    return _pairs_by_tile(points, references)


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


def _searched(points: np.ndarray, references: np.ndarray) -> np.ndarray:
    from scipy.spatial import KDTree

    if points.shape[1] <= MAX_TREE_DIMENSIONS:
        return np.asarray(KDTree(references).query(points)[0], dtype=np.float64)
    squares = np.concatenate([tile.min(axis=1) for _, tile in _tiles(points, references)])
    return np.asarray(np.sqrt(squares), dtype=np.float64)


def _pairs_by_tree(points: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import KDTree

    tree = KDTree(references)
    distances, owners = (np.asarray(found) for found in tree.query(points, k=2))
    radius = distances[:, 0] * (1 + TIE_TOLERANCE)
    # with a single reference the second distance is infinite: no tie
    is_tied = distances[:, 1] <= radius
    rows = np.flatnonzero(~is_tied)
    tied_rows = np.flatnonzero(is_tied)
    if not tied_rows.size:
        return rows, owners[rows, 0].astype(np.int64)
    tied = tree.query_ball_point(points[tied_rows], radius[tied_rows])
    n_tied = [len(group) for group in tied]
    return (
        np.concatenate([rows, np.repeat(tied_rows, n_tied)]),
        np.concatenate([owners[rows, 0], *map(np.asarray, tied)]).astype(np.int64),
    )


def _pairs_by_tile(points: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, owners = [], []
    for first, tile in _tiles(points, references):
        limit = tile.min(axis=1, keepdims=True) * (1 + TIE_TOLERANCE) ** 2
        row, owner = np.nonzero(tile <= limit)
        rows.append(first + row)
        owners.append(owner)
    return np.concatenate(rows), np.concatenate(owners)


def _tiles(points: np.ndarray, references: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Give squared distances block by block: first row, and shape (block, m)."""
    from scipy.spatial.distance import cdist

    n_together = max(TILE_CELLS // len(references), 1)
    for first in range(0, len(points), n_together):
        # differences first, then squares: the expanded norm formula loses small distances
        yield first, cdist(points[first : first + n_together], references, "sqeuclidean")
