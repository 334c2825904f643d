"""Area under the ROC curve with a standard error over people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Auc:
    """An AUC and what each person contributes to its error.

    Attributes
    ----------
    value : float
        In [0, 1].
    influence : ndarray of float64, shape (n,)
        Sums to 0; the standard error is √(Σ influence²).
    """

    value: float
    influence: np.ndarray

    @property
    def standard_error(self) -> float:
        """Standard error of `value`."""
        return float(np.sqrt(np.sum(self.influence**2)))


def auc(scores: np.ndarray, is_positive: np.ndarray) -> Auc:
    """Give the probability that a positive scores above a negative, ties counting half.

    The error is that of DeLong, DeLong and Clarke-Pearson 1988,
    doi:10.2307/2531595: the spread of each group's placements among the other.

    Parameters
    ----------
    scores : ndarray of float, shape (n,)
    is_positive : ndarray of bool, shape (n,)
        At least 2 of each.
    """
    from scipy.stats import rankdata

    n, m = int(is_positive.sum()), int((~is_positive).sum())
    ranks = rankdata(scores)
    placement = np.empty(len(scores))
    placement[is_positive] = (ranks[is_positive] - rankdata(scores[is_positive])) / m
    placement[~is_positive] = 1 - (ranks[~is_positive] - rankdata(scores[~is_positive])) / n
    value = float(placement[is_positive].mean())
    weight = np.where(is_positive, 1 / np.sqrt(n * (n - 1)), 1 / np.sqrt(m * (m - 1)))
    return Auc(value, (placement - value) * weight)


def mean_auc(parts: list[Auc], weights: list[float]) -> Auc:
    """Average AUCs of the same people; their errors are added person by person."""
    share = np.asarray(weights) / np.sum(weights)
    return Auc(
        float(sum(w * part.value for w, part in zip(share, parts, strict=True))),
        np.sum([w * part.influence for w, part in zip(share, parts, strict=True)], axis=0),
    )
