"""How many of the rows that begin alike go on with each move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Split = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
MANY = 64  # rows a move, from which one draw of their counts is quicker than a draw for each row


@dataclass(frozen=True)
class ThinnedCounts:
    """Draws from the whole vocabulary; what falls on invalid tokens is gone.

    Attributes
    ----------
    rng : Generator
        Source of all draws.
    """

    rng: np.random.Generator

    def __call__(self, counts: np.ndarray, valid: np.ndarray, begin: np.ndarray) -> np.ndarray:
        """Draw.

        Parameters
        ----------
        counts : ndarray of int, shape (n,)
            Rows with each beginning.
        valid : ndarray of shape (n_moves,)
            Probabilities of the moves of one beginning after the other.
        begin : ndarray of int, shape (n,)
            Where those of each begin.

        Returns
        -------
        ndarray of int, shape (n_moves,)
        """
        total = np.maximum(np.add.reduceat(valid, begin), 1.0)  # rounding may exceed 1
        return _counts(self.rng, counts, valid / _each(total, valid, begin), begin)


@dataclass(frozen=True)
class MaskedCounts:
    """Draws from valid tokens alone.

    Attributes
    ----------
    rng : Generator
        Source of all draws.
    """

    rng: np.random.Generator

    def __call__(self, counts: np.ndarray, valid: np.ndarray, begin: np.ndarray) -> np.ndarray:
        """Draw; see `ThinnedCounts`."""
        total = np.add.reduceat(valid, begin)
        is_lost = _each(total <= 0, valid, begin)  # less than the smallest float: any of the moves
        valid = np.where(is_lost, 1.0, valid)
        total = np.add.reduceat(valid, begin)
        return _counts(self.rng, counts, valid / _each(total, valid, begin), begin, is_sure=True)


def _each(values: np.ndarray, valid: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Repeat values of beginnings, shape (n,), for each of their moves."""
    return np.repeat(values, np.diff(begin, append=len(valid)))


def _counts(
    rng: np.random.Generator,
    counts: np.ndarray,
    shares: np.ndarray,
    begin: np.ndarray,
    *,
    is_sure: bool = False,
) -> np.ndarray:
    """Draw how many rows make each move; those that make none are gone, unless it is sure."""
    end = np.append(begin[1:], len(shares))
    is_many = counts > MANY * (end - begin)
    reached = np.concatenate([[0.0], np.cumsum(shares)])
    row = np.repeat(np.arange(len(counts)), np.where(is_many, 0, counts))
    aim, limit = reached[begin][row] + rng.random(len(row)), reached[end][row]
    aim = np.minimum(aim, np.nextafter(limit, 0.0)) if is_sure else aim[aim < limit]
    move = np.searchsorted(reached, aim, side="right") - 1
    drawn = np.bincount(move, minlength=len(shares))
    for prefix in np.flatnonzero(is_many):
        moves = slice(begin[prefix], end[prefix])
        rest = 0.0 if is_sure else max(0.0, 1.0 - shares[moves].sum())
        drawn[moves] = rng.multinomial(counts[prefix], np.append(rest, shares[moves]))[1:]
    return drawn
