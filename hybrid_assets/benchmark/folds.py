"""Rows of many replicates, laid out fold by fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class FoldLayout:
    """Where each row of each replicate stands: folds of equal length, the last places empty.

    Attributes
    ----------
    rows : ndarray of int, shape (B, K, m)
        Row of the replicate at each place; 0 at empty places.
    is_row : ndarray of bool, shape (K, m)
        False at empty places: at most one in each fold.
    """

    rows: np.ndarray
    is_row: np.ndarray

    @classmethod
    def draw(cls, strata: np.ndarray, n_folds: int, rng: np.random.Generator) -> Self:
        """Deal each stratum's rows, shuffled, to the folds in turn.

        Parameters
        ----------
        strata : ndarray of int, shape (B, n)
        n_folds : int
        rng : numpy Generator
        """
        order = np.argsort(strata + rng.random(strata.shape), axis=1)
        return cls.from_order(order, n_folds)

    @classmethod
    def from_order(cls, order: np.ndarray, n_folds: int) -> Self:
        """Deal rows, in the given order of shape (B, n), to the folds in turn."""
        n_replicates, n_rows = order.shape
        n_places = -(-n_rows // n_folds)
        dealt = np.zeros((n_replicates, n_places * n_folds), dtype=np.int64)
        dealt[:, :n_rows] = order
        is_row = (np.arange(n_places * n_folds) < n_rows).reshape(n_places, n_folds).T
        rows = dealt.reshape(n_replicates, n_places, n_folds).swapaxes(1, 2)
        return cls(np.ascontiguousarray(rows), np.ascontiguousarray(is_row))

    def place(self, values: np.ndarray) -> np.ndarray:
        """Arrange values (B, n) or (B, n, p) as (B, K, m) or (B, K, m, p)."""
        replicates = np.arange(len(values))[:, None, None]
        return np.asarray(values[replicates, self.rows])

    def take_rows(self, placed: np.ndarray) -> np.ndarray:
        """Flatten (..., K, m) to (..., n), fold by fold, without the empty places."""
        return np.asarray(placed[..., self.is_row])

    def part(self, chosen: slice | np.ndarray) -> FoldLayout:
        """Keep some of the replicates."""
        return FoldLayout(self.rows[chosen], self.is_row)

    @property
    def fold_ids(self) -> np.ndarray:
        """Fold of each row, shape (B, n)."""
        n_rows = int(self.is_row.sum())
        found = np.empty((len(self.rows), n_rows), dtype=np.int64)
        folds = np.nonzero(self.is_row)[0]
        np.put_along_axis(found, self.take_rows(self.rows), np.broadcast_to(folds, found.shape), 1)
        return found
