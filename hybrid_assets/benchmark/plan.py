"""What a benchmark is made of: scenarios, sample sizes, and blocks of replicates."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

import numpy as np

from hybrid_assets.benchmark.population import AdjustablePopulation, Population
from hybrid_assets.benchmark.published import (
    N_SUBSAMPLES,
    PUBLISHED_PROTOCOL,
    SUBSAMPLE_ROWS,
    PublishedPool,
)
from hybrid_assets.benchmark.settings import Analysis, BenchmarkSettings, Dials
from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance.settings import NuisanceSettings

REPLICATES_PER_BLOCK = 50
_BLOCK_FORMAT = 2


@dataclass(frozen=True)
class Block:
    """Replicates `first` to `first + n_replicates - 1` of one scenario and sample size.

    Attributes
    ----------
    scenario : str
    n_rows, first, n_replicates : int
    key : str
        Hash of everything the block's numbers depend on.
    """

    scenario: str
    n_rows: int
    first: int
    n_replicates: int
    key: str

    def random_generator(self, entropy: int) -> np.random.Generator:
        """Give the block's own stream, whatever other blocks a run has."""
        return _stream(entropy, self.scenario, self.n_rows, self.first)


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkPlan:
    """Everything that decides the bytes of a benchmark.

    Attributes
    ----------
    scenarios : dict of str to Population
        By label; the first is the one that is recommended for.
    cells : tuple of (str, int, int)
        Scenario, rows of each table, replicates.
    analysis : Analysis
    entropy : int
        Of every random stream.
    """

    scenarios: dict[str, Population]
    cells: tuple[tuple[str, int, int], ...]
    analysis: Analysis
    entropy: int

    @property
    def blocks(self) -> list[Block]:
        """Cut into blocks of 50 replicates: the smallest tables first."""
        prints = {label: law.fingerprint for label, law in self.scenarios.items()}
        blocks = []
        for scenario, n_rows, n_replicates in self.cells:
            cell = (_BLOCK_FORMAT, self.entropy, prints[scenario], self.analysis, scenario, n_rows)
            for first in range(0, n_replicates, REPLICATES_PER_BLOCK):
                n_block = min(REPLICATES_PER_BLOCK, n_replicates - first)
                text = repr((*cell, first, n_block))
                key = hashlib.sha256(text.encode()).hexdigest()[:16]
                blocks.append(Block(scenario, n_rows, first, n_block, key))
        return blocks

    @property
    def published_pool(self) -> PublishedPool | None:
        """The pool of the published protocol, if it is followed too."""
        pool = self.scenarios.get(PUBLISHED_PROTOCOL)
        return pool if isinstance(pool, PublishedPool) else None

    def pool_stream(self) -> np.random.Generator:
        """Give the stream that draws the folds of the published protocol's pool."""
        return _stream(self.entropy, PUBLISHED_PROTOCOL, 0, 1)


def plan_benchmark(
    population: AdjustablePopulation,
    settings: BenchmarkSettings,
    rng: np.random.Generator,
    *,
    nuisance: NuisanceSettings | None = None,
    n_seed: int = 1000,
) -> BenchmarkPlan:
    """Turn the dials and lay out the replicates.

    Parameters
    ----------
    population : AdjustablePopulation
    settings : BenchmarkSettings
    rng : numpy Generator
        One number is drawn from it.
    nuisance : NuisanceSettings, optional
        The study's own.
    n_seed : int
        Rows of the study's seed: the largest sample size, if the settings name none.

    Raises
    ------
    EstimationError
        If the population cannot be changed as a dial asks.
    """
    entropy = int(rng.integers(2**63))
    scenarios: dict[str, Population] = {
        dials.label: _turned(population, dials) for dials in settings.dials
    }
    cells = [
        (label, n_rows, settings.n_replicates)
        for n_rows in settings.sizes(n_seed)
        for label in scenarios
    ]
    if settings.published_protocol:
        law = next(iter(scenarios.values()))
        stream = _stream(entropy, PUBLISHED_PROTOCOL, 0, 0)
        scenarios[PUBLISHED_PROTOCOL] = PublishedPool.drawn(law, stream)
        cells.append((PUBLISHED_PROTOCOL, SUBSAMPLE_ROWS, N_SUBSAMPLES))
    analysis = Analysis.of(nuisance or NuisanceSettings())
    return BenchmarkPlan(scenarios, tuple(cells), analysis, entropy)


def _turned(population: AdjustablePopulation, dials: Dials) -> Population:
    try:
        return population.with_dials(dials)
    except EstimationError as refusal:
        raise EstimationError(f"dial {dials.label!r}: {refusal}") from refusal


def _stream(entropy: int, scenario: str, n_rows: int, first: int) -> np.random.Generator:
    place = (zlib.crc32(scenario.encode()), n_rows, first)
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=place))
