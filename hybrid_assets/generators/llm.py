"""A causal language model fine-tuned on rows written as text (GReaT)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from hybrid_assets.errors import GeneratorError
from hybrid_assets.generators.base import (
    GeneratorSettings,
    reading_files,
    require_complete,
    require_same_columns,
)
from hybrid_assets.language.conditions import Conditions, conditions_met
from hybrid_assets.language.grammar import RowGrammar
from hybrid_assets.language.model_files import (
    model_from_files,
    model_to_files,
    quiet_transformers,
)
from hybrid_assets.language.sampler import RowSampler, SamplingMode
from hybrid_assets.language.serialization import require_readable, written_values
from hybrid_assets.language.tiny_model import write_tiny_model
from hybrid_assets.language.tokenizer import compact_tokenizer, most_tokens
from hybrid_assets.language.training import FineTunedModel, TrainingPlan, fine_tuned
from hybrid_assets.randomness import borrowed_random_state, drawn_seed, one_torch_thread
from hybrid_assets.schema import TableSchema

TINY = "tiny"


class LlmSettings(GeneratorSettings):
    """Which language model is fine-tuned, and how.

    Parameters
    ----------
    model : str
        ``"tiny"``, a small network made for the table; or the folder or hub
        name of a causal language model.
    steps : int
        Updates of the weights. A small table is read more often: what the
        model then knows by heart is for the privacy checks to find.
    batch_size : int
        Rows per update.
    learning_rate : float
        At its peak; about 5e-5 suits pretrained models.
    temperature : float
        Divides the logits when sampling. Below 1 it shrinks standard
        deviations: 0.7 gave .87 where the seed had 1.
    sampling : {"exact", "masked"}
        See `language.sampler.RowSampler`.
    """

    kind: Literal["llm"] = "llm"
    model: str = TINY
    steps: int = Field(default=2000, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    sampling: SamplingMode = "exact"


class LlmGenerator:
    """GReaT (Borisov et al. 2023, arXiv 2210.06280) on rows like ``"age is 37, sex is male"``.

    Columns come in a new random order each time a row is learned, so every
    column can be the first one drawn. Numbers are written with their declared
    decimals. Only valid rows are drawn.

    Attributes
    ----------
    valid_mass_ : dict of str to float
        Of the last `sample`: the probability that the model, left alone,
        gives a column a valid value.
    """

    settings_class: ClassVar[type[GeneratorSettings]] = LlmSettings

    def __init__(self, settings: LlmSettings) -> None:
        self.settings = settings
        self.learning_curve_: pd.DataFrame | None = None
        self.valid_mass_: dict[str, float] = {}

    def fit(self, table: pd.DataFrame, schema: TableSchema, rng: np.random.Generator) -> Self:
        """Fine-tune on a canonical, complete, rounded table.

        Raises
        ------
        GeneratorError
            If the table is empty, lacks columns or holds missing values; if
            names or levels cannot be told apart in text; if the language
            model cannot be loaded or is too small for a row.
        """
        require_complete(table, schema)
        require_readable(schema)
        values = written_values(table, schema)
        with quiet_transformers(), one_torch_thread():
            fitted = _fitted_language_model(values, schema, self.settings, drawn_seed(rng))
        self.schema_ = schema
        self.model_, self.tokenizer_ = fitted.model, fitted.tokenizer
        self.max_tokens_ = most_tokens(values, fitted.tokenizer)
        self.learning_curve_ = fitted.learning_curve
        return self

    def sample(
        self, n_rows: int, rng: np.random.Generator, given: Conditions | None = None
    ) -> pd.DataFrame:
        """Draw `n_rows` valid rows.

        Parameters
        ----------
        n_rows : int
            How many.
        rng : Generator
            Source of all draws.
        given : mapping or DataFrame of shape (n_rows, n_known), optional
            What is known: values or ranges of columns for all rows,
            ``{"sex": "male", "age": ">= 40"}``; or columns row by row, where
            missing cells are drawn too.

        Raises
        ------
        GeneratorError
            If `given` names unknown columns or impossible values.
        YieldTooLow
            If the model almost never gives valid rows.
        """
        import torch

        known = conditions_met(given, self.schema_, n_rows)
        with quiet_transformers(), one_torch_thread(), torch.inference_mode():
            grammar = RowGrammar(self.schema_, self.tokenizer_)
            sampler = RowSampler(
                self.model_,
                grammar,
                mode=self.settings.sampling,
                temperature=self.settings.temperature,
            )
            drawn = sampler.sample(known, rng)
        self.valid_mass_ = drawn.valid_mass
        return drawn.table

    def to_files(self) -> dict[str, bytes]:
        """Give the model and its tokenizer in the layout of `transformers`."""
        about = {"columns": self.schema_.names, "max_tokens": self.max_tokens_}
        return {
            **model_to_files(self.model_, self.tokenizer_),
            "generator.json": json.dumps(about, indent=1).encode(),
        }

    @classmethod
    def from_files(
        cls, files: dict[str, bytes], settings: LlmSettings, schema: TableSchema
    ) -> Self:
        """Restore what `to_files` gave; the learning curve is not kept.

        Raises
        ------
        InvalidModelFiles
            If a file is absent or damaged, or made for other columns.
        """
        from safetensors import SafetensorError

        generator = cls(settings)
        generator.schema_ = schema
        with reading_files("llm", schema, OSError, ValueError, SafetensorError):
            about = json.loads(files["generator.json"])
            names, generator.max_tokens_ = about["columns"], int(about["max_tokens"])
            generator.model_, generator.tokenizer_ = model_from_files(files)
        require_same_columns("llm", names, schema)
        return generator


def _fitted_language_model(
    values: pd.DataFrame, schema: TableSchema, settings: LlmSettings, seed: int
) -> FineTunedModel:
    plan = TrainingPlan(
        settings.steps, settings.batch_size, settings.learning_rate, seed=seed % 2**31
    )
    with borrowed_random_state(seed), tempfile.TemporaryDirectory() as directory:
        if settings.model == TINY:
            tokenizer = compact_tokenizer(schema)
            write_tiny_model(Path(directory), tokenizer, most_tokens(values, tokenizer) + 1)
            return fine_tuned(directory, values, plan)
        try:
            return fine_tuned(settings.model, values, plan)
        except OSError as error:
            raise GeneratorError(
                f"study {schema.study!r}: the language model {settings.model!r} is neither "
                f"{TINY!r} nor a folder or hub name that can be loaded"
            ) from error
