"""The learners a study can name, and how a treatment arm enters them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from hybrid_assets.nuisance.basis import BasisWord
from hybrid_assets.nuisance.boosting import TreeEnsemble, fit_boosting
from hybrid_assets.nuisance.forest import Forest, fit_forest
from hybrid_assets.nuisance.regression import LinearPredictor, fit_constant, fit_ridge

RIDGE_PENALTY = 1.0
PAIRWISE_PENALTY = 5.0


class Predictor(Protocol):
    """A fitted learner: a function of a design matrix that is saved as plain numbers."""

    def predict(self, design: np.ndarray) -> np.ndarray:
        """Predict, shape (n,), for a design matrix of shape (n, n_columns)."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers."""
        ...


@dataclass(frozen=True)
class Learner:
    """A way to fit a predictor on one basis of the covariates."""

    word: str
    basis: BasisWord
    fit_design: Callable[[np.ndarray, np.ndarray, bool], Predictor]
    imports: str = "numpy"

    def fit(self, design: np.ndarray, target: np.ndarray, is_binary: bool) -> Predictor:
        """Fit to a design matrix (n, p) and target (n,); a target without variation gives its mean.

        Raises
        ------
        NotConverged
            If the learner's equations are not solved.
        """
        if np.ptp(target) == 0.0:
            return fit_constant(design, target, is_binary)
        return self.fit_design(design, target, is_binary)


LEARNERS: dict[str, Learner] = {
    learner.word: learner
    for learner in (
        Learner("constant", "constant", fit_constant),
        Learner("linear", "linear", partial(fit_ridge, penalty=RIDGE_PENALTY)),
        Learner("spline", "spline", partial(fit_ridge, penalty=RIDGE_PENALTY)),
        Learner("pairwise", "pairwise", partial(fit_ridge, penalty=PAIRWISE_PENALTY)),
        Learner("boosting", "linear", fit_boosting, "sklearn.ensemble"),
        Learner("parametric", "parametric", partial(fit_ridge, penalty=0.0)),
        Learner("forest", "recorded", fit_forest, "sklearn.ensemble"),
    )
}


@contextmanager
def one_thread(words: Iterable[str]) -> Iterator[None]:
    """Fit learners on one thread, so that sums have a fixed order and cores are left to others.

    What a learner imports is imported first: a limit does not hold threads that come later.
    """
    from threadpoolctl import threadpool_limits

    for word in words:
        import_module(LEARNERS[word].imports)
    with threadpool_limits(limits=1):
        yield


def predictor_from_json(state: dict[str, Any]) -> Predictor:
    """Restore a predictor by its type."""
    kinds: dict[str, Callable[[dict[str, Any]], Predictor]] = {
        "linear": LinearPredictor.from_json,
        "trees": TreeEnsemble.from_json,
        "forest": Forest.from_json,
    }
    return kinds[state["type"]](state)


@dataclass(frozen=True)
class ArmDesign:
    """How treatment enters an outcome model.

    Attributes
    ----------
    is_pooled : bool
        One model for both arms with treatment as a column; otherwise one
        model per arm.
    interactions : tuple of int or None
        For a pooled model, the columns multiplied by treatment; None for all.
    """

    is_pooled: bool
    interactions: tuple[int, ...] | None = None

    def matrix(self, basis: np.ndarray, arm: np.ndarray | float) -> np.ndarray:
        """Give the design matrix of rows whose treatment is `arm` (a scalar or shape (n,))."""
        if not self.is_pooled:
            return basis
        arms = np.broadcast_to(np.asarray(arm, dtype=float), (len(basis),))[:, None]
        picked = basis if self.interactions is None else basis[:, list(self.interactions)]
        return np.column_stack([basis, arms, arms * picked])

    def fit(
        self,
        learner: Learner,
        basis: np.ndarray,
        treatment: np.ndarray,
        outcome: np.ndarray,
        is_binary: bool,
    ) -> tuple[Predictor, Predictor]:
        """Fit a predictor for control and one for treatment (the same object if pooled)."""
        if self.is_pooled:
            both = learner.fit(self.matrix(basis, treatment), outcome, is_binary)
            return both, both
        control, treated = (
            learner.fit(basis[treatment == arm], outcome[treatment == arm], is_binary)
            for arm in (0, 1)
        )
        return control, treated
