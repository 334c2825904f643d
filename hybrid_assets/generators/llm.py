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
from hybrid_assets.language.model_files import (
    model_from_files,
    model_to_files,
    quiet_transformers,
)
from hybrid_assets.language.sampler import drawn_texts
from hybrid_assets.language.serialization import read_rows, require_readable, written_values
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
    """

    kind: Literal["llm"] = "llm"
    model: str = TINY
    steps: int = Field(default=2000, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    temperature: float = Field(default=1.0, gt=0)


class LlmGenerator:
    """GReaT (Borisov et al. 2023, arXiv 2210.06280) on rows like ``"age is 37, sex is male"``.

    Columns come in a new random order each time a row is learned, so every
    column can be the first one drawn. Numbers are written with their declared
    decimals. What is drawn is read strictly; a text that is not exactly a row
    becomes a row of missing values, for `draw_valid` to drop and count.
    """

    settings_class: ClassVar[type[GeneratorSettings]] = LlmSettings

    def __init__(self, settings: LlmSettings) -> None:
        self.settings = settings
        self.learning_curve_: pd.DataFrame | None = None

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

    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw `n_rows` texts and read them; unreadable ones are rows of missing values."""
        import torch

        with quiet_transformers(), one_torch_thread(), torch.inference_mode():
            texts = drawn_texts(
                self.model_,
                self.tokenizer_,
                n_rows,
                max_tokens=self.max_tokens_,
                temperature=self.settings.temperature,
                random=torch.Generator().manual_seed(drawn_seed(rng)),
            )
        return read_rows(texts, self.schema_)

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
