"""Published designs as populations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybrid_assets.benchmark.replicates import Replicates
from hybrid_assets.benchmark.settings import Dials
from hybrid_assets.designs import Design
from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance.basis import main_effect_names, main_effects
from hybrid_assets.schema import ColumnKind


@dataclass(frozen=True)
class DesignPopulation:
    """A published design as a population; it has no dials."""

    design: Design

    @property
    def true_ate(self) -> float:
        """The design's published effect."""
        return self.design.true_ate

    @property
    def known_propensity(self) -> float | None:
        """Nothing: every design is analysed with an estimated propensity."""
        return None

    @property
    def fingerprint(self) -> str:
        """The design's name."""
        return self.design.word

    def with_dials(self, dials: Dials) -> DesignPopulation:
        """Give the design itself if no dial is turned."""
        if dials != Dials():
            raise EstimationError(f"design {self.design.word!r} has no dials; got {dials.label!r}")
        return self

    def draw(self, n_replicates: int, n_rows: int, rng: np.random.Generator) -> Replicates:
        """Draw all rows in one table: they are independent, so any cut into replicates will do."""
        table = self.design(n_replicates * n_rows, int(rng.integers(2**32)))
        schema = self.design.schema()
        effects = main_effects(table, schema.covariates)
        shape = (n_replicates, n_rows)
        return Replicates(
            effects=effects.reshape(*shape, -1),
            treatment=table[schema.treatment].to_numpy(dtype=float).reshape(shape),
            outcome=table[schema.outcome].to_numpy(dtype=float).reshape(shape),
            sources=tuple(main_effect_names(schema.covariates)),
            is_binary=self.design.outcome_kind is ColumnKind.BINARY,
        )
