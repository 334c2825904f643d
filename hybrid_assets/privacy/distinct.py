"""Equal rows, found by hash and confirmed bit by bit."""

from __future__ import annotations

import numpy as np
import pandas as pd

HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd: Knuth's multiplier
HASH_SHIFT = np.uint64(29)


def row_groups(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give equal rows the same number, in order of first appearance.

    Parameters
    ----------
    points : ndarray of float64, shape (n, p)
        -0.0 equals 0.0.

    Returns
    -------
    first : ndarray of int64, shape (k,)
        Where each distinct row appears first.
    group_of : ndarray of int64, shape (n,)
        ``points[first[group_of]]`` are the points again.
    """
    bits = _bits(points)
    group_of, first = _numbered(_keys(bits))
    if not np.array_equal(bits[first[group_of]], bits):  # two rows, one hash
        words = pd.Series([row.tobytes() for row in bits], dtype=object)
        group_of, first = _numbered(words.to_numpy())
    return first, group_of


def _bits(points: np.ndarray) -> np.ndarray:
    return np.asarray(points + 0.0).view(np.uint64)


def _keys(bits: np.ndarray) -> np.ndarray:
    keys = np.zeros(len(bits), dtype=np.uint64)
    for column in bits.T:
        keys = (keys ^ column) * HASH_FACTOR
        keys ^= keys >> HASH_SHIFT
    return keys


def _numbered(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    group_of, distinct = pd.factorize(keys)
    first = np.full(len(distinct), len(keys), dtype=np.int64)
    np.minimum.at(first, group_of, np.arange(len(keys)))
    return np.asarray(group_of, dtype=np.int64), first


def distinct_points(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep one of equal points.

    Returns
    -------
    distinct : ndarray of float64, shape (k, p)
        In order of first appearance.
    row_of : ndarray of int64, shape (n,)
        ``distinct[row_of]`` are the points again.
    """
    first, row_of = row_groups(points)
    return points[first], row_of


def copy_of(points: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Give the first reference that each point equals in every coordinate, or -1.

    Parameters
    ----------
    points, references : ndarray of float64, shape (n, p) and (m, p)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    first, group_of = row_groups(np.concatenate([references, points]))
    found = first[group_of[len(references) :]]
    return np.where(found < len(references), found, -1)


class RowSet:
    """Points to look for in many tables, hashed once.

    Parameters
    ----------
    points : ndarray of float64, shape (n, p)

    Attributes
    ----------
    n_distinct : int
    group_of : ndarray of int64, shape (n,)
        Number of each point's distinct one.
    """

    def __init__(self, points: np.ndarray) -> None:
        first, self.group_of = row_groups(points)
        self.n_distinct = len(first)
        bits = _bits(points[first])
        keys = _keys(bits)
        self._order = np.argsort(keys, kind="stable")
        self._keys, self._bits = keys[self._order], bits[self._order]

    def found_in(self, table: np.ndarray) -> np.ndarray:
        """Give the distinct points that a table of shape (m, p) holds, once for each row."""
        place = self._places(table)
        return np.asarray(self._order[place[place >= 0]])

    def holds(self, table: np.ndarray) -> np.ndarray:
        """Tell which rows of a table of shape (m, p) are among the points, shape (m,)."""
        return self._places(table) >= 0

    def _places(self, table: np.ndarray) -> np.ndarray:
        bits = _bits(table)
        keys = _keys(bits)
        at = np.searchsorted(self._keys, keys)
        found = np.full(len(bits), -1)
        pending = np.arange(len(bits))
        while pending.size:  # points that share a hash follow each other
            inside = at[pending] < len(self._keys)
            pending = pending[inside]
            pending = pending[self._keys[at[pending]] == keys[pending]]
            is_equal = (self._bits[at[pending]] == bits[pending]).all(axis=1)
            found[pending[is_equal]] = at[pending[is_equal]]
            pending = pending[~is_equal]
            at[pending] += 1
        return found
