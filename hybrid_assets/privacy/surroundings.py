"""People and synthetic rows as points, and how far apart people are."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Self

import numpy as np

from hybrid_assets.privacy.neighbours import k_nearest

N_NEIGHBOURS = 5


@dataclass(frozen=True, eq=False, repr=False)
class Surroundings:
    """What attackers by likeness look at.

    Attributes
    ----------
    people, synthetic : ndarray of float64, shape (N, p) and (n_syn, p)
    reach : ndarray of float64, shape (N,)
        Distance to the fifth other person. All people count, members or not,
        so that labels are exchangeable where nothing leaks.
    """

    people: np.ndarray
    synthetic: np.ndarray
    reach: np.ndarray

    @classmethod
    def of(cls, people: np.ndarray, synthetic: np.ndarray, workers: Executor | None = None) -> Self:
        """Measure how far apart people are, in `workers` where they are many."""
        distances, _ = k_nearest(people, people, N_NEIGHBOURS + 1, workers)
        return cls(people, synthetic, distances[:, -1])
