"""Which part of a table moved its effect: covariates, contrast, assignment or noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.fidelity.loss_decomposition import ArmMeans


@dataclass(frozen=True)
class DriftAttribution:
    """How much each component moved the weighted effect, from the seed's to the table's.

    Attributes
    ----------
    covariate_law : float
        The seed's contrast, averaged over the table's covariates instead of the seed's.
    contrast : float
        The table's own contrast instead of the seed's, over the table's covariates.
    assignment : float
        Imbalance: treated and control rows differ in their covariates by more
        than the study's propensity explains.
    noise : float
        Outcomes around their fitted means.
    total : float
        The sum of the four.
    """

    covariate_law: float
    contrast: float
    assignment: float
    noise: float
    total: float


@dataclass(frozen=True, eq=False, repr=False)
class WeightedTable:
    """A table as the attribution needs it; every array has shape (n,).

    Attributes
    ----------
    treatment, outcome : ndarray
        A and Y.
    propensity : ndarray
        P(A = 1 | W) by the study's design or its seed, bounded away from 0 and 1.
    means : tuple of ndarray
        Outcome regression fitted to this table, at its covariates.
    """

    treatment: np.ndarray
    outcome: np.ndarray
    propensity: np.ndarray
    means: ArmMeans

    @property
    def contrast(self) -> np.ndarray:
        """The table's own τ(W), shape (n,)."""
        return self.means[1] - self.means[0]

    def weighted_difference(self, treated: np.ndarray, control: np.ndarray) -> float:
        """Hájek means of `treated` in the treated less `control` in the controls."""
        w1 = self.treatment / self.propensity
        w0 = (1.0 - self.treatment) / (1.0 - self.propensity)
        return float(w1 @ treated / w1.sum() - w0 @ control / w0.sum())


def attribute_drift(
    synthetic: WeightedTable, seed: WeightedTable, seed_contrast: np.ndarray
) -> DriftAttribution:
    """Swap one component after the other, from the seed's to the synthetic table's.

    The effect is the Hájek-weighted difference under the study's propensity,
    which is mean τ(W) + imbalance + noise, where the imbalance is the weighted
    difference of the fitted means less mean τ, and the noise that of the
    residuals. Swapped in the order covariate law, contrast, assignment, noise;
    the last two enter by addition, so their order does not matter. The parts
    sum to the total exactly.

    Parameters
    ----------
    synthetic, seed : WeightedTable
    seed_contrast : ndarray, shape (n_synthetic,)
        The seed's τ at the synthetic covariates.
    """
    moved = [_imbalance_and_noise(table) for table in (synthetic, seed)]
    law = float(seed_contrast.mean() - seed.contrast.mean())
    contrast = float((synthetic.contrast - seed_contrast).mean())
    assignment, noise = (float(made - real) for made, real in zip(*moved, strict=True))
    return DriftAttribution(law, contrast, assignment, noise, law + contrast + assignment + noise)


def _imbalance_and_noise(table: WeightedTable) -> tuple[float, float]:
    control, treated = table.means
    fitted = table.weighted_difference(treated, control)
    observed = table.weighted_difference(table.outcome, table.outcome)
    return fitted - float(table.contrast.mean()), observed - fitted
