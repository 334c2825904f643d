"""Populations whose average treatment effect is known exactly, and replicates of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np
import pandas as pd

from hybrid_assets.benchmark.dials import turned
from hybrid_assets.benchmark.outcome_noise import OutcomeNoise
from hybrid_assets.benchmark.replicates import Replicates
from hybrid_assets.benchmark.settings import Dials
from hybrid_assets.errors import EstimationError
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import hybrid_triplets
from hybrid_assets.nuisance.basis import main_effect_names, main_effects


class Population(Protocol):
    """A law of (W, A, Y) with its true effect."""

    @property
    def true_ate(self) -> float:
        """Average treatment effect, in units of the outcome."""
        ...

    @property
    def known_propensity(self) -> float | None:
        """Probability of treatment that the analyst knows by design, if any."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that the draws depend on."""
        ...

    def draw(self, n_replicates: int, n_rows: int, rng: np.random.Generator) -> Replicates:
        """Draw fresh rows for each replicate: no (W, A, Y) is used twice."""
        ...


class AdjustablePopulation(Population, Protocol):
    """A population with dials."""

    def with_dials(self, dials: Dials) -> Population:
        """Turn the dials; the true effect is computed anew.

        Raises
        ------
        EstimationError
            If this population cannot be changed in that way.
        """
        ...


@dataclass(frozen=True, eq=False, repr=False)
class HybridPopulation:
    """A pool of covariates with the laws of A and Y given each row of it.

    Attributes
    ----------
    effects : ndarray, shape (n_pool, p)
        Main effects of the covariates; rows are drawn with equal probability.
    sources : tuple of str, length p
        Covariate behind each main effect.
    propensity : ndarray, shape (n_pool,)
    means : ndarray, shape (2, n_pool)
        E[Y | A = a, W] by arm.
    moved : ndarray, shape (2, n_pool)
        What dials added to the means of a continuous outcome.
    noise : OutcomeNoise or None
        None for a binary outcome.
    is_randomised : bool
        Whether the analyst knows the propensity.
    hidden : tuple of float
        Log odds ratio for treatment, and strength on the outcome (log odds
        ratio, or its units), of a hidden fair coin.
    """

    effects: np.ndarray
    sources: tuple[str, ...]
    propensity: np.ndarray
    means: np.ndarray
    moved: np.ndarray
    noise: OutcomeNoise | None
    is_randomised: bool
    hidden: tuple[float, float] = field(default=(0.0, 0.0))

    @classmethod
    def from_models(
        cls, pool: pd.DataFrame, models: GeneratingModels, settings: HybridSettings
    ) -> Self:
        """Take the pool's law of W, and the laws of A and Y that hybrid triplets would use.

        Parameters
        ----------
        pool : DataFrame
            Canonical covariates, many: drawn from a generator.
        models : GeneratingModels
        settings : HybridSettings
        """
        law = hybrid_triplets(pool, models, settings=settings, rng=np.random.default_rng(0))
        means = np.stack([law.outcome_control, law.outcome_treated])
        covariates = models.outcome.schema.covariates
        is_known = models.propensity.known is not None
        return cls(
            effects=main_effects(pool, covariates),
            sources=tuple(main_effect_names(covariates)),
            propensity=law.propensity,
            means=means,
            moved=np.zeros_like(means),
            noise=None
            if models.outcome.is_binary
            else OutcomeNoise.from_model(pool, means, models.outcome),
            is_randomised=is_known or settings.assignment == "randomised",
        )

    @property
    def true_ate(self) -> float:
        """Mean over the pool, and the hidden coin, of E[Y | 1, W, U] − E[Y | 0, W, U]."""
        under = [self._means_given(coin) for coin in (0.0, 1.0)]
        return float(np.mean([means[1].mean() - means[0].mean() for means in under]))

    @property
    def known_propensity(self) -> float | None:
        """Probability of treatment in a trial: what its protocol says."""
        if not self.is_randomised:
            return None
        return float(np.mean([self._propensity_given(coin).mean() for coin in (0.0, 1.0)]))

    @property
    def fingerprint(self) -> str:
        """Sha256 of the pool and its laws."""
        arrays = [self.effects, self.propensity, self.means, self.moved, np.array(self.hidden)]
        if self.noise is not None:
            arrays += [self.noise.location, self.noise.scale, *self.noise.residuals]
        stated = [self.sources, self.is_randomised]
        if self.noise is not None:
            stated += [self.noise.limits, self.noise.column]
        digest = hashlib.sha256(repr(stated).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def with_dials(self, dials: Dials) -> HybridPopulation:
        """Turn the dials, starting from the propensity and the means of this population.

        Raises
        ------
        EstimationError
            If overlap is to change where treatment is randomised, or an effect
            is moved out of range.
        """
        if self.is_randomised and dials.overlap != 1.0:
            raise EstimationError(
                "treatment is randomised here, so that overlap is perfect; "
                "turn overlap with assignment: observed"
            )
        propensity, means = turned(self.propensity, self.means, dials, self.noise is None)
        spread = 1.0
        if self.noise is not None:
            variance = self.means.var(axis=1) + (self.noise.scale**2).mean(axis=1)
            spread = float(np.sqrt(variance.mean()))
        return replace(
            self,
            propensity=propensity,
            means=means,
            moved=self.moved + (means - self.means),
            hidden=(dials.confounding_treatment, dials.confounding_outcome * spread),
        )

    def draw(self, n_replicates: int, n_rows: int, rng: np.random.Generator) -> Replicates:
        """Draw W from the pool with replacement, then A given W, then Y given both."""
        rows = rng.integers(0, len(self.propensity), size=(n_replicates, n_rows))
        coin = (rng.random(rows.shape) < 0.5).astype(float) if any(self.hidden) else None
        propensity = self.propensity[rows]
        if coin is not None:
            propensity = _expit(_logit(propensity) + self.hidden[0] * (coin - 0.5))
        arm = (rng.random(rows.shape) < propensity).astype(np.int64)
        moved = 0.0 if coin is None else self.hidden[1] * (coin - 0.5)
        if self.noise is not None:
            outcome = self.noise.draw(rows, arm, self.moved[arm, rows] + moved, rng)
        else:
            mean = self.means[arm, rows]
            mean = mean if coin is None else _expit(_logit(mean) + moved)
            outcome = (rng.random(rows.shape) < mean).astype(float)
        is_binary = self.noise is None
        return Replicates(self.effects[rows], arm.astype(float), outcome, self.sources, is_binary)

    def _propensity_given(self, coin: float) -> np.ndarray:
        if self.hidden[0] == 0.0:
            return self.propensity
        return _expit(_logit(self.propensity) + self.hidden[0] * (coin - 0.5))

    def _means_given(self, coin: float) -> np.ndarray:
        if self.hidden[1] == 0.0:
            return self.means
        added = self.hidden[1] * (coin - 0.5)
        return self.means + added if self.noise else _expit(_logit(self.means) + added)


def _expit(logit: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.asarray(expit(logit))


def _logit(probability: np.ndarray) -> np.ndarray:
    from scipy.special import logit

    return np.asarray(logit(probability))
