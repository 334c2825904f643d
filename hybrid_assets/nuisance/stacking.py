"""Short-stacking: convex weights on pooled out-of-fold predictions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hybrid_assets.errors import NotConverged

PROBABILITY_FLOOR = 1e-6
_MAX_STEPS = 100
_GAP_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Stack:
    """Weights of the learners of one nuisance.

    Attributes
    ----------
    weights : dict of str to float
        Convex weight by learner; zero for the unused.
    losses : dict of str to float
        Out-of-fold loss per row by learner: log loss for a binary target,
        mean squared error otherwise.
    stacked_loss : float
        The same of the weighted predictions, at most the least of `losses`.
    """

    weights: dict[str, float]
    losses: dict[str, float]
    stacked_loss: float

    def combine(self, predictions: np.ndarray) -> np.ndarray:
        """Weight predictions of shape (..., n_learners) into shape (...)."""
        return np.asarray(predictions @ np.array(list(self.weights.values())))


def fit_stack(
    words: tuple[str, ...], predictions: np.ndarray, target: np.ndarray, is_binary: bool
) -> Stack:
    """Find the convex weights with the least out-of-fold loss.

    Parameters
    ----------
    words : tuple of str
        Learners, in the order of the columns of `predictions`.
    predictions : ndarray, shape (n, n_learners)
        Out-of-fold; probabilities if `is_binary`.
    target : ndarray, shape (n,)
    is_binary : bool
        Log loss if true, squared error otherwise.

    Raises
    ------
    NotConverged
        If the weights are not optimal to 1e-6 of the loss scale.

    References
    ----------
    Ahrens, Hansen, Schaffer and Wiemann 2025, *Model averaging and double
    machine learning*, doi:10.1002/jae.3103.
    """
    # the observed label's probability under each learner, or each learner's error
    columns = (
        _label_probability(predictions, target) if is_binary else predictions - target[:, None]
    )
    scale = 1.0 if is_binary else float(target.var()) or 1.0
    weights = _minimise_on_simplex(columns, is_binary, scale)
    single = [_loss(columns, row, is_binary) for row in np.eye(len(words))]
    return Stack(
        weights=dict(zip(words, weights.tolist(), strict=True)),
        losses=dict(zip(words, single, strict=True)),
        stacked_loss=_loss(columns, weights, is_binary),
    )


def mean_weights(stacks: list[Stack]) -> dict[str, float]:
    """Average the weights of several fold draws; convex again."""
    return {w: float(np.mean([s.weights[w] for s in stacks])) for w in stacks[0].weights}


def _label_probability(predictions: np.ndarray, target: np.ndarray) -> np.ndarray:
    clipped = np.clip(predictions, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return np.asarray(np.where(target[:, None] == 1, clipped, 1.0 - clipped))


def _loss(columns: np.ndarray, weights: np.ndarray, is_binary: bool) -> float:
    combined = columns @ weights
    return float(-np.log(combined).mean() if is_binary else (combined**2).mean())


def _minimise_on_simplex(columns: np.ndarray, is_binary: bool, scale: float) -> np.ndarray:
    n_rows, n_learners = columns.shape
    weights = np.full(n_learners, 1.0 / n_learners)
    gap = np.inf
    for _ in range(_MAX_STEPS):
        if is_binary:
            ratio = columns / (columns @ weights)[:, None]
            gradient, hessian = -ratio.mean(axis=0), ratio.T @ ratio / n_rows
        else:
            hessian = 2.0 * columns.T @ columns / n_rows
            gradient = hessian @ weights
        gap = float(gradient @ weights - gradient.min()) / scale
        if gap <= _GAP_TOLERANCE:
            break
        step = _best_on_simplex(hessian, gradient - hessian @ weights) - weights
        current = _loss(columns, weights, is_binary)
        shrink = next(
            (
                s
                for s in 0.5 ** np.arange(40)
                if _loss(columns, weights + s * step, is_binary) < current
            ),
            0.0,
        )
        if shrink == 0.0:
            break
        weights = weights + shrink * step
    if gap > 1e-6:
        raise NotConverged(f"stack weights are {gap:.2g} of the loss scale from the best ones")
    weights = np.where(weights < 1e-12, 0.0, weights)
    return np.asarray(weights / weights.sum())


def _best_on_simplex(hessian: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Minimise w'Hw/2 + linear'w over the simplex by trying every support (few learners)."""
    n_learners = len(linear)
    ridged = hessian + 1e-12 * np.trace(hessian) * np.eye(n_learners)
    best, best_value = np.full(n_learners, 1.0 / n_learners), np.inf
    for size in range(1, n_learners + 1):
        for support in combinations(range(n_learners), size):
            weights = np.zeros(n_learners)
            weights[list(support)] = _on_support(ridged, linear, support)
            value = 0.5 * weights @ ridged @ weights + linear @ weights
            if weights.min() >= -1e-12 and value < best_value:
                best, best_value = np.maximum(weights, 0.0), value
    return best


def _on_support(hessian: np.ndarray, linear: np.ndarray, support: tuple[int, ...]) -> np.ndarray:
    index, size = list(support), len(support)
    system = np.ones((size + 1, size + 1))
    system[:size, :size], system[size, size] = hessian[np.ix_(index, index)], 0.0
    return np.linalg.lstsq(system, np.r_[-linear[index], 1.0], rcond=None)[0][:size]
