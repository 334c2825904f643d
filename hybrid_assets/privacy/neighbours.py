"""The k nearest synthetic rows of each person, for attackers: quick rather than certified."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hybrid_assets.privacy.nearest import prefers_tree, require_finite

BLOCK_CELLS = 2_000_000  # 8 MB of float32
GROUP = 128


def k_nearest(points: np.ndarray, references: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest references of each point.

    Beyond a dozen coordinates neighbours are chosen in float32, so that two
    about equally near may change places; their distances are float64.

    Parameters
    ----------
    points, references : ndarray of float64, shape (n, p) and (m, p)
    k : int
        At most m.

    Returns
    -------
    distances : ndarray of float64, shape (n, k)
        In increasing order.
    neighbours : ndarray of int64, shape (n, k)
    """
    require_finite(points, references)
    if prefers_tree(references):
        from scipy.spatial import KDTree

        found = KDTree(references).query(points, k=np.arange(1, k + 1))
        return np.asarray(found[0]), np.asarray(found[1], dtype=np.int64)
    chosen = [_least(block, k) for _, block in squared_blocks(points, references)]
    neighbours = np.concatenate(chosen)
    n_together = max(BLOCK_CELLS // (k * points.shape[1]), 1)
    distances = np.empty(neighbours.shape)
    for first in range(0, len(points), n_together):
        part = slice(first, first + n_together)
        difference = points[part, None, :] - references[neighbours[part]]
        distances[part] = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(neighbours, order, 1)


def squared_blocks(
    points: np.ndarray, references: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Give squared distances block by block, in float32 and off by its rounding.

    Yields
    ------
    rows : slice
    squares : ndarray of float32, shape (block, m)
    """
    centre = np.median(references, axis=0)
    x, y = (points - centre).astype(np.float32), (references - centre).astype(np.float32)
    squares = np.einsum("ij,ij->i", y, y)
    n_together = max(BLOCK_CELLS // len(y), 1)
    for first in range(0, len(x), n_together):
        rows = slice(first, first + n_together)
        block = (-2 * x[rows]) @ y.T
        block += squares
        block += np.einsum("ij,ij->i", x[rows], x[rows])[:, None]
        yield rows, block


def _least(block: np.ndarray, k: int) -> np.ndarray:
    """Find each row's k least entries: they lie in the k groups with the least minima."""
    n_rows, m = block.shape
    n_groups = -(-m // GROUP)
    if n_groups <= k:
        return np.asarray(np.argpartition(block, k - 1, axis=1)[:, :k])
    padded = np.full((n_rows, n_groups * GROUP), np.inf, dtype=np.float32)
    padded[:, :m] = block
    grouped = padded.reshape(n_rows, n_groups, GROUP)
    groups = np.argpartition(grouped.min(axis=2), k - 1, axis=1)[:, :k]
    entries = np.take_along_axis(grouped, groups[:, :, None], axis=1).reshape(n_rows, -1)
    chosen = np.argpartition(entries, k - 1, axis=1)[:, :k]
    group = np.take_along_axis(groups, chosen // GROUP, axis=1)
    return np.asarray(group * GROUP + chosen % GROUP)
