"""The two ways in which the generator `dp` looks at people, and what each costs.

Neighbours are tables of the same number of rows that differ in one row (replace-one). Such a
change moves one unit from one cell of a table of counts to another: √2 in Euclidean norm, and 2 in
the sum of absolute differences that AIM scores with.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, Protocol

import numpy as np

from hybrid_assets.errors import GeneratorError

COUNTS_CHANGE = sqrt(2.0)  # of any table of counts, Euclidean
ABSOLUTE_CHANGE = 2.0  # of Σ |counts − anything|
ROUNDING = 1e-6  # of a score that is a sum in floating point


def noise_scale(rho: float) -> float:
    """Give the standard deviation of the noise on counts that costs ρ."""
    return COUNTS_CHANGE / sqrt(2.0 * rho)


def choice_scale(rho: float, largest_weight: float) -> float:
    """Give the Gumbel scale of a choice among scores that costs ρ.

    The exponential mechanism with e^(score/scale) is (2Δ/scale)-bounded-range,
    and so (2Δ/scale)²/8-zCDP (Cesar and Rogers 2021, arXiv 2004.07223, lemma 3.2).

    Parameters
    ----------
    rho : float
    largest_weight : float
        Scores are at most so many times Σ |counts − anything|.
    """
    return score_change(largest_weight) / sqrt(2.0 * rho)


def score_change(largest_weight: float) -> float:
    """Give the most that one person's row moves a score, rounding included."""
    return largest_weight * (ABSOLUTE_CHANGE + ROUNDING)


class NoiseSource(Protocol):
    """Gives noisy answers about people, each at its price."""

    def noisy_counts(self, counts: np.ndarray, rho: float) -> np.ndarray:
        """Add integer Gaussian noise of scale `noise_scale(rho)` to int64 counts, shape kept."""
        ...

    def best(self, scores: np.ndarray, rho: float, largest_weight: float) -> int:
        """Choose a position with a high score, by Gumbel noise of `choice_scale`."""
        ...


class OpenDpNoise:
    """OpenDP's samplers, exact on the integers and fed by the system's secure randomness.

    They take no seed, on purpose: noise that can be drawn again can be taken off.
    Each price is also asked of OpenDP's own privacy map.
    """

    def __init__(self) -> None:
        self._dp = opendp()

    def noisy_counts(self, counts: np.ndarray, rho: float) -> np.ndarray:
        """See `NoiseSource`.

        Raises
        ------
        GeneratorError
            If OpenDP's price is another.
        """
        dp = self._dp
        space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
        measurement = dp.m.make_gaussian(*space, scale=noise_scale(rho))
        _require_price(measurement.map(COUNTS_CHANGE), rho)
        return np.array(measurement(counts.ravel().tolist()), dtype=np.int64).reshape(counts.shape)

    def best(self, scores: np.ndarray, rho: float, largest_weight: float) -> int:
        """See `NoiseSource`; raises as `noisy_counts` does."""
        dp = self._dp
        space = dp.vector_domain(dp.atom_domain(T="f64", nan=False)), dp.linf_distance(T="f64")
        measure, scale = dp.zero_concentrated_divergence(), choice_scale(rho, largest_weight)
        measurement = dp.m.make_noisy_max(*space, measure, scale=scale)
        _require_price(measurement.map(score_change(largest_weight)), rho)
        return int(measurement(scores.tolist()))


def opendp() -> Any:
    """Import OpenDP.

    Raises
    ------
    GeneratorError
        If the extra is not installed.
    """
    try:
        import opendp.prelude as dp
    except ImportError:
        raise GeneratorError(
            "generator dp: expected the extra dp for its noise; got no package opendp: "
            "pip install 'hybrid-assets[dp]'"
        ) from None
    dp.enable_features("contrib")
    return dp


def _require_price(theirs: float, ours: float) -> None:
    if theirs > ours * (1.0 + 1e-6):
        raise GeneratorError(
            f"generator dp: expected a look at ρ = {ours:g}; OpenDP accounts {theirs:g}"
        )
