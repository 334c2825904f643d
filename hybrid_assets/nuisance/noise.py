"""The spread of a continuous outcome around its mean: location-scale noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hybrid_assets.nuisance.regression import minimise_newton

SCALE_PENALTY = 5.0
MAX_SCALE_RATIO = 3.0


@dataclass(frozen=True, eq=False, repr=False)
class ArmNoise:
    """Noise of one arm. Its residuals are confidential model state.

    Attributes
    ----------
    residuals : ndarray, shape (n_arm,)
        Standardised out-of-fold residuals: mean 0, standard deviation 1.
    log_scale : ndarray, shape (1 + n_main,)
        Intercept and coefficients of the log standard deviation on the main effects.
    typical_scale : float
        Root mean squared residual; scales stay within a factor 3 of it.
    """

    residuals: np.ndarray
    log_scale: np.ndarray
    typical_scale: float

    @classmethod
    def fit(cls, main_effects: np.ndarray, residuals: np.ndarray) -> Self:
        """Fit log variance linear in the main effects by gamma quasi-likelihood with a ridge.

        Parameters
        ----------
        main_effects : ndarray, shape (n_arm, n_main)
            Standardised.
        residuals : ndarray, shape (n_arm,)
            Out-of-fold: in-sample residuals are too small (.65 of the variance).
        """
        typical = float(np.sqrt((residuals**2).mean()))
        n_main = main_effects.shape[1]
        if typical == 0.0:
            return cls(np.zeros(len(residuals)), np.zeros(1 + n_main), 0.0)
        squared = (residuals / typical) ** 2

        def loss(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            ratio = squared * np.exp(-eta)
            return ratio + eta, 1.0 - ratio, ratio

        intercept, slopes = minimise_newton(main_effects, loss, start=0.0, penalty=SCALE_PENALTY)
        log_scale = 0.5 * np.r_[intercept + 2.0 * np.log(typical), slopes]
        unscaled = cls(residuals, log_scale, typical)
        standardised = residuals / unscaled.scale(main_effects)
        standardised = (standardised - standardised.mean()) / standardised.std()
        return cls(standardised, log_scale, typical)

    def scale(self, main_effects: np.ndarray) -> np.ndarray:
        """Give the standard deviation of Y given W in this arm, shape (n,); 0 if Y is exact."""
        if self.typical_scale == 0.0:
            return np.zeros(len(main_effects))
        scale = np.asarray(np.exp(self.log_scale[0] + main_effects @ self.log_scale[1:]))
        low, high = self.typical_scale / MAX_SCALE_RATIO, self.typical_scale * MAX_SCALE_RATIO
        return scale.clip(low, high)

    def to_json(self) -> dict[str, Any]:
        """Give plain numbers."""
        return {
            "residuals": self.residuals.tolist(),
            "log_scale": self.log_scale.tolist(),
            "typical_scale": self.typical_scale,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        """Restore what `to_json` gave."""
        return cls(
            np.array(state["residuals"], dtype=float),
            np.array(state["log_scale"], dtype=float),
            state["typical_scale"],
        )
