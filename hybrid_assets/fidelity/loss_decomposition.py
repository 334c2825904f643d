"""Where a prediction's excess loss comes from, and how little of it is the effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ArmMeans = tuple[np.ndarray, np.ndarray]  # E[Y | A = 0, W] and E[Y | A = 1, W], each (n,)


@dataclass(frozen=True)
class LossDecomposition:
    """Errors of one outcome regression against another, in (squared) units of the outcome.

    Attributes
    ----------
    main_error : float
        E[(m̂ − m)²] with m(W) = E[Y | W].
    effect_error : float
        E[g(1 − g)(τ̂ − τ)²]: all that prediction loss sees of the effect.
    effect_error_unweighted : float
        E[(τ̂ − τ)²]: the same without the overlap weight.
    ate_error : float
        E[τ̂ − τ].
    """

    main_error: float
    effect_error: float
    effect_error_unweighted: float
    ate_error: float

    @property
    def excess_loss(self) -> float:
        """E[(f − Q)²] over (A, W): what the errors cost in squared prediction loss."""
        return self.main_error + self.effect_error


def loss_decomposition(
    fitted: ArmMeans, reference: ArmMeans, propensity: np.ndarray
) -> LossDecomposition:
    """Split the excess squared loss of `fitted` into main and effect error.

    Any regression can be written f(a, W) = m̂(W) + (a − g(W)) τ̂(W) with
    τ̂ = f(1, W) − f(0, W) and m̂ = f(0, W) + g τ̂. As A − g has mean 0 given W,
    the excess loss over the reference regression Q is
    E[(m̂ − m)²] + E[g(1 − g)(τ̂ − τ)²] exactly: the cross term vanishes
    (Robinson 1988, doi:10.2307/1912705; Nie and Wager 2021,
    doi:10.1093/biomet/asaa076, call the second part the R-loss).

    Parameters
    ----------
    fitted, reference : tuple of ndarray, each of shape (n,)
        Means under control and under treatment, at the same covariates.
    propensity : ndarray, shape (n,)
        g(W) in [0, 1] of the people whose loss is counted.
    """
    g = propensity
    effect, true_effect = fitted[1] - fitted[0], reference[1] - reference[0]
    main = (fitted[0] + g * effect) - (reference[0] + g * true_effect)
    off = effect - true_effect
    return LossDecomposition(
        main_error=float(np.mean(main**2)),
        effect_error=float(np.mean(g * (1.0 - g) * off**2)),
        effect_error_unweighted=float(np.mean(off**2)),
        ate_error=float(np.mean(off)),
    )
