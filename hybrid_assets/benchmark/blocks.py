"""Blocks of replicates, each with its own random stream."""

from __future__ import annotations

import hashlib
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybrid_assets.benchmark.estimates import estimate_all
from hybrid_assets.benchmark.folds import FoldLayout
from hybrid_assets.benchmark.nuisances import cross_fitted_nuisances
from hybrid_assets.benchmark.population import Population
from hybrid_assets.benchmark.replicates import Replicates, arm_sizes
from hybrid_assets.benchmark.settings import LIBRARIES, N_FOLDS, BenchmarkSettings, LibraryWord
from hybrid_assets.estimators import DEFAULT_ESTIMATORS
from hybrid_assets.nuisance.cross_fitting import propensity_bound
from hybrid_assets.nuisance.observed import MIN_ROWS_PER_ARM_MODEL

REPLICATES_PER_BLOCK = 50
_BLOCK_FORMAT = 1


@dataclass(frozen=True)
class Block:
    """Replicates `first` to `first + n_replicates - 1` of one dial and sample size.

    Attributes
    ----------
    dial : str
        Label of the dials.
    n_rows, first, n_replicates : int
    key : str
        Hash of everything the block's numbers depend on.
    """

    dial: str
    n_rows: int
    first: int
    n_replicates: int
    key: str

    def random_generator(self, entropy: int) -> np.random.Generator:
        """Give the block's own stream, whatever other blocks a run has."""
        place = (zlib.crc32(self.dial.encode()), self.n_rows, self.first)
        return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=place))


def blocks_of(
    populations: dict[str, Population],
    settings: BenchmarkSettings,
    sizes: tuple[int, ...],
    entropy: int,
) -> list[Block]:
    """Cut a benchmark into blocks: the smallest tables first, dial by dial."""
    blocks = []
    for n_rows in sizes:
        for dial, population in populations.items():
            cell = (_BLOCK_FORMAT, entropy, population.fingerprint, settings.library, dial, n_rows)
            for first in range(0, settings.n_replicates, REPLICATES_PER_BLOCK):
                n_replicates = min(REPLICATES_PER_BLOCK, settings.n_replicates - first)
                text = repr((*cell, first, n_replicates))
                key = hashlib.sha256(text.encode()).hexdigest()[:16]
                blocks.append(Block(dial, n_rows, first, n_replicates, key))
    return blocks


def run_block(
    block: Block, population: Population, library: LibraryWord, entropy: int
) -> pd.DataFrame:
    """Draw the block's replicates and estimate the effect of each.

    Returns
    -------
    DataFrame
        One row for each replicate and estimator: ``dial``, ``n_rows``,
        ``replicate``, ``estimator``, ``estimate``, ``standard_error``,
        ``clipped_share``, ``block``. Missing estimates are analyses that
        failed: an arm too small for the folds, or equations without solution.
    """
    from threadpoolctl import threadpool_limits

    rng = block.random_generator(entropy)
    replicates = population.draw(block.n_replicates, block.n_rows, rng)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = analyse(replicates, library, rng, population.known_propensity)
    return found.assign(
        dial=block.dial,
        n_rows=block.n_rows,
        replicate=found["replicate"] + block.first,
        block=block.key,
    )[REPLICATE_COLUMNS]


REPLICATE_COLUMNS = [
    "dial",
    "n_rows",
    "replicate",
    "estimator",
    "estimate",
    "standard_error",
    "clipped_share",
    "block",
]


def analyse(
    replicates: Replicates,
    library: LibraryWord,
    rng: np.random.Generator,
    known_propensity: float | None = None,
) -> pd.DataFrame:
    """Estimate the effect of each replicate as `estimate_ate` would, with one fold draw.

    Returns
    -------
    DataFrame
        ``replicate``, ``estimator``, ``estimate``, ``standard_error``, ``clipped_share``.
    """
    treatment, outcome = replicates.treatment, replicates.outcome
    strata = 2 * treatment + (outcome if replicates.is_binary else 0.0)
    folds = FoldLayout.draw(strata, N_FOLDS, rng)
    smallest = arm_sizes(treatment)
    values = np.full((len(DEFAULT_ESTIMATORS), 3, len(treatment)), np.nan)
    is_usable = smallest >= 2 * N_FOLDS
    is_small = smallest < MIN_ROWS_PER_ARM_MODEL
    for is_pooled in (False, True):
        chosen = np.flatnonzero(is_usable & (is_small == is_pooled))
        if len(chosen):
            values[:, :, chosen] = _analyse_part(
                replicates.part(chosen), folds.part(chosen), library, known_propensity, is_pooled
            )
    n_replicates = len(treatment)
    return pd.DataFrame(
        {
            "replicate": np.tile(np.arange(n_replicates), len(DEFAULT_ESTIMATORS)),
            "estimator": np.repeat(list(DEFAULT_ESTIMATORS), n_replicates),
            "estimate": values[:, 0].ravel(),
            "standard_error": values[:, 1].ravel(),
            "clipped_share": values[:, 2].ravel(),
        }
    )


def _analyse_part(
    replicates: Replicates,
    folds: FoldLayout,
    library: LibraryWord,
    known_propensity: float | None,
    is_pooled: bool,
) -> np.ndarray:
    """Give estimate, standard error and clipped share by estimator: (4, 3, B)."""
    fitted = cross_fitted_nuisances(
        replicates,
        folds,
        LIBRARIES[library],
        is_pooled=is_pooled,
        known_propensity=known_propensity,
    )
    bound = propensity_bound(replicates.treatment.shape[1])
    bounded = np.clip(fitted.propensity, bound, 1.0 - bound)
    clipped_share = (bounded != fitted.propensity).mean(axis=1)
    estimates = estimate_all(
        fitted.treatment, fitted.outcome, bounded, fitted.outcome_control, fitted.outcome_treated
    )
    return np.array([[*estimates[word], clipped_share] for word in DEFAULT_ESTIMATORS])
