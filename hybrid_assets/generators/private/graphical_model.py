"""A law of many columns from noisy counts of few: maximum entropy, exact inference, draws.

McKenna, Sheldon and Miklau 2019 (arXiv 1901.09136), algorithm 1. It works on noisy counts alone,
so that a mistake here costs accuracy and no privacy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_assets.generators.private.clique_tree import Clique, CliqueTree, clique_tree

N_STEPS = 200
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, eq=False, repr=False)
class NoisyCounts:
    """Counts of a set of columns, with Gaussian noise.

    Attributes
    ----------
    columns : tuple of int
    counts : ndarray of float64, shape (bins of the first column, ...)
    scale : float
        Standard deviation of the noise.
    """

    columns: Clique
    counts: np.ndarray
    scale: float


class GraphicalModel:
    """A law over binned columns: the product of one potential for each set of columns.

    Parameters
    ----------
    sizes : sequence of int
        Bins of each column.
    potentials : dict of tuple of int to ndarray
        Logarithms; shape as `NoisyCounts.counts`.
    tree : CliqueTree, optional
        Of these sets of columns, if it is known.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        potentials: dict[Clique, np.ndarray],
        tree: CliqueTree | None = None,
    ) -> None:
        self.sizes = tuple(sizes)
        self.potentials = potentials
        self.tree = clique_tree(self.sizes, potentials) if tree is None else tree
        self._homes = {columns: self.tree.holder(columns) for columns in potentials}
        self._beliefs = self._calibrated()

    def probabilities(self, columns: Clique) -> np.ndarray:
        """Give the law of a few columns, shape (bins of the first column, ...); sums to one."""
        if columns in self._homes:
            return self._within(self._homes[columns], columns)
        needed = self.tree.spanning(columns)
        operands: list[object] = []
        for position in needed:
            clique = self.tree.cliques[position]
            operands += [self._conditional(position).reshape(self._shape(clique)), list(clique)]
        law = np.einsum(*operands, list(columns), optimize="greedy")  # type: ignore[call-overload]
        return np.asarray(law)

    def draw(self, n_rows: int, rng: np.random.Generator) -> np.ndarray:
        """Draw rows independently: bins, int64 of shape (n_rows, number of columns)."""
        blocks = [
            self._drawn(min(ROWS_AT_ONCE, n_rows - start), rng)
            for start in range(0, n_rows, ROWS_AT_ONCE)
        ]
        return np.concatenate(blocks) if blocks else np.empty((0, len(self.sizes)), dtype=np.int64)

    def _drawn(self, n_rows: int, rng: np.random.Generator) -> np.ndarray:
        rows = np.zeros((n_rows, len(self.sizes)), dtype=np.int64)
        for position, clique in enumerate(self.tree.cliques):
            known = self.tree.separator(position)
            new = tuple(column for column in clique if column not in known)
            law = self._within(position, (*known, *new))
            shape = [self.sizes[column] for column in known], [self.sizes[c] for c in new]
            cumulated = law.reshape(int(np.prod(shape[0])), -1).cumsum(axis=1)
            given = np.zeros(n_rows, dtype=np.int64)
            if known:
                given = np.ravel_multi_index(tuple(rows[:, known].T), shape[0])
            reached = rng.random(n_rows) * cumulated[given, -1]
            drawn = (cumulated[given] <= reached[:, None]).sum(axis=1)
            drawn = np.minimum(drawn, cumulated.shape[1] - 1)
            rows[:, new] = np.stack(np.unravel_index(drawn, shape[1]), axis=1)
        return rows

    def _shape(self, columns: Clique) -> tuple[int, ...]:
        return tuple(self.sizes[column] for column in columns)

    def _spread(self, columns: Clique, array: np.ndarray) -> np.ndarray:
        """Give an axis to every column of the table; of length one where it is not among these."""
        return array.reshape([s if i in columns else 1 for i, s in enumerate(self.sizes)])

    def _calibrated(self) -> list[np.ndarray]:
        """Pass messages up and down the tree: logarithms of each clique's law."""
        tree = self.tree
        beliefs = [self._spread(clique, np.zeros(self._shape(clique))) for clique in tree.cliques]
        for columns, potential in self.potentials.items():
            home = self._homes[columns]
            beliefs[home] = beliefs[home] + self._spread(columns, potential)
        sent: dict[int, np.ndarray] = {}
        for child in reversed(range(1, len(tree.cliques))):
            sent[child] = self._summed(beliefs[child], tree.separator(child))
            beliefs[tree.parents[child]] = beliefs[tree.parents[child]] + sent[child]
        for child in range(1, len(tree.cliques)):
            told = self._summed(beliefs[tree.parents[child]], tree.separator(child))
            beliefs[child] = beliefs[child] + told - sent[child]
        total = self._summed(beliefs[0], ())
        return [belief - total for belief in beliefs]

    def _summed(self, logarithms: np.ndarray, kept: Clique) -> np.ndarray:
        """Sum over all columns but these, on the scale of logarithms."""
        axes = tuple(i for i in range(len(self.sizes)) if i not in kept)
        highest = logarithms.max(axis=axes, keepdims=True)
        summed = np.exp(logarithms - highest).sum(axis=axes, keepdims=True)
        return np.asarray(np.log(summed) + highest)

    def _within(self, position: int, columns: Clique) -> np.ndarray:
        """Give the law of columns of one clique, axes in their order."""
        clique = self.tree.cliques[position]
        law = np.exp(self._beliefs[position]).reshape(self._shape(clique))
        law = law.sum(axis=tuple(i for i, c in enumerate(clique) if c not in columns))
        present = [column for column in clique if column in columns]
        return np.asarray(law.transpose([present.index(column) for column in columns]))

    def _conditional(self, position: int) -> np.ndarray:
        """Give a clique's law given what it shares with its parent."""
        belief = self._beliefs[position]
        if position == 0:
            return np.asarray(np.exp(belief))
        return np.asarray(np.exp(belief - self._summed(belief, self.tree.separator(position))))


