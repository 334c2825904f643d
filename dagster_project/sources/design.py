"""A simulated study with a known effect."""

from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field, field_validator

from dagster_project.sources.base import KnownEffect, Source
from hybrid_assets.designs import DESIGNS


class DesignSource(Source):
    """Rows drawn from a published data-generating process.

    Parameters
    ----------
    name : str
        A word of ``hybrid_assets.designs.DESIGNS``.
    n_rows, random_seed : int
        Size and seed of the draw.
    """

    kind: Literal["design"]
    name: str
    n_rows: int = Field(ge=1)
    random_seed: int = Field(ge=0, lt=2**32)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DESIGNS:
            raise ValueError(f"unknown design {name!r}; known: {', '.join(DESIGNS)}")
        return name

    def read(self, folder: Path, aside: Path) -> pd.DataFrame:
        """Draw the table; levels are plain numbers or words, as in a file."""
        design = DESIGNS[self.name]
        return design.schema().stored(design(self.n_rows, self.random_seed))

    @property
    def known_effect(self) -> KnownEffect:
        """The population's effect."""
        design = DESIGNS[self.name]
        return KnownEffect(
            effect=design.true_ate,
            standard_error=design.true_ate_error,
            reference=design.reference,
        )
