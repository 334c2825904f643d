"""Short-stacking weights of many replicates, solved together."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from hybrid_assets.nuisance.stacking import PROBABILITY_FLOOR

_MAX_STEPS = 100
_GAP_TOLERANCE = 1e-9
_ACCEPTED_GAP = 1e-6


def stack_weights(predictions: np.ndarray, target: np.ndarray, *, is_binary: bool) -> np.ndarray:
    """Find each replicate's convex weights with the least out-of-fold loss.

    The algorithm of `hybrid_assets.nuisance.stacking.fit_stack`: the quadratic
    model of the loss is minimised on every face of the simplex.

    Parameters
    ----------
    predictions : ndarray, shape (B, n, L)
        Out-of-fold, of L learners; probabilities if `is_binary`.
    target : ndarray, shape (B, n)
    is_binary : bool
        Log loss if true, squared error otherwise.

    Returns
    -------
    ndarray, shape (B, L)
        NaN where the weights are not optimal to 1e-6 of the loss scale.
    """
    n_learners = predictions.shape[-1]
    if n_learners == 1:
        return np.ones((len(predictions), 1))
    if is_binary:
        clipped = np.clip(predictions, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
        columns = np.where(target[..., None] == 1, clipped, 1.0 - clipped)
        scale = np.ones(len(target))
    else:
        columns = predictions - target[..., None]
        variance = target.var(axis=1)
        scale = np.where(variance > 0.0, variance, 1.0)
    weights = np.full((len(columns), n_learners), 1.0 / n_learners)
    is_usable = np.isfinite(columns).all(axis=(1, 2))
    columns = np.where(is_usable[:, None, None], columns, 1.0)
    gap = np.full(len(columns), np.inf)
    for _ in range(_MAX_STEPS):
        gradient, hessian = _derivatives(columns, weights, is_binary)
        gap = ((gradient * weights).sum(axis=1) - gradient.min(axis=1)) / scale
        if (gap <= _GAP_TOLERANCE).all():
            break
        linear = gradient - (hessian @ weights[..., None])[..., 0]
        step = _best_on_simplex(hessian, linear) - weights
        step[gap <= _GAP_TOLERANCE] = 0.0
        moved = _descended(columns, weights, step, is_binary)
        if (moved == weights).all():
            break
        weights = moved
    weights = np.where(weights < 1e-12, 0.0, weights)
    weights /= weights.sum(axis=1, keepdims=True)
    weights[(gap > _ACCEPTED_GAP) | ~is_usable] = np.nan
    return weights


def _derivatives(
    columns: np.ndarray, weights: np.ndarray, is_binary: bool
) -> tuple[np.ndarray, np.ndarray]:
    n_rows = columns.shape[1]
    if is_binary:
        ratio = columns / (columns @ weights[..., None])
        return -ratio.mean(axis=1), ratio.swapaxes(1, 2) @ ratio / n_rows
    hessian = 2.0 * columns.swapaxes(1, 2) @ columns / n_rows
    return (hessian @ weights[..., None])[..., 0], hessian


def _losses(columns: np.ndarray, weights: np.ndarray, is_binary: bool) -> np.ndarray:
    combined = (columns @ weights[..., None])[..., 0]
    return np.asarray(-np.log(combined).mean(axis=1) if is_binary else (combined**2).mean(axis=1))


def _descended(
    columns: np.ndarray, weights: np.ndarray, step: np.ndarray, is_binary: bool
) -> np.ndarray:
    """Halve each replicate's step until its loss falls; stay put if it never does."""
    current = _losses(columns, weights, is_binary)
    moved, is_waiting = weights.copy(), (step != 0.0).any(axis=1)
    for halving in range(40):
        if not is_waiting.any():
            break
        chosen = np.flatnonzero(is_waiting)
        proposal = weights[chosen] + 0.5**halving * step[chosen]
        is_better = _losses(columns[chosen], proposal, is_binary) < current[chosen]
        moved[chosen[is_better]] = proposal[is_better]
        is_waiting[chosen[is_better]] = False
    return moved


def _best_on_simplex(hessian: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Minimise w'Hw/2 + linear'w over the simplex by trying every face (few learners)."""
    n_learners = linear.shape[-1]
    trace = np.trace(hessian, axis1=1, axis2=2)[:, None, None]
    ridged = hessian + (1e-12 * trace + 1e-300) * np.eye(n_learners)
    best = np.full_like(linear, 1.0 / n_learners)
    best_value = np.full(len(linear), np.inf)
    for size in range(1, n_learners + 1):
        for face in combinations(range(n_learners), size):
            weights = np.zeros_like(linear)
            weights[:, face] = _on_face(ridged, linear, face)
            curved = (weights * (ridged @ weights[..., None])[..., 0]).sum(axis=1)
            value = 0.5 * curved + (linear * weights).sum(axis=1)
            is_better = (weights.min(axis=1) >= -1e-12) & (value < best_value)
            best[is_better] = np.maximum(weights[is_better], 0.0)
            best_value[is_better] = value[is_better]
    return best


def _on_face(hessian: np.ndarray, linear: np.ndarray, face: tuple[int, ...]) -> np.ndarray:
    index, size = list(face), len(face)
    system = np.ones((len(linear), size + 1, size + 1))
    system[:, :size, :size] = hessian[:, index][:, :, index]
    system[:, size, size] = 0.0
    known = np.concatenate([-linear[:, index], np.ones((len(linear), 1))], axis=1)
    try:
        solution = np.linalg.solve(system, known[..., None])
    except np.linalg.LinAlgError:
        solution = np.linalg.pinv(system) @ known[..., None]
    return np.asarray(solution[:, :size, 0])
