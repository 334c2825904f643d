"""Gradient-boosted trees of depth 3 for many replicates and folds, grown together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.benchmark.ridge import logistic
from hybrid_assets.nuisance.boosting import LEARNING_RATE, MIN_ROWS_PER_LEAF, N_TREES

N_BINS = 32
_SUMS_AT_ONCE = 10  # narrow products skip the packing of a general one: a quarter faster
_LEAST_HESSIAN = 1e-3  # of a child, as in scikit-learn


@dataclass(frozen=True, eq=False, repr=False)
class Forests:
    """Trees of B replicates × C models, all of depth 3.

    Attributes
    ----------
    baseline : ndarray, shape (B, C)
    split : ndarray of int, shape (n_trees, B, C, 7)
        Row of `below` that each inner node asks; its last row sends everybody left.
        Nodes by level: 0; 1 and 2; 3 to 6. Children of node i: 2 i + 1, 2 i + 2.
    value : ndarray, shape (n_trees, B, C, 8)
        Of the leaves, from left to right.
    score : ndarray, shape (B, C, n)
        What each model says of every row that was there when it grew, whether
        it learnt from the row or not; on the logit scale for a binary target.
    """

    baseline: np.ndarray
    split: np.ndarray
    value: np.ndarray
    score: np.ndarray

    def score_own_rows(self, model: np.ndarray) -> np.ndarray:
        """Give the score of the rows it was grown with, each from one of the C models; (B, n)."""
        found = np.take_along_axis(self.score, model[:, None], axis=1)[:, 0]
        return np.asarray(found, dtype=float)

    def predict(self, below: np.ndarray, model: np.ndarray) -> np.ndarray:
        """Sum the trees of one model for each row.

        Parameters
        ----------
        below : ndarray, shape (B, M, n)
            As given by `indicators`, with the thresholds of the fit.
        model : ndarray of int, shape (B, n)
            Which of the C models a row asks.

        Returns
        -------
        ndarray, shape (B, n)
            On the logit scale for a binary target.
        """
        n_replicates, n_thresholds, n_rows = below.shape
        replicate = np.arange(n_replicates)[:, None]
        total = self.baseline[replicate, model].astype(float)
        goes_left = below.astype(bool).ravel()
        first = replicate * (n_thresholds * n_rows) + np.arange(n_rows)
        owner = replicate * self.baseline.shape[1] + model
        for split, value in zip(self.split * n_rows, self.value, strict=True):
            node = np.zeros(model.shape, dtype=np.int64)
            for _ in range(3):
                asked = split.ravel().take(owner * 7 + node)
                node = 2 * node + 2 - goes_left.take(first + asked)
            total += value.ravel().take(owner * 8 + (node - 7))
        return np.asarray(total)


def thresholds(columns: np.ndarray) -> list[np.ndarray]:
    """Choose at most 31 thresholds for each column of a table (n, p).

    Midpoints of the distinct values, or of 32 equally filled bins, as in
    scikit-learn's histogram boosting with ``max_bins=32``.
    """
    found = []
    for values in np.sort(columns, axis=0).T:
        distinct = values[np.r_[True, np.diff(values) > 0]]
        if len(distinct) <= N_BINS:
            found.append(0.5 * (distinct[1:] + distinct[:-1]))
            continue
        position = np.arange(1, N_BINS) * len(values) / N_BINS
        upper = np.floor(position).astype(int)
        lower = np.where(upper == position, upper - 1, upper)
        found.append(np.unique(0.5 * (values[lower] + values[upper])))
    return found


def indicators(columns: np.ndarray, cuts: list[list[np.ndarray]]) -> np.ndarray:
    """Flag values at or below each threshold of each column.

    Parameters
    ----------
    columns : ndarray, shape (B, n, p)
    cuts : list of list of ndarray
        By replicate and column.

    Returns
    -------
    ndarray of float32, shape (B, M, n)
        Padded with, and always ending in, a row of ones.
    """
    n_cuts = [sum(map(len, of_replicate)) for of_replicate in cuts]
    below = np.ones((len(columns), max(n_cuts) + 1, columns.shape[1]), dtype=np.float32)
    for replicate, of_replicate in enumerate(cuts):
        owner = np.repeat(np.arange(columns.shape[2]), [len(each) for each in of_replicate])
        asked = columns[replicate].T[owner] <= np.concatenate(of_replicate)[:, None]
        below[replicate, : n_cuts[replicate]] = asked
    return below


def grow_forests(
    below: np.ndarray, target: np.ndarray, is_training: np.ndarray, *, is_binary: bool
) -> Forests:
    """Fit 60 trees of depth 3 with at least 20 rows in a leaf to each model's training rows.

    The sums behind every possible split are one matrix product of the rows'
    gradients with `below`, in single precision.

    Parameters
    ----------
    below : ndarray of float32, shape (B, M, n)
    target : ndarray, shape (B, n)
    is_training : ndarray of bool, shape (B, C, n)
    is_binary : bool
        Log loss if true, squared error otherwise.

    References
    ----------
    Friedman 2001, doi:10.1214/aos/1013203451; Ke et al. 2017 (histograms), *LightGBM*.
    """
    n_used = is_training.sum(axis=-1)
    mean = (is_training * target[:, None]).sum(axis=-1) / n_used
    if is_binary:
        mean = np.clip(mean, 0.5 / (n_used + 1.0), 1.0 - 0.5 / (n_used + 1.0))
        mean = np.log(mean) - np.log1p(-mean)
    baseline = mean.astype(np.float32)
    score = np.repeat(baseline[..., None], below.shape[-1], axis=-1)
    grower = _TreeGrower(below, target, is_training, is_binary)
    splits, values = zip(*(grower.grow(score) for _ in range(N_TREES)), strict=True)
    return Forests(baseline, np.array(splits), np.array(values), score)


class _TreeGrower:
    """Grow one tree after the other for B replicates × C models, in arrays that are reused.

    Weights are (B, q, C, n): gradients, Hessians (log loss only) and ones, all
    0 where the model does not learn from the row.
    """

    def __init__(
        self, below: np.ndarray, target: np.ndarray, is_training: np.ndarray, is_binary: bool
    ) -> None:
        n_replicates, n_models, n_rows = is_training.shape
        n_sums = 3 if is_binary else 2
        self.below, self.is_binary = below, is_binary
        self.columns = np.ascontiguousarray(below.swapaxes(-1, -2))
        self.replicate = np.arange(n_replicates)[:, None]
        self.target = target.astype(np.float32)[:, None]
        self.training = is_training.astype(np.float32)
        self.weights = np.empty((n_replicates, n_sums, n_models, n_rows), dtype=np.float32)
        self.weights[:, -1] = self.training
        self.of_left = np.empty_like(self.weights)
        shape = (n_replicates, n_sums, 2, n_models, n_rows)
        self.of_both = np.empty(shape, dtype=np.float32)
        self.counts = self._sums(self.weights[:, -1:])

    def grow(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Grow one tree for each model and add it to `score` (B, C, n): splits, leaf values."""
        self._weigh(score)
        root = np.concatenate([self._sums(self.weights[:, :-1]), self.counts])
        s0 = _best_split(root)
        left = self._asked(s0)
        left_sums = self._sums(np.multiply(self.weights, left[:, None], out=self.of_left))
        level = np.stack([left_sums, root - left_sums], axis=-2)
        s1 = _best_split(level)
        low = np.stack([self._asked(s1[..., 0]), self._asked(s1[..., 1])], axis=1)
        low[:, 0] *= left
        low[:, 1] *= 1.0 - left
        low_sums = self._sums(
            np.multiply(self.weights[:, :, None], low[:, None], out=self.of_both).reshape(
                len(left), -1, *left.shape[1:]
            )
        )
        low_sums = np.moveaxis(low_sums.reshape(len(root), 2, *left_sums.shape[1:]), 1, -2)
        leaves = np.stack([low_sums, level - low_sums], axis=-2)
        leaves = leaves.reshape(*leaves.shape[:-3], 4, -1)
        s2 = _best_split(leaves)
        value = _leaf_values(leaves, s2)
        members = (low[:, 0], left - low[:, 0], low[:, 1], 1.0 - left - low[:, 1])
        for node, member in enumerate(members):
            high = value[..., 2 * node + 1, None]
            step = self._asked(s2[..., node])
            step *= value[..., 2 * node, None] - high
            step += high
            step *= member
            score += step
        return np.concatenate([s0[..., None], s1, s2], axis=-1), value

    def _weigh(self, score: np.ndarray) -> None:
        """Set gradients and Hessians of the training rows at `score`."""
        slope = self.weights[:, 0]
        if self.is_binary:
            p = logistic(score)
            np.subtract(p, self.target, out=slope)
            p *= 1.0 - p
            np.multiply(p, self.training, out=self.weights[:, 1])
        else:
            np.subtract(score, self.target, out=slope)
        slope *= self.training

    def _asked(self, split: np.ndarray) -> np.ndarray:
        """Say which rows each model's threshold sends left: (B, C, n)."""
        return np.asarray(self.below[self.replicate, split])

    def _sums(self, weights: np.ndarray) -> np.ndarray:
        """Sum (B, q, C, n) weights of the rows left of each threshold: (q, B, C, M)."""
        n_replicates, n_sums, n_models, n_rows = weights.shape
        flat = weights.reshape(n_replicates, n_sums * n_models, n_rows)
        product = np.empty((*flat.shape[:2], self.columns.shape[-1]), dtype=np.float32)
        for first in range(0, flat.shape[1], _SUMS_AT_ONCE):
            part = slice(first, first + _SUMS_AT_ONCE)
            np.matmul(flat[:, part], self.columns, out=product[:, part])
        return np.asarray(product.reshape(n_replicates, n_sums, n_models, -1).swapaxes(0, 1))


