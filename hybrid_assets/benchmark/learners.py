"""Each learner's out-of-fold predictions: g (B, K, m) and Q under both arms (B, 2, K, m)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybrid_assets.benchmark.replicates import PlacedReplicates
from hybrid_assets.benchmark.ridge import cross_fit_ridge, linear_predictor, logistic
from hybrid_assets.benchmark.trees import grow_forests, indicators, thresholds
from hybrid_assets.nuisance.library import PAIRWISE_PENALTY, RIDGE_PENALTY

PENALTIES = {"linear": RIDGE_PENALTY, "spline": RIDGE_PENALTY, "pairwise": PAIRWISE_PENALTY}

Learner = Callable[[str, PlacedReplicates, bool], tuple[np.ndarray, np.ndarray]]


def predict_constant(
    word: str, placed: PlacedReplicates, is_pooled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the mean of the other folds."""

    def left_out_means(values: np.ndarray, used: np.ndarray) -> np.ndarray:
        total = (values * used).sum(axis=-1)
        count = used.sum(axis=-1)
        means = (total.sum(-1, keepdims=True) - total) / (count.sum(-1, keepdims=True) - count)
        return np.broadcast_to(means[..., None], used.shape)

    g = left_out_means(placed.treatment, placed.is_row)
    return g, left_out_means(placed.outcome[:, None], placed.arms())


def predict_ridge(
    word: str, placed: PlacedReplicates, is_pooled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Predict with a ridge regression on the basis named by `word`."""
    basis = _basis(word, placed)
    penalty, is_binary = PENALTIES[word], placed.is_binary
    everybody, arms = placed.is_row[:, None].astype(float), placed.arms().astype(float)
    if is_pooled:
        beta = cross_fit_ridge(
            _with_treatment(basis, placed.treatment),
            placed.outcome[:, None],
            everybody,
            is_binary=is_binary,
            penalty=penalty,
        )
        by_arm = [
            linear_predictor(_with_treatment(basis, np.full(placed.treatment.shape, arm)), beta)
            for arm in (0.0, 1.0)
        ]
        q = np.concatenate(by_arm, axis=1)
    targets = (
        [placed.treatment]
        if is_pooled or not is_binary
        else [placed.treatment, placed.outcome, placed.outcome]
    )
    weights = everybody if len(targets) == 1 else np.concatenate([everybody, arms], axis=1)
    beta = cross_fit_ridge(
        basis, np.stack(targets, axis=1), weights, is_binary=True, penalty=penalty
    )
    eta = linear_predictor(basis, beta)
    if not is_pooled and is_binary:
        q = eta[:, 1:]
    elif not is_pooled:
        outcomes = np.stack([placed.outcome, placed.outcome], axis=1)
        beta = cross_fit_ridge(basis, outcomes, arms, is_binary=False, penalty=penalty)
        q = linear_predictor(basis, beta)
    return logistic(eta[:, 0]), logistic(q) if is_binary else q


def _basis(word: str, placed: PlacedReplicates) -> np.ndarray:
    """Give the main effects, with splines and products as `word` asks: (B, K, m, p')."""
    main = placed.effects
    if word == "linear":
        return main
    parts = [main, placed.curves]
    if word == "pairwise":
        parts.append(placed.products)
    return np.concatenate(parts, axis=-1)


def _with_treatment(basis: np.ndarray, treatment: np.ndarray) -> np.ndarray:
    arm = treatment[..., None]
    return np.concatenate([basis, arm, arm * basis], axis=-1)


def predict_boosting(
    word: str, placed: PlacedReplicates, is_pooled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Predict with boosted trees."""
    n_replicates, n_folds, n_places, n_effects = placed.effects.shape
    columns = placed.effects.reshape(n_replicates, -1, n_effects)
    is_row = placed.is_row.reshape(n_replicates, -1)
    treatment = placed.treatment.reshape(n_replicates, -1)
    outcome = placed.outcome.reshape(n_replicates, -1)
    fold = np.repeat(np.arange(n_folds), n_places)
    is_other_fold = fold != np.arange(n_folds)[:, None]
    model = np.broadcast_to(fold, is_row.shape)
    cuts = [thresholds(each[used]) for each, used in zip(columns, is_row, strict=True)]
    below = indicators(columns, cuts)
    training = is_row[:, None] & is_other_fold
    g = grow_forests(below, treatment, training, is_binary=True).score_own_rows(model)
    if is_pooled:
        q = _pooled_boosting(columns, treatment, outcome, training, placed.is_binary)
    else:
        q = _boosting_by_arm(below, treatment, outcome, training, model, placed.is_binary)
    shape = (n_replicates, 2, n_folds, n_places)
    means = logistic(q) if placed.is_binary else q
    return logistic(g).reshape(placed.treatment.shape), means.reshape(shape)


def _boosting_by_arm(
    below: np.ndarray,
    treatment: np.ndarray,
    outcome: np.ndarray,
    training: np.ndarray,
    model: np.ndarray,
    is_binary: bool,
) -> np.ndarray:
    """Fit each arm on its own rows, both arms as one batch; predict everybody: (B, 2, n)."""
    is_row = training.any(axis=1)
    chosen = np.concatenate([is_row & (treatment == arm) for arm in (0, 1)])
    counts = chosen.sum(axis=1)
    rows = np.argsort(~chosen, axis=1, kind="stable")[:, : counts.max()]
    is_real = np.arange(counts.max()) < counts[:, None]
    replicate = np.tile(np.arange(len(below)), 2)[:, None]
    of_arms = below.swapaxes(1, 2)[replicate, rows].swapaxes(1, 2).copy()
    used = training.swapaxes(1, 2)[replicate, rows].swapaxes(1, 2) & is_real[:, None]
    forests = grow_forests(of_arms, outcome[replicate, rows], used, is_binary=is_binary)
    everybody = np.concatenate([below, below]), np.concatenate([model, model])
    return forests.predict(*everybody).reshape(2, len(below), -1).swapaxes(0, 1)


def _pooled_boosting(
    columns: np.ndarray,
    treatment: np.ndarray,
    outcome: np.ndarray,
    training: np.ndarray,
    is_binary: bool,
) -> np.ndarray:
    seen, control, treated = (
        _with_treatment(columns, np.broadcast_to(np.asarray(arm, dtype=float), treatment.shape))
        for arm in (treatment, 0.0, 1.0)
    )
    is_row = np.asarray(training.any(axis=1))
    cuts = [thresholds(each[used]) for each, used in zip(seen, is_row, strict=True)]
    forests = grow_forests(indicators(seen, cuts), outcome, training, is_binary=is_binary)
    n_folds = training.shape[1]
    fold = np.repeat(np.arange(n_folds), training.shape[2] // n_folds)
    model = np.broadcast_to(fold, treatment.shape)
    return np.stack(
        [forests.predict(indicators(each, cuts), model) for each in (control, treated)], axis=1
    )


BATCHED_LEARNERS: dict[str, Learner] = {
    "constant": predict_constant,
    "linear": predict_ridge,
    "spline": predict_ridge,
    "pairwise": predict_ridge,
    "boosting": predict_boosting,
}