def fit_model(
    sizes: Sequence[int],
    measured: Sequence[NoisyCounts],
    n_rows: int,
    *,
    start: GraphicalModel | None = None,
    n_steps: int = N_STEPS,
) -> GraphicalModel:
    """Find the law whose counts are nearest to the noisy ones, weighted by their precision.

    Mirror descent with the entropy as distance: each step moves the potentials
    against the gradient of Σ ‖n·p − y‖² / 2σ². A step that does not decrease
    the loss by half of what its slope promises is halved.

    Parameters
    ----------
    sizes : sequence of int
    measured : sequence of NoisyCounts
        Several of the same columns count each.
    n_rows : int
        Public number of rows.
    start : GraphicalModel, optional
        Where to start.
    n_steps : int
    """
    known = start.potentials if start is not None else {}
    potentials = {m.columns: known.get(m.columns, np.zeros_like(m.counts)) for m in measured}
    model = GraphicalModel(sizes, {**known, **potentials})
    loss, slopes = _loss(model, measured, n_rows)
    step = 1.0 / n_rows / max(1.0 / m.scale**2 for m in measured)
    for _ in range(n_steps):
        moved = {c: p - step * slopes[c] if c in slopes else p for c, p in model.potentials.items()}
        candidate = GraphicalModel(sizes, moved, model.tree)
        new_loss, new_slopes = _loss(candidate, measured, n_rows)
        promised = sum(
            float((slope * (model.probabilities(c) - candidate.probabilities(c))).sum()) * n_rows
            for c, slope in slopes.items()
        )
        if loss - new_loss >= 0.5 * promised:
            model, loss, slopes, step = candidate, new_loss, new_slopes, step * 1.5
        else:
            step *= 0.5
    return model


def _loss(
    model: GraphicalModel, measured: Sequence[NoisyCounts], n_rows: int
) -> tuple[float, dict[Clique, np.ndarray]]:
    loss, slopes = 0.0, dict[Clique, np.ndarray]()
    for counts in measured:
        off = (n_rows * model.probabilities(counts.columns) - counts.counts) / counts.scale
        loss += 0.5 * float((off**2).sum())
        slopes[counts.columns] = slopes.get(counts.columns, 0.0) + off / counts.scale
    return loss, slopes
