"""GReaT as its authors publish it: the papers' generator, and the opponent of ours."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from hybrid_assets.errors import GeneratorError, YieldTooLow
from hybrid_assets.generators.base import (
    GeneratorSettings,
    reading_files,
    require_complete,
    require_same_columns,
)
from hybrid_assets.language.model_files import model_to_files, quiet_transformers
from hybrid_assets.randomness import borrowed_random_state, drawn_seed, one_torch_thread
from hybrid_assets.schema import TableSchema

AS_PUBLISHED = (
    "be-great as published, for comparison: no end token is learned, the 50 likeliest tokens only, "
    "rows start with values of the training table"
)
START = ("columns", "num_cols", "conditional_col", "conditional_col_dist")


class GreatSettings(GeneratorSettings):
    """be-great's own settings, with its own defaults but for the model and the epochs.

    Parameters
    ----------
    model : str
        Folder or hub name of a causal language model.
    epochs, batch_size : int
        Of its fit. Paper 1 read the table fifty times.
    temperature : float
        Divides the logits. be-great's .7 shrinks standard deviations.
    max_length : int
        Tokens of a row; longer rows are cut. be-great writes on to this length.
    """

    kind: Literal["great"] = "great"
    model: str = "gpt2-medium"
    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=8, ge=1)
    temperature: float = Field(default=0.7, gt=0)
    max_length: int = Field(default=100, ge=1)


class GreatGenerator:
    """be-great's `GReaT` (Borisov et al. 2023, arXiv 2210.06280), uncorrected.

    Its rows may break the schema; they are dropped and counted, as with any
    generator. Its files hold values of the training table, where rows start.
    """

    settings_class: ClassVar[type[GeneratorSettings]] = GreatSettings
    rows_handed_out: ClassVar[int | None] = None  # as be-great draws: in one process
    blocks_together: ClassVar[int] = 1

    def __init__(self, settings: GreatSettings) -> None:
        self.settings = settings
        self.learning_curve_: pd.DataFrame | None = None

    def fit(self, table: pd.DataFrame, schema: TableSchema, rng: np.random.Generator) -> Self:
        """Tune on a canonical, complete, rounded table.

        Raises
        ------
        GeneratorError
            If the table is empty, lacks columns or holds missing values; if
            the language model cannot be loaded.
        """
        require_complete(table, schema)
        seed = drawn_seed(rng) % 2**31
        with tempfile.TemporaryDirectory() as folder, _quiet(), borrowed_random_state(seed):
            great = _loaded(
                self.settings.model,
                schema,
                experiment_dir=folder,
                epochs=self.settings.epochs,
                batch_size=self.settings.batch_size,
                save_strategy="no",
                logging_strategy="epoch",
                seed=seed,
            )
            trainer = great.fit(table[schema.names])
        steps = [told for told in trainer.state.log_history if "loss" in told]
        self.learning_curve_ = pd.DataFrame(
            {"step": [s["step"] for s in steps], "loss": [float(s["loss"]) for s in steps]}
        )
        great.model.eval()  # as after be-great's save and load: left alone it samples with dropout
        self.schema_, self.great_ = schema, great
        return self

    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw about `n_rows` rows; some may violate the schema.

        Raises
        ------
        YieldTooLow
            If be-great reads no row in what the model writes.
        """
        with _quiet(), one_torch_thread(), borrowed_random_state(drawn_seed(rng)):
            drawn = self.great_.sample(
                n_rows,
                temperature=self.settings.temperature,
                max_length=self.settings.max_length,
            )
        if drawn.empty:
            raise YieldTooLow(
                f"study {self.schema_.study!r}: be-great read no row in what the language model "
                f"{self.settings.model!r} wrote; more epochs or a larger max_length may help"
            )
        return pd.DataFrame(drawn[self.schema_.names])

    def to_files(self) -> dict[str, bytes]:
        """Give the model, its tokenizer and what be-great starts rows with."""
        start = {name: getattr(self.great_, name) for name in START}
        return {
            **model_to_files(self.great_.model, self.great_.tokenizer),
            "generator.json": json.dumps(start, indent=1, default=float).encode(),
        }

    @classmethod
    def from_files(
        cls, files: dict[str, bytes], settings: GreatSettings, schema: TableSchema
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
        with (
            reading_files("great", schema, OSError, ValueError, SafetensorError, GeneratorError),
            tempfile.TemporaryDirectory() as folder,
        ):
            start = json.loads(files["generator.json"])
            for name, content in files.items():
                (Path(folder) / Path(name).name).write_bytes(content)
            generator.great_ = _loaded(folder, schema)
            for name in START:
                setattr(generator.great_, name, start[name])
        require_same_columns("great", start["columns"], schema)
        return generator


def _loaded(model: str, schema: TableSchema, **settings: object) -> Any:
    from be_great import GReaT

    try:
        with _quiet():
            return GReaT(model, **settings)
    except (OSError, ValueError) as error:
        raise GeneratorError(
            f"study {schema.study!r}: the language model {model!r} is not a folder or hub name "
            "that can be loaded"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep be-great from drawing bars and printing advice."""
    with (
        quiet_transformers(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield
