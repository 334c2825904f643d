"""Small gradient-boosted trees, kept as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hybrid_assets.nuisance.regression import expit

N_TREES = 60
MAX_DEPTH = 3
MIN_ROWS_PER_LEAF = 20
LEARNING_RATE = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class TreeEnsemble:
    """A sum of binary trees; a leaf is a node whose children are itself.

    Attributes
    ----------
    baseline : float
        Prediction before the first tree, on the logit scale for probabilities.
    feature, left, right : ndarray of int, shape (n_trees, n_nodes)
    threshold, value : ndarray of float, shape (n_trees, n_nodes)
        Rows with ``x[feature] <= threshold`` go left; `value` counts at leaves.
    is_probability : bool
    """

    baseline: float
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    is_probability: bool

    def predict(self, design: np.ndarray) -> np.ndarray:
        """Predict, shape (n,), for a design matrix of shape (n, n_columns)."""
        total = np.full(len(design), self.baseline)
        columns, rows = design.T.copy(), np.arange(len(design))
        for tree in range(len(self.feature)):
            node = np.zeros(len(design), dtype=np.intp)
            for _ in range(MAX_DEPTH):
                goes_left = columns[self.feature[tree][node], rows] <= self.threshold[tree][node]
                node = np.where(goes_left, self.left[tree][node], self.right[tree][node])
            total += self.value[tree][node]
        return expit(total) if self.is_probability else total

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers."""
        arrays = ("feature", "threshold", "left", "right", "value")
        return {
            "type": "trees",
            "baseline": self.baseline,
            "is_probability": self.is_probability,
            **{name: getattr(self, name).tolist() for name in arrays},
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Restore what `to_json` gave."""
        return cls(
            baseline=state["baseline"],
            is_probability=state["is_probability"],
            **{name: np.array(state[name], dtype=np.intp) for name in ("feature", "left", "right")},
            **{name: np.array(state[name], dtype=float) for name in ("threshold", "value")},
        )


def fit_boosting(design: np.ndarray, target: np.ndarray, is_binary: bool) -> TreeEnsemble:
    """Fit 60 trees of depth 3 with at least 20 rows per leaf.

    Parameters
    ----------
    design : ndarray, shape (n, p)
    target : ndarray, shape (n,)
        0 and 1, both present, if `is_binary`.
    is_binary : bool
        Log loss if true, squared error otherwise.

    Notes
    -----
    Deterministic: no row or column sampling, no early stopping. Small leaves
    and default forests memorise the outcome of the people they were fitted on,
    which a synthetic table then gives away.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    family = HistGradientBoostingClassifier if is_binary else HistGradientBoostingRegressor
    model = family(
        max_iter=N_TREES,
        max_depth=MAX_DEPTH,
        min_samples_leaf=MIN_ROWS_PER_LEAF,
        learning_rate=LEARNING_RATE,
        early_stopping=False,
        random_state=0,
    )
    model.fit(design, target)
    return _as_arrays([trees[0].nodes for trees in model._predictors], model, is_binary)


def _as_arrays(trees: list[np.ndarray], model: Any, is_binary: bool) -> TreeEnsemble:
    shape = (len(trees), max(len(nodes) for nodes in trees))
    feature = np.zeros(shape, dtype=np.intp)
    left, right = (np.tile(np.arange(shape[1]), (shape[0], 1)) for _ in range(2))
    threshold, value = np.zeros(shape), np.zeros(shape)
    for tree, nodes in enumerate(trees):
        inner = np.flatnonzero(nodes["is_leaf"] == 0)
        leaf = np.flatnonzero(nodes["is_leaf"] == 1)
        feature[tree, inner] = nodes["feature_idx"][inner]
        threshold[tree, inner] = nodes["num_threshold"][inner]
        left[tree, inner], right[tree, inner] = nodes["left"][inner], nodes["right"][inner]
        value[tree, leaf] = nodes["value"][leaf]
    baseline = float(np.ravel(model._baseline_prediction)[0])
    return TreeEnsemble(baseline, feature, threshold, left, right, value, is_binary)
