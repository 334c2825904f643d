"""Differentially private rows: a law of W, A and Y learnt from noisy counts alone (AIM).

OpenDP's own AIM (``opendp[mbi]`` 0.16) did not end in five minutes on paper 1's seed: jax compiles
each round's model anew (2 to 5 CPU s a round with mbi 1.1, ``benchmarks/RESULTS.md``). So the
published algorithm stands here, with OpenDP's noise, checked by OpenDP's privacy maps, and our own
exact inference, which is post-processing: about one CPU second for a whole fit.
"""

from __future__ import annotations

import json
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError

from hybrid_assets.errors import GeneratorError, InvalidModelFiles
from hybrid_assets.generators.base import GeneratorSettings, reading_files, require_complete
from hybrid_assets.generators.private.aim import PeopleCounts, aim
from hybrid_assets.generators.private.bins import decoded, encoded, n_bins_of
from hybrid_assets.generators.private.graphical_model import GraphicalModel
from hybrid_assets.generators.private.mechanisms import NoiseSource, OpenDpNoise
from hybrid_assets.privacy.ledger import Spent, rho_within
from hybrid_assets.schema import TableSchema

MAX_CELLS = 20_000
MAX_COLUMNS = 60  # axes of an array
MAX_LEAKED_ROWS = 0.1  # δ · rows
MECHANISM = "AIM"
LAW = "law of covariates, treatment and outcome"
MADE_FROM_ROWS = "propensity, outcome model and effect, fitted to the private rows"


class DpSettings(GeneratorSettings):
    """How much one fit may tell of a person.

    Parameters
    ----------
    epsilon, delta : float
        The loss of one fit, replace-one neighbours. Every fit spends it anew:
        the study's ledger adds them up. δ is at most .1 / rows: a mechanism that
        hands out each row with probability δ keeps within any ε.
    n_bins : int
        Bins of each number's declared range.
    """

    kind: Literal["dp"] = "dp"
    epsilon: float = Field(default=3.0, gt=0.0, le=100.0)
    delta: float = Field(default=1e-6, gt=0.0, le=1e-3)
    n_bins: int = Field(default=10, ge=2, le=64)

    @property
    def spent(self) -> tuple[Spent, ...]:
        """What one fit costs, and what is made of it for nothing."""
        return (
            Spent(LAW, MECHANISM, rho_within(self.epsilon, self.delta)),
            Spent(MADE_FROM_ROWS, "post-processing", 0.0),
        )


class DpGenerator:
    """A law of whole rows from noisy counts of up to three columns.

    Levels, ranges and digits of the schema must be declared, not read from the
    people: a study with this generator states them (`hybrid_assets.study`).
    The noise takes no seed, so that two fits differ; a fitted model draws the
    same rows from the same random generator.
    """

    settings_class: ClassVar[type[GeneratorSettings]] = DpSettings
    rows_handed_out: ClassVar[int | None] = 1_000_000
    blocks_together: ClassVar[int] = 10

    def __init__(self, settings: DpSettings) -> None:
        self.settings = settings
        self.learning_curve_: pd.DataFrame | None = None

    def fit(
        self,
        table: pd.DataFrame,
        schema: TableSchema,
        rng: np.random.Generator,
        noise: NoiseSource | None = None,
    ) -> Self:
        """Spend the settings' ε on counts of the table; `rng` draws nothing.

        Raises
        ------
        GeneratorError
            As `require_possible`, or if the extra is missing.
        """
        self.require_possible(table, schema)
        n_bins = self.settings.n_bins
        sizes = tuple(n_bins_of(column, n_bins) for column in schema.columns)
        people = PeopleCounts(encoded(schema.canonical(table), schema, n_bins), sizes)
        rho = rho_within(self.settings.epsilon, self.settings.delta)
        found = aim(people, rho, noise or OpenDpNoise(), max_cells=MAX_CELLS)
        self.schema_, self.wanted_, self.model_ = schema, schema.names, found.model
        self.taken_ = [
            {"columns": [schema.names[c] for c in counts.columns], "noise_sd": counts.scale}
            for counts in found.measured
        ]
        return self

    def require_possible(self, table: pd.DataFrame, schema: TableSchema) -> None:
        """Refuse what `fit` would, before anything is spent.

        Raises
        ------
        GeneratorError
            If the table is empty, incomplete or too wide, a range is not stated
            or too fine, or δ is beyond a tenth of one in the number of rows.
        """
        require_complete(table, schema)
        n_columns, delta = len(schema.columns), self.settings.delta
        if n_columns > MAX_COLUMNS or delta * len(table) > MAX_LEAKED_ROWS:
            raise GeneratorError(
                f"study {schema.study!r}: generator dp: expected at most {MAX_COLUMNS} columns and "
                f"delta at most {MAX_LEAKED_ROWS:g} / rows; got {n_columns} columns, {len(table)} "
                f"rows and delta {delta:g}"
            )
        for column in schema.columns:
            n_bins_of(column, self.settings.n_bins)

    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw `n_rows` rows; a number is uniform within its bin."""
        bins = self.model_.draw(n_rows, rng)
        return decoded(bins, self.schema_, self.settings.n_bins, rng)[self.wanted_]

    def to_files(self) -> dict[str, bytes]:
        """Give the law, and which counts it was learnt from with how much noise."""
        from safetensors.numpy import save

        potentials = list(self.model_.potentials.items())
        arrays = {
            f"{i:04d}": np.ascontiguousarray(array) for i, (_, array) in enumerate(potentials)
        }
        stated = {
            "epsilon": self.settings.epsilon,
            "delta": self.settings.delta,
            "n_bins": self.settings.n_bins,
            "together": [list(columns) for columns, _ in potentials],
            "counts_taken": self.taken_,
        }
        return {
            "potentials.safetensors": save(arrays),
            "law.json": json.dumps(stated, indent=1).encode(),
            "schema.json": self.schema_.model_dump_json(indent=1).encode(),
        }

    @classmethod
    def from_files(cls, files: dict[str, bytes], settings: DpSettings, schema: TableSchema) -> Self:
        """Restore what `to_files` gave, to draw the columns of `schema`: all, or some of them.

        Raises
        ------
        InvalidModelFiles
            If a file is absent or damaged, or made for other columns or bins.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        generator = cls(settings)
        with reading_files(
            "dp", schema, ValidationError, SafetensorError, ValueError, StopIteration
        ):
            fitted = TableSchema.model_validate_json(files["schema.json"])
            stated = json.loads(files["law.json"])
            arrays = load(files["potentials.safetensors"])
            sizes = [n_bins_of(column, stated["n_bins"]) for column in fitted.columns]
            potentials = {tuple(c): arrays[f"{i:04d}"] for i, c in enumerate(stated["together"])}
            generator.model_ = GraphicalModel(sizes, potentials)
            generator.taken_ = stated["counts_taken"]
        if fitted.select(schema.names).columns != schema.columns or (
            stated["n_bins"] != settings.n_bins
        ):
            raise InvalidModelFiles(
                f"study {schema.study!r}: the dp generator was fitted to other columns, levels, "
                f"ranges or bins: {fitted.names}, expected {schema.names}"
            )
        generator.schema_, generator.wanted_ = fitted, schema.names
        return generator
