"""AIM: which counts of people are worth their price, chosen and taken one by one.

McKenna, Mullins, Sheldon and Miklau 2022 (arXiv 2201.12677), algorithms 2 to 4, with replace-one
neighbours and a public number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import pi, sqrt

import numpy as np

from hybrid_assets.generators.private.clique_tree import Clique, clique_tree, n_cells
from hybrid_assets.generators.private.graphical_model import (
    GraphicalModel,
    NoisyCounts,
    fit_model,
)
from hybrid_assets.generators.private.mechanisms import NoiseSource, noise_scale

TAKEN_SHARE = 0.9  # of each round's price: counts; the rest: which counts
ROUNDS_PER_COLUMN = 16
STEPS_OF_A_ROUND, STEPS_AT_THE_END = 50, 500


@dataclass(frozen=True, eq=False, repr=False)
class PeopleCounts:
    """Counts people by bins: the only thing here that sees them.

    Attributes
    ----------
    rows : ndarray of int64, shape (n, d)
        Bins.
    sizes : tuple of int
        Bins of each column.
    """

    rows: np.ndarray
    sizes: tuple[int, ...]

    def of(self, columns: Clique) -> np.ndarray:
        """Count people in each cell, int64 of shape (bins of the first column, ...)."""
        shape = [self.sizes[column] for column in columns]
        cells = np.ravel_multi_index(tuple(self.rows[:, columns].T), shape)
        return np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)


@dataclass(frozen=True, eq=False, repr=False)
class AimFit:
    """A private law, and what it cost.

    Attributes
    ----------
    model : GraphicalModel
    measured : tuple of NoisyCounts
        In the order in which they were taken.
    rho : float
        Spent, zCDP; never above the budget.
    """

    model: GraphicalModel
    measured: tuple[NoisyCounts, ...]
    rho: float


def aim(people: PeopleCounts, rho: float, noise: NoiseSource, *, max_cells: int) -> AimFit:
    """Learn a law of all columns within a budget.

    Counts of single columns come first. Each round then chooses, by the
    exponential mechanism, the counts of up to three columns that the model
    misses by most beyond the noise to come, takes them with Gaussian noise and
    fits the model again. A round that taught nothing makes the next ones four
    times as dear, and so more exact.

    Parameters
    ----------
    people : PeopleCounts
    rho : float
        Budget, zCDP.
    noise : NoiseSource
    max_cells : int
        Cells of the model when the budget is spent; fewer before.
    """
    sizes, n_rows = people.sizes, len(people.rows)
    price = rho / (ROUNDS_PER_COLUMN * len(sizes))
    measured = [_taken(people, (c,), TAKEN_SHARE * price, noise) for c in range(len(sizes))]
    spent = TAKEN_SHARE * price * len(sizes)
    model = fit_model(sizes, measured, n_rows, n_steps=STEPS_OF_A_ROUND)
    workload = weighted_workload(len(sizes))
    while spent < rho:
        if rho - spent < 2.0 * price:
            price = rho - spent
        possible = _small_enough(workload, model, max_cells * min(1.0, (spent + price) / rho))
        columns = _chosen(people, possible, model, price, noise)
        measured.append(_taken(people, columns, TAKEN_SHARE * price, noise))
        spent = min(spent + price, rho) if price < rho - spent else rho
        before = model.probabilities(columns)
        model = fit_model(sizes, measured, n_rows, start=model, n_steps=STEPS_OF_A_ROUND)
        moved = n_rows * float(np.abs(model.probabilities(columns) - before).sum())
        if moved <= _expected_noise(measured[-1].scale, before.size):
            price *= 4.0
    model = fit_model(sizes, measured, n_rows, start=model, n_steps=STEPS_AT_THE_END)
    return AimFit(model, tuple(measured), spent)


def weighted_workload(n_columns: int) -> dict[Clique, float]:
    """Weigh each set of up to three columns by how much it shares with all sets of three."""
    degree = min(3, n_columns)
    wanted = [set(columns) for columns in combinations(range(n_columns), degree)]
    every = (c for k in range(1, degree + 1) for c in combinations(range(n_columns), k))
    return {columns: float(sum(len(set(columns) & w) for w in wanted)) for columns in every}


def _taken(people: PeopleCounts, columns: Clique, rho: float, noise: NoiseSource) -> NoisyCounts:
    noisy = noise.noisy_counts(people.of(columns), rho)
    return NoisyCounts(columns, noisy.astype(np.float64), noise_scale(rho))


def _chosen(
    people: PeopleCounts,
    possible: dict[Clique, float],
    model: GraphicalModel,
    price: float,
    noise: NoiseSource,
) -> Clique:
    scale = noise_scale(TAKEN_SHARE * price)
    scores = [
        weight
        * (_distance(people, columns, model) - _expected_noise(scale, _size(people, columns)))
        for columns, weight in possible.items()
    ]
    largest = max(possible.values())
    best = noise.best(np.array(scores), (1.0 - TAKEN_SHARE) * price, largest)
    return list(possible)[best]


def _distance(people: PeopleCounts, columns: Clique, model: GraphicalModel) -> float:
    expected = len(people.rows) * model.probabilities(columns)
    return float(np.abs(people.of(columns) - expected).sum())


def _expected_noise(scale: float, n_counts: int) -> float:
    """Give the expected sum of absolute Gaussian noise."""
    return sqrt(2.0 / pi) * scale * n_counts


def _size(people: PeopleCounts, columns: Sequence[int]) -> int:
    return int(np.prod([people.sizes[column] for column in columns]))


def _small_enough(
    workload: dict[Clique, float], model: GraphicalModel, limit: float
) -> dict[Clique, float]:
    """Keep what the model can take in; what it holds already always fits."""
    known = list(model.potentials)
    return {
        columns: weight
        for columns, weight in workload.items()
        if columns in model.potentials
        or n_cells(model.sizes, clique_tree(model.sizes, [*known, columns])) <= limit
    }
