"""How many of the rows that begin alike go on with each move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Split = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


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
        total = np.add.reduceat(valid, begin)
        return _counts(self.rng, counts, valid, begin, np.maximum(total, 1.0))


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
        n_moves = np.diff(begin, append=len(valid))
        total = np.add.reduceat(valid, begin)
        is_lost = total <= 0  # less than the smallest float: any of the moves
        if is_lost.any():
            valid = np.where(np.repeat(is_lost, n_moves), 1.0, valid)
            total = np.add.reduceat(valid, begin)
        return _counts(self.rng, counts, valid, begin, total)


def _counts(
    rng: np.random.Generator,
    counts: np.ndarray,
    valid: np.ndarray,
    begin: np.ndarray,
    total: np.ndarray,
) -> np.ndarray:
    """Let each row choose by a uniform number up to `total`; beyond the moves it is gone."""
    reached = np.concatenate([[0.0], np.cumsum(valid)])
    end = np.append(begin[1:], len(valid))
    row = np.repeat(np.arange(len(counts)), counts)
    aim = reached[begin][row] + rng.random(len(row)) * total[row]
    row, aim = row[aim < reached[end][row]], aim[aim < reached[end][row]]
    return np.bincount(np.searchsorted(reached, aim, side="right") - 1, minlength=len(valid))
