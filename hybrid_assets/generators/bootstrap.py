"""Rows with replacement: the quick stand-in, and the privacy floor to compare with."""

from __future__ import annotations

import io
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd

from hybrid_assets.generators.base import GeneratorSettings, require_complete
from hybrid_assets.schema import TableSchema


class BootstrapSettings(GeneratorSettings):
    """The bootstrap has nothing to set."""

    kind: Literal["bootstrap"] = "bootstrap"


class BootstrapGenerator:
    """Draw real rows with replacement (Efron 1979, doi:10.1214/aos/1176344552).

    Every row it gives is somebody's: useful as the ceiling of fidelity and as
    the leak that every privacy check must find. Never for release.
    """

    settings_class: ClassVar[type[GeneratorSettings]] = BootstrapSettings
    rows_handed_out: ClassVar[int | None] = 1_000_000
    blocks_together: ClassVar[int] = 10

    def __init__(self, settings: BootstrapSettings) -> None:
        self.settings = settings
        self.learning_curve_: pd.DataFrame | None = None

    def fit(self, table: pd.DataFrame, schema: TableSchema, rng: np.random.Generator) -> Self:
        """Keep the rows."""
        require_complete(table, schema)
        self.schema_ = schema
        self.rows_ = schema.canonical(table)
        return self

    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw `n_rows` of the kept rows with equal probability."""
        picked = rng.integers(0, len(self.rows_), size=n_rows)
        return self.rows_.iloc[picked].reset_index(drop=True)

    def to_files(self) -> dict[str, bytes]:
        """Give the rows as one Arrow file (confidential, like every fitted model here)."""
        buffer = io.BytesIO()
        self.schema_.stored(self.rows_).to_feather(buffer, compression="uncompressed")
        return {"rows.arrow": buffer.getvalue()}

    @classmethod
    def from_files(
        cls, files: dict[str, bytes], settings: BootstrapSettings, schema: TableSchema
    ) -> Self:
        """Restore what `to_files` gave."""
        generator = cls(settings)
        generator.schema_ = schema
        generator.rows_ = schema.canonical(pd.read_feather(io.BytesIO(files["rows.arrow"])))
        return generator
