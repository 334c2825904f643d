"""The default random forest of the published recipe, kept as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

PUBLISHED_SEED = 42


@dataclass(frozen=True, eq=False, repr=False)
class GrownForest:
    """A forest as scikit-learn has grown it."""

    model: Any
    is_binary: bool

    def predict(self, design: np.ndarray) -> np.ndarray:
        """Predict, shape (n,), for a design matrix of shape (n, n_columns)."""
        if self.is_binary:
            return np.asarray(self.model.predict_proba(design)[:, 1])
        return np.asarray(self.model.predict(design))

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers, from which `Forest` predicts the same bits."""
        return _as_arrays([one.tree_ for one in self.model.estimators_]).to_json()


@dataclass(frozen=True, eq=False, repr=False)
class Forest:
    """A forest from its files: binary trees, all nodes in one row; a leaf is its own child.

    Attributes
    ----------
    roots : ndarray of int, shape (n_trees,)
        First node of each tree.
    feature, left, right : ndarray of int, shape (n_nodes,)
    threshold, value : ndarray of float, shape (n_nodes,)
        Rows with ``x[feature] <= threshold`` go left; `value` counts at leaves.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    def predict(self, design: np.ndarray) -> np.ndarray:
        """Predict, shape (n,), for a design matrix of shape (n, n_columns).

        Scikit-learn compares in single precision: thresholds lie between values
        that differ there.
        """
        single = design.astype(np.float32)
        total = np.zeros(len(design))
        for root in self.roots:
            total += self.value[self._leaves(single, root)]
        return np.asarray(total / len(self.roots))

    def _leaves(self, single: np.ndarray, root: int) -> np.ndarray:
        """Follow each row to its leaf, shape (n,); rows that have arrived drop out."""
        node = np.full(len(single), root, dtype=np.intp)
        moving = np.arange(len(single))
        while len(moving):
            at = node[moving]
            goes_left = single[moving, self.feature[at]] <= self.threshold[at]
            node[moving] = np.where(goes_left, self.left[at], self.right[at])
            moving = moving[node[moving] != at]
        return node

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers."""
        arrays = ("roots", "feature", "threshold", "left", "right", "value")
        return {"type": "forest", **{name: getattr(self, name).tolist() for name in arrays}}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Restore what `to_json` gave."""
        indices = ("roots", "feature", "left", "right")
        return cls(
            **{name: np.array(state[name], dtype=np.intp) for name in indices},
            **{name: np.array(state[name], dtype=float) for name in ("threshold", "value")},
        )


def fit_forest(design: np.ndarray, target: np.ndarray, is_binary: bool) -> GrownForest:
    """Grow scikit-learn's default forest with random state 42.

    Parameters
    ----------
    design : ndarray, shape (n, p)
    target : ndarray, shape (n,)
        0 and 1, both present, if `is_binary`.
    is_binary : bool
        A classifier if true, a regressor otherwise.

    Notes
    -----
    100 trees grown until their leaves are pure: their predictions for the rows
    they were grown on are mostly those rows' own targets.

    References
    ----------
    Kim, Xu and Lin, arXiv 2511.00318, the published scripts.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    family = RandomForestClassifier if is_binary else RandomForestRegressor
    model = family(random_state=PUBLISHED_SEED).fit(design, target)
    return GrownForest(model, is_binary)


def _as_arrays(trees: list[Any]) -> Forest:
    sizes = np.array([tree.node_count for tree in trees])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    itself, first = np.arange(sizes.sum()), np.repeat(roots, sizes)
    is_leaf = np.concatenate([tree.children_left for tree in trees]) < 0
    left, right = (
        np.where(is_leaf, itself, first + np.concatenate([getattr(tree, side) for tree in trees]))
        for side in ("children_left", "children_right")
    )
    return Forest(
        roots=roots,
        feature=np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees])),
        threshold=np.where(is_leaf, 0.0, np.concatenate([tree.threshold for tree in trees])),
        left=left,
        right=right,
        # a mean, or the share of the last class, which for a 0/1 target is 1
        value=np.concatenate([tree.value[:, 0, -1] for tree in trees]),
    )
