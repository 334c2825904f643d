"""The published protocol: subsamples of one pool, held against the pool's own estimate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from hybrid_assets.benchmark.population import Population
from hybrid_assets.benchmark.replicates import Replicates

PUBLISHED_PROTOCOL: Final = "published protocol"
POOL_ROWS: Final = 50_000
N_SUBSAMPLES: Final = 100
SUBSAMPLE_ROWS: Final = 1000


@dataclass(frozen=True, eq=False, repr=False)
class PublishedPool:
    """One table of (W, A, Y) whose subsamples stand for replicates.

    As in paper 1 (arXiv 2511.00318, table 3). Subsamples share rows, so that
    their spread is a little too small, and the pool's own estimate stands in
    for the truth, errors included: use it to compare with published tables
    only.

    Attributes
    ----------
    rows : Replicates
        Of one replicate, the pool.
    true_ate : float
        Of the law that the pool was drawn from.
    known_propensity : float or None
    """

    rows: Replicates
    true_ate: float
    known_propensity: float | None

    @classmethod
    def drawn(cls, law: Population, rng: np.random.Generator) -> Self:
        """Draw the pool."""
        return cls(law.draw(1, POOL_ROWS, rng), law.true_ate, law.known_propensity)

    @property
    def fingerprint(self) -> str:
        """Sha256 of the pool."""
        digest = hashlib.sha256()
        for values in (self.rows.effects, self.rows.treatment, self.rows.outcome):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def draw(self, n_replicates: int, n_rows: int, rng: np.random.Generator) -> Replicates:
        """Draw rows of the pool, each at most once in a subsample."""
        n_pool = self.rows.treatment.shape[1]
        chosen = np.stack(
            [rng.choice(n_pool, size=n_rows, replace=False) for _ in range(n_replicates)]
        )
        return Replicates(
            self.rows.effects[0][chosen],
            self.rows.treatment[0][chosen],
            self.rows.outcome[0][chosen],
            self.rows.sources,
            self.rows.is_binary,
        )
