"""CTGAN: a conditional generative adversarial network for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError

from hybrid_assets.generators.base import (
    GeneratorSettings,
    reading_files,
    require_complete,
    require_same_columns,
)
from hybrid_assets.generators.fit_support import ALONE, FitSupport
from hybrid_assets.generators.gan_network import (
    ContinuousCode,
    DiscreteCode,
    GanState,
    drawn_rows,
)
from hybrid_assets.generators.gan_training import GanPlan, trained_network
from hybrid_assets.randomness import borrowed_random_state, drawn_seed, one_torch_thread
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

if TYPE_CHECKING:
    import torch

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
    """CTGAN (Xu et al. 2019, arXiv 1907.00503), with the codes and networks of `ctgan`.

    Binary, categorical, ordinal and constant columns, and integers with up to
    20 values, are levels; other columns are modes of a Gaussian mixture. Rows
    are not drawn by ``CTGAN.sample``: it conditions on levels by their
    *logarithmic* frequency, which is meant for training only and makes rare
    levels too common.
    """

    settings_class: ClassVar[type[GeneratorSettings]] = GanSettings
    rows_handed_out: ClassVar[int | None] = 2_000_000  # 9 µs each; torch takes 5 CPU s to start
    blocks_together: ClassVar[int] = 10

    def __init__(self, settings: GanSettings) -> None:
        self.settings = settings
        self.support = ALONE
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
        transformer, network, curve = _fit_networks(
            plain, discrete, _plan(len(table), self.settings), drawn_seed(rng), self.support
        )
        self.schema_ = schema
        self.network_ = network.eval()
        self.state_ = GanState(
            columns=tuple(
                _column_code(fitted, plain[fitted.column_name], schema)
                for fitted in transformer._column_transform_info_list
            ),
            noise_width=NOISE_WIDTH,
            layer_widths=LAYER_WIDTHS,
        )
        self.learning_curve_ = curve
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


def _fit_networks(
    table: pd.DataFrame, discrete: list[str], plan: GanPlan, seed: int, support: FitSupport
) -> tuple[Any, torch.nn.Module, pd.DataFrame]:
    """Give `ctgan`'s fitted transformer, the generator network and the losses."""
    from ctgan.data_transformer import DataTransformer
    from joblib import parallel_config

    transformer = DataTransformer()
    # ctgan would hand columns to worker processes, whose random state nobody seeds
    with borrowed_random_state(seed), one_torch_thread(), parallel_config("sequential"):
        transformer.fit(table, discrete)
        return transformer, *trained_network(transformer, table, plan, support)


def _plan(n_rows: int, settings: GanSettings) -> GanPlan:
    """Plan at least ``settings.steps`` updates, in whole epochs."""
    fitting = max(n_rows // ROWS_JUDGED_TOGETHER, 1) * ROWS_JUDGED_TOGETHER
    batch_size = min(settings.batch_size, fitting)
    steps_per_epoch = max(n_rows // batch_size, 1)
    return GanPlan(
        steps_per_epoch=steps_per_epoch,
        epochs=-(-settings.steps // steps_per_epoch),
        batch_size=batch_size,
        rows_judged_together=ROWS_JUDGED_TOGETHER,
        noise_width=NOISE_WIDTH,
        layer_widths=LAYER_WIDTHS,
        learning_rate=LEARNING_RATE,
    )


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
