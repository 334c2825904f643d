"""One learner's predictions of rows that it never saw, here or in another process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from hybrid_assets.handing_out import ThisProcess
from hybrid_assets.nuisance.basis import BasisWord
from hybrid_assets.nuisance.library import LEARNERS, one_thread
from hybrid_assets.nuisance.observed import Observed

Splits = list[tuple[np.ndarray, np.ndarray]]
Nuisance = Literal["propensity", "outcome"]
# three fold draws of 100,000 rows: 16.5 s here, 10.6 with two processes, which take 2 s to start
ROWS_HANDED_OUT = 50_000


@dataclass(frozen=True, eq=False)
class FoldFits:
    """Fits of one learner, one to the rows outside each fold.

    Attributes
    ----------
    nuisance : {"propensity", "outcome"}
    learner : str
        Its word.
    fold_ids : ndarray of int, shape (n,)
        Fold that leaves the row out; all 0 for an in-sample fit.
    """

    nuisance: Nuisance
    learner: str
    fold_ids: np.ndarray


def out_of_fold(
    observed: Observed, wanted: Sequence[FoldFits], workers: Executor | None = None
) -> list[np.ndarray]:
    """Predict each row by learners that never saw its fold.

    Parameters
    ----------
    observed : Observed
    wanted : sequence of FoldFits
    workers : Executor, optional
        Fits where there are more than `ROWS_HANDED_OUT` rows; this process if None.

    Returns
    -------
    list of ndarray
        In the order of `wanted`: shape (n,) of the propensity, (2, n) of both arms' means.

    Raises
    ------
    NotConverged
        If a learner's equations are not solved.
    """
    place: Executor = ThisProcess()
    here = OutOfFold(observed)
    fit: Callable[[FoldFits], np.ndarray] = here
    if workers is not None and len(observed.treatment) > ROWS_HANDED_OUT:
        place, fit = workers, partial(_on_one_thread, here)
    # by basis: its design matrix is made once
    order = sorted(range(len(wanted)), key=lambda k: LEARNERS[wanted[k].learner].basis)
    predicted = place.map(fit, [wanted[k] for k in order])
    found = dict(zip(order, predicted, strict=True))
    return [found[k] for k in range(len(wanted))]


class OutOfFold:
    """Makes `FoldFits` of one table, and predicts each fold.

    Of the design matrices one is kept: the last that was needed.

    Parameters
    ----------
    observed : Observed
    """

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self._last: tuple[BasisWord, np.ndarray] | None = None

    def __call__(self, fits: FoldFits) -> np.ndarray:
        """Give predictions, shape (n,) of the propensity or (2, n) of both arms' means."""
        make = self._propensity if fits.nuisance == "propensity" else self._outcome
        return make(fits)

    def _basis(self, word: BasisWord) -> np.ndarray:
        if self._last is None or self._last[0] != word:
            self._last = None
            self._last = word, self._observed.matrix(word)
        return self._last[1]

    def _propensity(self, fits: FoldFits) -> np.ndarray:
        learner, treatment = LEARNERS[fits.learner], self._observed.treatment
        basis = self._basis(learner.basis)
        predictions = np.empty(len(treatment))
        for train, test in splits(fits.fold_ids):
            predictions[test] = learner.fit(basis[train], treatment[train], True).predict(
                basis[test]
            )
        return predictions

    def _outcome(self, fits: FoldFits) -> np.ndarray:
        learner, seen = LEARNERS[fits.learner], self._observed
        basis, design = self._basis(learner.basis), seen.arm_design
        predictions = np.empty((2, len(seen.outcome)))
        for train, test in splits(fits.fold_ids):
            arms = design.fit(
                learner, basis[train], seen.treatment[train], seen.outcome[train], seen.is_binary
            )
            for arm, fitted in enumerate(arms):
                predictions[arm, test] = fitted.predict(design.matrix(basis[test], arm))
        return predictions


def _on_one_thread(fit: OutOfFold, fits: FoldFits) -> np.ndarray:
    with one_thread([fits.learner]):
        return fit(fits)


def splits(fold_ids: np.ndarray) -> Splits:
    """Give the rows to fit on and to predict, fold by fold; one fold is all in-sample."""
    folds = np.unique(fold_ids)
    if len(folds) == 1:
        return [(np.arange(len(fold_ids)),) * 2]
    return [(np.flatnonzero(fold_ids != k), np.flatnonzero(fold_ids == k)) for k in folds]