def _best_split(sums: np.ndarray) -> np.ndarray:
    """Pick the threshold with the largest gain; the last one, no split, if none has any.

    `sums` is (q, ..., M): gradients, Hessians and rows to the left (without
    Hessians, which are the rows, for squared error); the last of M is everybody.
    """
    slope, hessian, count = sums[0], sums[-2] if len(sums) == 3 else sums[1], sums[-1]
    slope_all, hessian_all, count_all = slope[..., -1:], hessian[..., -1:], count[..., -1:]
    other = hessian_all - hessian
    gain = slope**2 / np.maximum(hessian, _LEAST_HESSIAN)
    gain += (slope_all - slope) ** 2 / np.maximum(other, _LEAST_HESSIAN)
    is_valid = (count >= MIN_ROWS_PER_LEAF) & (count_all - count >= MIN_ROWS_PER_LEAF)
    is_valid &= (hessian >= _LEAST_HESSIAN) & (other >= _LEAST_HESSIAN)
    gain[~is_valid] = -1.0
    unsplit = slope_all[..., 0] ** 2 / np.maximum(hessian_all[..., 0], _LEAST_HESSIAN)
    gain[..., -1] = unsplit * np.float32(1.0 + 1e-6)
    return np.asarray(gain.argmax(axis=-1))


def _leaf_values(sums: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Give the shrunken Newton step of each leaf: (B, C, 8) from (q, B, C, 4, M)."""
    slope, hessian = sums[0], sums[1]
    chosen = split[..., None]
    pairs = []
    for total in (slope, hessian):
        low = np.take_along_axis(total, chosen, axis=-1)[..., 0]
        pairs.append(np.stack([low, total[..., -1] - low], axis=-1))
    step = np.where(pairs[1] >= _LEAST_HESSIAN, -pairs[0] / np.maximum(pairs[1], 1e-12), 0.0)
    return (LEARNING_RATE * step).reshape(*split.shape[:-1], 8).astype(np.float32)
