"""A stack fitted on all rows: its members, and how models are written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd

from hybrid_assets.errors import EstimationError, InvalidModelFiles
from hybrid_assets.nuisance.basis import CovariateBasis
from hybrid_assets.nuisance.cross_fitting import CrossFit
from hybrid_assets.nuisance.library import LEARNERS, ArmDesign, Predictor, predictor_from_json

Model = TypeVar("Model")
_FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class Member:
    """One learner of a stack, fitted; its predictors differ by arm only in outcome models."""

    word: str
    weight: float
    control: Predictor
    treated: Predictor

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers; a predictor shared by both arms is written once."""
        shared = self.control is self.treated
        predictors = [self.control] if shared else [self.control, self.treated]
        return {
            "word": self.word,
            "weight": self.weight,
            "predictors": [predictor.to_json() for predictor in predictors],
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Restore what `to_json` gave."""
        predictors = [predictor_from_json(each) for each in state["predictors"]]
        return cls(state["word"], state["weight"], predictors[0], predictors[-1])


def predict_arm(
    members: tuple[Member, ...],
    basis: CovariateBasis,
    design: ArmDesign,
    covariates: pd.DataFrame,
    arm: int,
) -> np.ndarray:
    """Weight the members' predictions of each row under `arm` (0 or 1), shape (n,)."""
    matrices = basis.matrices(covariates, {LEARNERS[member.word].basis for member in members})
    total = np.zeros(len(covariates))
    for member in members:
        predictor = member.treated if arm == 1 else member.control
        matrix = design.matrix(matrices[LEARNERS[member.word].basis], arm)
        total += member.weight * predictor.predict(matrix)
    return total


def used(weights: dict[str, float]) -> list[tuple[str, float]]:
    """Keep the learners with a positive weight."""
    return [(word, weight) for word, weight in weights.items() if weight > 0.0]


def require_same_rows(table: pd.DataFrame, cross_fits: tuple[CrossFit, ...]) -> None:
    """Refuse cross-fits of another table.

    Raises
    ------
    EstimationError
        If there are none or their number of rows differs.
    """
    if not cross_fits or any(len(fit.treatment) != len(table) for fit in cross_fits):
        raise EstimationError("the cross-fits were not made from the rows of this table")


def dump(name: str, state: dict[str, Any]) -> dict[str, bytes]:
    """Write a model's state as one JSON file; floats keep every bit."""
    content = json.dumps({"format": _FORMAT, **state}, allow_nan=False, sort_keys=True)
    return {name: content.encode()}


def load(name: str, files: dict[str, bytes], restore: Callable[[dict[str, Any]], Model]) -> Model:
    """Read what `dump` wrote.

    Raises
    ------
    InvalidModelFiles
        If the file is absent, unreadable or of another format.
    """
    try:
        state = json.loads(files[name])
        if state["format"] != _FORMAT:
            raise InvalidModelFiles(f"{name} has format {state['format']}, expected {_FORMAT}")
        return restore(state)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InvalidModelFiles(f"{name} is absent or incomplete") from error
