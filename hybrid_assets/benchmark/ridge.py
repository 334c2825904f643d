"""Ridge regressions of many replicates and folds, solved together."""

from __future__ import annotations

import numpy as np

from hybrid_assets.errors import NotConverged
from hybrid_assets.nuisance.regression import fit_constant, fit_ridge

_N_START_STEPS = 2
_MAX_STEPS = 60
_STEPS_PER_HESSIAN = 16
_ROWS_AT_ONCE = 8_000
_SCORE_TOLERANCE = 1e-10
_LEAST_CURVATURE = 1e-9


def cross_fit_ridge(
    design: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    *,
    is_binary: bool,
    penalty: float,
) -> np.ndarray:
    """Fit a ridge logistic or linear regression without each fold in turn.

    All rows together first, by Newton steps; then every fold's model, with the
    Hessian of its training rows at that common solution: the total less the
    fold's share. Each model's own Hessian follows, rarely, since a step with
    an older one costs less. A model that is still not solved goes to
    `hybrid_assets.nuisance.regression.fit_ridge`.

    Parameters
    ----------
    design : ndarray, shape (B, K, m, p)
        Replicates, folds, rows of a fold, columns of comparable scale.
    target : ndarray, shape (B, T, K, m)
        Of T models with the same design.
    weight : ndarray, shape (B, T, K, m)
        1 for the rows that a model learns from (in other folds than its own), else 0.
    is_binary : bool
    penalty : float, > 0
        On the coefficients but not the intercept, as in `fit_ridge`.

    Returns
    -------
    ndarray, shape (B, T, K, 1 + p)
        Intercept and coefficients of the model that leaves the fold out; NaN
        where the equations could not be solved.
    """
    x = np.concatenate([np.ones((*design.shape[:-1], 1)), design], axis=-1)
    ridge = np.r_[0.0, np.full(design.shape[-1], penalty)]
    if is_binary:
        target = np.where(weight > 0, target, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        start = _fit_all_rows(x, target, weight, ridge, is_binary)
        beta, is_solved = _fit_folds(x, target, weight, ridge, is_binary, start)
    for place in np.argwhere(~is_solved):
        beta[tuple(place)] = _fit_one(design, target, weight, place, is_binary, penalty)
    return beta


def linear_predictor(design: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Evaluate each fold's model on the fold's rows.

    Parameters
    ----------
    design : ndarray, shape (B, K, m, p)
    beta : ndarray, shape (B, T, K, 1 + p)

    Returns
    -------
    ndarray, shape (B, T, K, m)
    """
    slopes = (design[:, None] @ beta[..., 1:, None])[..., 0]
    return np.asarray(beta[..., :1] + slopes)


def logistic(eta: np.ndarray) -> np.ndarray:
    """Give 1 / (1 + exp(-eta)), in the precision of `eta`."""
    p = np.negative(eta)
    with np.errstate(over="ignore"):
        np.exp(p, out=p)
        p += 1.0
    return np.asarray(np.reciprocal(p, out=p))


def _slope_and_curvature(
    eta: np.ndarray, target: np.ndarray, weight: np.ndarray, is_binary: bool
) -> tuple[np.ndarray, np.ndarray]:
    if not is_binary:
        return weight * (eta - target), weight
    p = logistic(eta)
    return weight * (p - target), weight * np.maximum(p * (1.0 - p), _LEAST_CURVATURE)


def _fit_all_rows(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray, ridge: np.ndarray, is_binary: bool
) -> np.ndarray:
    """Fit each model to all its rows, roughly: shape (B, T, 1 + p)."""
    n_columns = x.shape[-1]
    rows = x.reshape(len(x), 1, -1, n_columns)
    columns = np.ascontiguousarray(rows.swapaxes(-1, -2))
    y, w = (values.reshape(*values.shape[:2], -1) for values in (target, weight))
    total, n_used = (w * y).sum(axis=-1), w.sum(axis=-1)
    beta = np.zeros((*y.shape[:2], n_columns))
    if is_binary:
        share = (total + 0.5) / (n_used + 1.0)
        beta[..., 0] = np.log(share) - np.log1p(-share)
    for _ in range(_N_START_STEPS if is_binary else 1):
        score, hessian = ridge * beta, np.diag(ridge)
        for part in _row_parts(columns):
            eta = (beta[:, :, None] @ columns[..., part])[:, :, 0]
            slope, curvature = _slope_and_curvature(eta, y[..., part], w[..., part], is_binary)
            x_part = rows[:, :, part]
            score = score + (slope[:, :, None] @ x_part)[:, :, 0]
            hessian = hessian + (columns[..., part] * curvature[:, :, None]) @ x_part
        beta = beta - np.linalg.solve(hessian, score[..., None])[..., 0]
    return beta


def _fit_folds(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    ridge: np.ndarray,
    is_binary: bool,
    start: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    n_replicates, n_folds, n_places, n_columns = x.shape
    inverse = _inverse_hessians(x, target, weight, ridge, is_binary, start)
    rows = x.reshape(n_replicates, 1, -1, n_columns)
    columns = np.ascontiguousarray(rows.swapaxes(-1, -2))
    is_other_fold = np.repeat(~np.eye(n_folds, dtype=bool), n_places, axis=1)
    y = target.reshape(*target.shape[:2], 1, -1)
    w = weight.reshape(*weight.shape[:2], 1, -1) * is_other_fold
    n_used = w.sum(axis=-1)
    scale = _target_scale(y, w, n_used, is_binary)
    beta = np.repeat(start[:, :, None], n_folds, axis=2)
    is_solved = np.zeros(beta.shape[:3], dtype=bool)
    if is_binary:
        cases = (w * y).sum(axis=-1)
        is_mixed = (cases > 0) & (cases < n_used)
    else:
        is_mixed = np.ones(beta.shape[:3], dtype=bool)
    waiting = np.arange(n_replicates)
    for step in range(_MAX_STEPS):
        if is_binary and step % _STEPS_PER_HESSIAN == 6:
            inverse = _inverse_at_own(rows, columns, w, ridge, beta[waiting])
        score = ridge * beta[waiting]
        for part in _row_parts(columns):
            slope = beta[waiting] @ columns[..., part]
            slope = logistic(slope) if is_binary else slope
            slope -= y[..., part]
            slope *= w[..., part]
            score += slope @ rows[:, :, part]
        worst = np.abs(score).max(axis=-1)
        is_solved[waiting] = worst <= _SCORE_TOLERANCE * n_used * scale
        is_waiting = (is_mixed & ~is_solved)[waiting].any(axis=(1, 2))
        if not is_waiting.any():
            break
        beta[waiting] -= (inverse @ score[..., None])[..., 0]
        if 2 * is_waiting.sum() <= len(waiting):
            waiting = waiting[is_waiting]
            rows, columns, y, w, n_used, scale, inverse = (
                each[is_waiting] for each in (rows, columns, y, w, n_used, scale, inverse)
            )
    return beta, is_solved & is_mixed


def _inverse_at_own(
    rows: np.ndarray, columns: np.ndarray, w: np.ndarray, ridge: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """Invert the Hessian of each fold's model at its own coefficients."""
    hessian = np.tile(np.diag(ridge), (*beta.shape[:3], 1, 1))
    for part in _row_parts(columns):
        x, x_columns = rows[:, :, part], columns[..., part]
        p = logistic(beta @ x_columns)
        curvature = w[..., part] * np.maximum(p * (1.0 - p), _LEAST_CURVATURE)
        for fold in range(beta.shape[2]):
            hessian[:, :, fold] += (x_columns * curvature[:, :, fold, None]) @ x
    return np.linalg.inv(hessian)


def _row_parts(columns: np.ndarray) -> list[slice]:
    """Cut rows so that what is computed for a part stays in the processor's cache."""
    n_replicates, _, _, n_rows = columns.shape
    at_once = max(1000, _ROWS_AT_ONCE // n_replicates)
    return [slice(first, first + at_once) for first in range(0, n_rows, at_once)]


def _target_scale(y: np.ndarray, w: np.ndarray, n_used: np.ndarray, is_binary: bool) -> np.ndarray:
    if is_binary:
        return np.ones(w.shape[:3])
    mean = (w * y).sum(axis=-1, keepdims=True) / n_used[..., None]
    spread = np.sqrt((w * (y - mean) ** 2).sum(axis=-1) / n_used)
    return np.asarray(np.maximum(spread, 1e-12 + 1e-3 * np.abs(mean[..., 0])))


def _inverse_hessians(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    ridge: np.ndarray,
    is_binary: bool,
    beta: np.ndarray,
) -> np.ndarray:
    """Invert the Hessian of each fold's training rows at `beta`: (B, T, K, 1 + p, 1 + p)."""
    eta = (x[:, None] @ beta[:, :, None, :, None])[..., 0]
    curvature = _slope_and_curvature(eta, target, weight, is_binary)[1]
    of_folds = (x.swapaxes(-1, -2)[:, None] * curvature[..., None, :]) @ x[:, None]
    of_others = of_folds.sum(axis=2, keepdims=True) - of_folds
    return np.linalg.inv(of_others + np.diag(ridge))


def _fit_one(
    design: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    place: np.ndarray,
    is_binary: bool,
    penalty: float,
) -> np.ndarray:
    replicate, model, fold = place
    used = weight[replicate, model] > 0
    used[fold] = False
    x, y = design[replicate][used], target[replicate, model][used]
    try:
        if np.ptp(y) == 0.0:
            fitted = fit_constant(x, y, is_binary)
        else:
            fitted = fit_ridge(x, y, is_binary, penalty=penalty)
    except NotConverged:
        return np.full(1 + design.shape[-1], np.nan)
    return np.asarray(np.r_[fitted.intercept, fitted.coefficients])
