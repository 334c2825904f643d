"""Spread of a continuous outcome in a population whose means dials can move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from hybrid_assets.location_scale import noise_law, to_precision
from hybrid_assets.nuisance.outcome_model import OutcomeModel
from hybrid_assets.schema import ColumnSchema


@dataclass(frozen=True, eq=False, repr=False)
class OutcomeNoise:
    """Spread of a continuous outcome around its means, as hybrid triplets have it.

    Attributes
    ----------
    location, scale : ndarray, shape (2, n_pool)
        By arm: Y = location + scale × residual, moved into the limits.
    residuals : tuple of ndarray
        By arm, equally likely. Confidential.
    limits : tuple of float
    column : ColumnSchema
        Of the outcome; its precision.
    """

    location: np.ndarray
    scale: np.ndarray
    residuals: tuple[np.ndarray, np.ndarray]
    limits: tuple[float, float]
    column: ColumnSchema

    @classmethod
    def from_model(cls, pool: pd.DataFrame, means: np.ndarray, model: OutcomeModel) -> Self:
        """Take the noise that hybrid triplets would have around means (2, n_pool)."""
        laws = [noise_law(pool, means[arm], model, arm) for arm in (0, 1)]
        return cls(
            location=np.stack([location for location, _ in laws]),
            scale=np.stack([scale for _, scale in laws]),
            residuals=(model.noise[0].residuals, model.noise[1].residuals),
            limits=(model.lowest, model.highest),
            column=model.schema[model.schema.outcome],
        )

    def draw(
        self, rows: np.ndarray, arm: np.ndarray, moved: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw outcomes of pool rows under arms, moved by what dials and a confounder add."""
        error = np.empty(rows.shape)
        for a, residuals in enumerate(self.residuals):
            of_arm = arm == a
            error[of_arm] = rng.choice(residuals, size=int(of_arm.sum()))
        free = self.location[arm, rows] + self.scale[arm, rows] * error
        return to_precision(np.clip(free, *self.limits) + moved, self.column, rng)
