"""CTGAN: a conditional generative adversarial network for tables."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError

from hybrid_assets.generators.base import (
    GeneratorSettings,
    reading_files,
    require_complete,
    require_same_columns,
)
from hybrid_assets.generators.gan_network import (
    ContinuousCode,
    DiscreteCode,
    GanState,
    drawn_rows,
)
from hybrid_assets.randomness import borrowed_random_state, drawn_seed, one_torch_thread
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

NOISE_WIDTH = 128
LAYER_WIDTHS = (128, 128)
LEARNING_RATE = 5e-4  # ctgan's 2e-4 needs more than 3000 steps
ROWS_JUDGED_TOGETHER = 10  # "pac": the discriminator sees this many rows at once
MAX_INTEGER_LEVELS = 20


class GanSettings(GeneratorSettings):
    """How long CTGAN is trained.

    Parameters
    ----------
    steps : int
        Generator updates, at least; the last epoch is completed.
    batch_size : int
        Rows per update, a multiple of 10; smaller tables use fewer.
    """

    kind: Literal["gan"] = "gan"
    steps: int = Field(default=3000, ge=1)
    batch_size: int = Field(default=100, ge=ROWS_JUDGED_TOGETHER, multiple_of=ROWS_JUDGED_TOGETHER)


class GanGenerator:
    """CTGAN (Xu et al. 2019, arXiv 1907.00503), in the implementation of `ctgan`.

    Binary, categorical, ordinal and constant columns, and integers with up to
    20 values, are levels; other columns are modes of a Gaussian mixture. Rows
    are not drawn by ``CTGAN.sample``: it conditions on levels by their
    *logarithmic* frequency, which is meant for training only and makes rare
    levels too common.
    """

    settings_class: ClassVar[type[GeneratorSettings]] = GanSettings

    def __init__(self, settings: GanSettings) -> None:
        self.settings = settings
        self.learning_curve_: pd.DataFrame | None = None

    def fit(self, table: pd.DataFrame, schema: TableSchema, rng: np.random.Generator) -> Self:
        """Train on a canonical, complete, rounded table.

        Raises
        ------
        GeneratorError
            If the table is empty, lacks columns or holds missing values.
        """
        require_complete(table, schema)
        discrete = [c.name for c in schema.columns if _has_few_values(c, table[c.name])]
        plain = schema.stored(table).astype(
            {c.name: float for c in schema.columns if c.name not in discrete}
        )
        ctgan = _trained_ctgan(plain, discrete, self.settings, drawn_seed(rng))
        self.schema_ = schema
        self.network_ = ctgan._generator.eval()
        self.state_ = GanState(
            columns=tuple(
                _column_code(fitted, plain[fitted.column_name], schema)
                for fitted in ctgan._transformer._column_transform_info_list
            ),
            noise_width=NOISE_WIDTH,
            layer_widths=LAYER_WIDTHS,
        )
        self.learning_curve_ = _learning_curve(ctgan, _steps_per_epoch(len(table), self.settings))
        return self

    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """Draw `n_rows` rows; values outside the seed's range are left in."""
        import torch

        random = torch.Generator().manual_seed(drawn_seed(rng))
        with one_torch_thread(), torch.inference_mode():
            return drawn_rows(self.network_, self.state_, n_rows, random)

    def to_files(self) -> dict[str, bytes]:
        """Give the network's weights, and how its outputs read as columns."""
        from safetensors.torch import save

        return {
            "model.safetensors": save(self.network_.state_dict()),
            "generator.json": self.state_.model_dump_json(indent=1).encode(),
        }

    @classmethod
    def from_files(
        cls, files: dict[str, bytes], settings: GanSettings, schema: TableSchema
    ) -> Self:
        """Restore what `to_files` gave; the learning curve is not kept.

        Raises
        ------
        InvalidModelFiles
            If a file is absent or damaged, or made for other columns.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        generator = cls(settings)
        generator.schema_ = schema
        with reading_files("gan", schema, ValidationError, SafetensorError, RuntimeError):
            generator.state_ = GanState.model_validate_json(files["generator.json"])
            generator.network_ = generator.state_.new_network()
            generator.network_.load_state_dict(load(files["model.safetensors"]))
        require_same_columns("gan", [code.name for code in generator.state_.columns], schema)
        return generator


def _has_few_values(column: ColumnSchema, values: pd.Series) -> bool:
    if column.is_discrete_set:
        return True
    most = MAX_INTEGER_LEVELS if column.kind is ColumnKind.INTEGER else 1
    return values.nunique() <= most


def _trained_ctgan(
    table: pd.DataFrame, discrete: list[str], settings: GanSettings, seed: int
) -> Any:
    """Fit `ctgan.CTGAN`, with at least ``settings.steps`` generator updates."""
    from ctgan import CTGAN
    from joblib import parallel_config

    batch_size = _batch_size(len(table), settings)
    ctgan = CTGAN(
        embedding_dim=NOISE_WIDTH,
        generator_dim=LAYER_WIDTHS,
        discriminator_dim=LAYER_WIDTHS,
        batch_size=batch_size,
        generator_lr=LEARNING_RATE,
        discriminator_lr=LEARNING_RATE,
        pac=ROWS_JUDGED_TOGETHER,
        epochs=-(-settings.steps // _steps_per_epoch(len(table), settings)),
        enable_gpu=False,
    )
    # ctgan would hand columns to worker processes, whose random state nobody seeds
    with borrowed_random_state(seed), one_torch_thread(), parallel_config("sequential"):
        ctgan.fit(table, discrete)
    return ctgan


def _batch_size(n_rows: int, settings: GanSettings) -> int:
    fitting = max(n_rows // ROWS_JUDGED_TOGETHER, 1) * ROWS_JUDGED_TOGETHER
    return min(settings.batch_size, fitting)


def _steps_per_epoch(n_rows: int, settings: GanSettings) -> int:
    return max(n_rows // _batch_size(n_rows, settings), 1)


def _column_code(
    fitted: Any, values: pd.Series, schema: TableSchema
) -> DiscreteCode | ContinuousCode:
    """Read one column of ctgan's fitted `DataTransformer`."""
    if fitted.column_type == "discrete":
        levels = fitted.transform.dummies
        shares = values.value_counts(normalize=True)[levels]
        return DiscreteCode(
            name=fitted.column_name, levels=pd.Series(levels).tolist(), shares=shares.tolist()
        )
    mixture = fitted.transform._bgm_transformer
    kept = fitted.transform.valid_component_indicator
    return ContinuousCode(
        name=fitted.column_name,
        means=mixture.means_.reshape(-1)[kept].tolist(),
        sds=np.sqrt(mixture.covariances_).reshape(-1)[kept].tolist(),
        is_integer=schema[fitted.column_name].kind is ColumnKind.INTEGER,
    )


def _learning_curve(ctgan: Any, steps_per_epoch: int) -> pd.DataFrame:
    """Give the losses at the end of each epoch, by the number of steps done."""
    losses = ctgan.loss_values
    return pd.DataFrame(
        {
            "step": (losses["Epoch"].to_numpy(dtype="int64") + 1) * steps_per_epoch,
            "generator_loss": losses["Generator Loss"].to_numpy(dtype=float),
            "discriminator_loss": losses["Discriminator Loss"].to_numpy(dtype=float),
        }
    )
