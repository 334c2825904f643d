"""Nearest references by matrix products in float32, certified and rescored in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TILE_REFERENCES, TILE_POINTS, SLAB_POINTS = 512, 512, 4096  # a tile of 1 MB stays in the cache
UNPACKED = 1_000_000  # OpenBLAS multiplies without packing below so many products
FLOAT32_UNIT = 2.0**-24
UNDERFLOW = 1e-35  # more than p products of numbers below 1 can lose in float32


@dataclass(frozen=True)
class _Tiled:
    """References in tiles of similar norm, ready for products.

    Attributes
    ----------
    factors : ndarray of float32, shape (m, p + 1)
        Centred and scaled coordinates, and the squared norm less its error.
    order : ndarray of int64, shape (m,)
        Which reference each row of `factors` is.
    largest : ndarray of float64, shape (n_tiles,)
        Largest squared norm of each tile.
    gamma : float
        Error bound: see `certified_pairs`.
    """

    factors: np.ndarray
    order: np.ndarray
    largest: np.ndarray
    gamma: float

    def tile(self, number: int) -> np.ndarray:
        """Give the factors of one tile."""
        return self.factors[number * TILE_REFERENCES : (number + 1) * TILE_REFERENCES]


def certified_pairs(points: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair each point with the few references that can be its nearest; no nearest is missed.

    With x, y centred and within the unit ball, t = |y|²(1 − 2γ) − 2 x·y in
    float32 is off by at most γ(|x|² + 2|y|²) for γ = (p + 12) 2⁻²⁴, whatever
    the order of summation (Higham 2002, *Accuracy and Stability of Numerical
    Algorithms*, section 3.1). So |x|²(1 − γ) + t never exceeds the squared
    distance, and |x|²(1 + γ) + t + 4γ|y|² is never below it. Every reference
    whose lower bound is below the least upper bound is a candidate. The bound
    has room for ties up to a relative 2⁻²⁴.

    Parameters
    ----------
    points, references : ndarray of float64, shape (n, p) and (m, p)
        Finite; n and m at least 1.

    Returns
    -------
    rows, candidates : ndarray of int64, shape (n_pairs,)
        Positions in `points`, in increasing order, and in `references`.
    """
    from threadpoolctl import threadpool_limits

    centre = np.median(references, axis=0)  # an outlier must not move it
    x, y = points - centre, references - centre
    reach = np.sqrt(max(_squares(x).max(), _squares(y).max())) or 1.0
    tiled = _tiled(y / reach)
    rows, candidates = [], []
    with threadpool_limits(1, "blas"):  # tiles are too small to be worth a second thread
        for first in range(0, len(x), SLAB_POINTS):
            row, candidate = _slab_pairs(x[first : first + SLAB_POINTS] / reach, tiled)
            rows.append(first + row)
            candidates.append(candidate)
    return np.concatenate(rows), np.concatenate(candidates)


def _squares(points: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("ij,ij->i", points, points))


def _tiled(y: np.ndarray) -> _Tiled:
    gamma = (y.shape[1] + 12) * FLOAT32_UNIT
    squares = _squares(y)
    order = np.argsort(squares, kind="stable")
    sorted_squares = squares[order]
    factors = np.column_stack([y[order], sorted_squares * (1 - 2 * gamma)]).astype(np.float32)
    last = np.minimum(np.arange(0, len(y), TILE_REFERENCES) + TILE_REFERENCES, len(y)) - 1
    return _Tiled(factors, order, sorted_squares[last], gamma)


def _slab_pairs(x: np.ndarray, tiled: _Tiled) -> tuple[np.ndarray, np.ndarray]:
    factors = point_factors(x)
    least = group_minima(factors, tiled.factors, TILE_REFERENCES)
    upper = (least + 4 * tiled.gamma * tiled.largest[:, None]).min(axis=0)
    limit = upper + 2 * tiled.gamma * _squares(x) + UNDERFLOW
    limit = np.nextafter(limit.astype(np.float32), np.float32(np.inf))
    rows, candidates = [], []
    for number in np.flatnonzero((least <= limit).any(axis=1)).tolist():
        near = np.flatnonzero(least[number] <= limit)
        reference, at = np.nonzero(tiled.tile(number) @ factors[near].T <= limit[near])
        rows.append(near[at])
        candidates.append(tiled.order[number * TILE_REFERENCES + reference])
    row, candidate = np.concatenate(rows), np.concatenate(candidates)
    by_row = np.argsort(row, kind="stable")
    return row[by_row], candidate[by_row]


def point_factors(x: np.ndarray) -> np.ndarray:
    """Give what `group_minima` multiplies with references' factors, float32 of shape (n, p + 1)."""
    return np.column_stack([-2 * x, np.ones(len(x))]).astype(np.float32)


def group_minima(factors: np.ndarray, references: np.ndarray, size: int) -> np.ndarray:
    """Give the least |y|² − 2 x·y of each group of references, for each point x.

    Parameters
    ----------
    factors : ndarray of float32, shape (n, p + 1)
        See `point_factors`.
    references : ndarray of float32, shape (m, p + 1)
        y and |y|² of each.
    size : int
        References in a group, those that follow each other; it divides `TILE_REFERENCES`, and m
        if it is less.

    Returns
    -------
    ndarray of float32, shape (ceil(m / size), n)
    """
    least = np.empty((-(-len(references) // size), len(factors)), dtype=np.float32)
    blocks = [
        (
            slice(first, first + TILE_POINTS),
            np.ascontiguousarray(factors[first : first + TILE_POINTS].T),
        )
        for first in range(0, len(factors), TILE_POINTS)
    ]
    product = np.empty(TILE_REFERENCES * TILE_POINTS, dtype=np.float32)
    n_together = max(UNPACKED // (TILE_POINTS * factors.shape[1]) // 8 * 8, 8)
    for start in range(0, len(references), TILE_REFERENCES):
        tile = references[start : start + TILE_REFERENCES]
        n_groups = -(-len(tile) // size)
        groups = slice(start // size, start // size + n_groups)
        for columns, block in blocks:
            shape = (len(tile), block.shape[1])
            out = product[: shape[0] * shape[1]].reshape(shape)
            for first in range(0, len(tile), n_together):
                part = slice(first, first + n_together)
                np.dot(tile[part], block, out=out[part])
            grouped = out.reshape(n_groups, -1, shape[1])
            np.minimum.reduce(grouped, axis=1, out=least[groups, columns])
    return least
