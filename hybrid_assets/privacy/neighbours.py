"""The nearest synthetic rows of each person, for attackers: quick rather than certified.

Beyond a dozen coordinates distances are compared in float32 first, so that two neighbours about
equally near may change places, and one at a radius may be within it or not.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

import numpy as np

from hybrid_assets.handing_out import ThisProcess
from hybrid_assets.privacy.nearest import POINTS_HANDED_OUT, prefers_tree, require_finite
from hybrid_assets.privacy.tiles import TILE_REFERENCES, group_minima, point_factors

POINTS_TOGETHER = 512
CELLS_TOGETHER = 1_000_000  # 8 MB of float64
FAR = 1e38  # squared; an infinite factor would make NaN of a product

Found = TypeVar("Found")


def k_nearest(
    points: np.ndarray, references: np.ndarray, k: int, workers: Executor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest references of each point.

    Parameters
    ----------
    points, references : ndarray of float64, shape (n, p) and (m, p)
        At least one point.
    k : int
        At most m.
    workers : Executor, optional
        Searches blocks of many points; this process if None. The result is the same.

    Returns
    -------
    distances : ndarray of float64, shape (n, k)
        In increasing order.
    neighbours : ndarray of int64, shape (n, k)
    """
    require_finite(points, references)
    search = _nearest_by_tree if prefers_tree(references) else _nearest_by_products
    found = _in_blocks(partial(search, references=references, k=k), [points], workers)
    distances, neighbours = zip(*found, strict=True)
    return np.concatenate(distances), np.concatenate(neighbours)


def n_within(
    points: np.ndarray,
    references: np.ndarray,
    radii: list[np.ndarray],
    workers: Executor | None = None,
) -> list[np.ndarray]:
    """Count the references within some radii of each point.

    Parameters
    ----------
    points, references, workers
        As for `k_nearest`.
    radii : list of ndarray of float64, shape (n,)

    Returns
    -------
    list of ndarray of int64, shape (n,)
        One for each radius.
    """
    require_finite(points, references)
    count = _count_by_tree if prefers_tree(references) else _count_by_products
    found = _in_blocks(partial(count, references=references), [points, *radii], workers)
    return [np.concatenate(counts) for counts in zip(*found, strict=True)]


def _in_blocks(
    work: Callable[..., Found], arrays: list[np.ndarray], workers: Executor | None
) -> list[Found]:
    """Hand out `POINTS_HANDED_OUT` rows of the arrays at a time."""
    starts = range(0, len(arrays[0]), POINTS_HANDED_OUT)
    blocks = ([array[first : first + POINTS_HANDED_OUT] for first in starts] for array in arrays)
    place = workers if workers is not None and len(starts) > 1 else ThisProcess()
    return list(place.map(work, *blocks))


def _nearest_by_tree(
    points: np.ndarray, references: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import KDTree

    found = KDTree(references).query(points, k=np.arange(1, k + 1))
    return np.asarray(found[0]), np.asarray(found[1], dtype=np.int64)


def _count_by_tree(
    points: np.ndarray, *radii: np.ndarray, references: np.ndarray
) -> list[np.ndarray]:
    from scipy.spatial import KDTree

    tree = KDTree(references)
    return [
        np.asarray(tree.query_ball_point(points, radius, return_length=True)) for radius in radii
    ]


def _nearest_by_products(
    points: np.ndarray, references: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rank groups of references by their least distance: the k nearest lie in the k first."""
    size = _group_size(len(references), k)
    centre = np.median(references, axis=0)
    targets = _padded_factors(references - centre, size)
    distances = np.empty((len(points), k))
    neighbours = np.empty((len(points), k), dtype=np.int64)
    n_together = max(CELLS_TOGETHER // (k * size * points.shape[1]), 1)
    for first in range(0, len(points), POINTS_TOGETHER):
        slab = points[first : first + POINTS_TOGETHER]
        least = group_minima(point_factors(slab - centre), targets, size)
        groups = np.argpartition(least.T, k - 1, axis=1)[:, :k]
        for inner in range(0, len(slab), n_together):
            part = slice(inner, inner + n_together)
            rows = slice(first + inner, first + min(inner + n_together, len(slab)))
            distances[rows], neighbours[rows] = _nearest_of_groups(
                slab[part], references, groups[part], size
            )
    return distances, neighbours


def _group_size(n_references: int, k: int) -> int:
    """Give a power of two near √(m/k), where minima and entries of k groups are about as many."""
    return int(2 ** min(np.log2(n_references / k) // 2, np.log2(TILE_REFERENCES)))


def _padded_factors(references: np.ndarray, size: int) -> np.ndarray:
    """Give the factors of references for `group_minima`, filled up with some far from all."""
    n_absent = -len(references) % size
    squares = np.einsum("ij,ij->i", references, references)
    factors = np.column_stack([references, squares]).astype(np.float32)
    absent = np.zeros((n_absent, factors.shape[1]), dtype=np.float32)
    absent[:, -1] = FAR
    return np.concatenate([factors, absent])


def _nearest_of_groups(
    points: np.ndarray, references: np.ndarray, groups: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    k = groups.shape[1]
    entries = (groups[:, :, None] * size + np.arange(size)).reshape(len(points), -1)
    is_absent = entries >= len(references)
    difference = points[:, None, :] - references[np.where(is_absent, 0, entries)]
    squares = np.einsum("ijk,ijk->ij", difference, difference)
    squares[is_absent] = np.inf
    chosen = np.argpartition(squares, k - 1, axis=1)[:, :k]
    near = np.take_along_axis(squares, chosen, axis=1)
    order = np.argsort(near, axis=1, kind="stable")
    owners = np.take_along_axis(entries, np.take_along_axis(chosen, order, 1), 1)
    return np.sqrt(np.take_along_axis(near, order, axis=1)), owners


def _count_by_products(
    points: np.ndarray, *radii: np.ndarray, references: np.ndarray
) -> list[np.ndarray]:
    """Count in the tiles that hold a reference within the largest radius, and pass by others."""
    centre = np.median(references, axis=0)
    targets = _padded_factors(references - centre, TILE_REFERENCES)
    counts = np.zeros((len(radii), len(points)), dtype=np.int64)
    for first in range(0, len(points), POINTS_TOGETHER):
        slab = slice(first, first + POINTS_TOGETHER)
        at = points[slab] - centre
        factors = point_factors(at)
        own = np.einsum("ij,ij->i", at, at)
        limits = np.array([radius[slab] ** 2 - own for radius in radii], dtype=np.float32)
        least = group_minima(factors, targets, TILE_REFERENCES)
        for number in np.flatnonzero((least <= limits.max(axis=0)).any(axis=1)).tolist():
            near = np.flatnonzero(least[number] <= limits.max(axis=0))
            tile = targets[number * TILE_REFERENCES : (number + 1) * TILE_REFERENCES]
            products = tile @ factors[near].T
            for count, limit in zip(counts, limits, strict=True):
                count[first + near] += (products <= limit[near]).sum(axis=0)
    return list(counts)
