"""From the outputs of CTGAN's generator network to rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import torch

ROWS_PER_DRAW = 5_000


class DiscreteCode(BaseModel):
    """A column as one of its levels; `shares` says how often each occurs, summing to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    levels: tuple[str | int | float, ...]
    shares: tuple[float, ...]

    @property
    def width(self) -> int:
        """Number of network outputs."""
        return len(self.levels)

    def decoded(self, logits: torch.Tensor, random: torch.Generator) -> np.ndarray:
        """Draw levels; `logits` is (n, width), the result (n,)."""
        levels: np.ndarray = np.array(self.levels, dtype=object)
        drawn: np.ndarray = levels[drawn_categories(logits, random)]
        return drawn


class ContinuousCode(BaseModel):
    """A column as a mode of a Gaussian mixture and a position within that mode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    means: tuple[float, ...]
    sds: tuple[float, ...]
    is_integer: bool

    @property
    def width(self) -> int:
        """Number of network outputs: the position, then one per mode."""
        return 1 + len(self.means)

    def decoded(self, outputs: torch.Tensor, random: torch.Generator) -> np.ndarray:
        """Draw values; `outputs` is (n, width), the result (n,).

        A position of 1 is four standard deviations from the mean of the mode.
        Integers were encoded as if continuous and are rounded back.
        """
        mode = drawn_categories(outputs[:, 1:], random)
        position = outputs[:, 0].tanh().double().numpy()
        values: np.ndarray = np.array(self.means)[mode] + 4 * np.array(self.sds)[mode] * position
        return np.rint(values) if self.is_integer else values


class GanState(BaseModel):
    """All that a fitted CTGAN needs to give rows, except its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[DiscreteCode | ContinuousCode, ...]
    noise_width: int
    layer_widths: tuple[int, ...]

    @property
    def condition_shares(self) -> np.ndarray:
        """Probability that a row is conditioned on each level of each discrete column.

        Each discrete column is as likely as any other, its levels as likely
        as in the training table. Shape (number of levels in all,).
        """
        discrete = [code.shares for code in self.columns if isinstance(code, DiscreteCode)]
        return np.concatenate(discrete) / len(discrete) if discrete else np.empty(0)

    def new_network(self) -> torch.nn.Module:
        """Build CTGAN's generator network with untrained weights, in evaluation mode."""
        from ctgan.synthesizers.ctgan import Generator

        network: torch.nn.Module = Generator(
            self.noise_width + len(self.condition_shares),
            self.layer_widths,
            sum(code.width for code in self.columns),
        )
        return network.eval()


def drawn_categories(logits: torch.Tensor, random: torch.Generator) -> np.ndarray:
    """Draw one category per row of (n, k) logits; the result is (n,)."""
    import torch

    return torch.multinomial(logits.softmax(dim=1), 1, generator=random)[:, 0].numpy()


def drawn_rows(
    network: torch.nn.Module, state: GanState, n_rows: int, random: torch.Generator
) -> pd.DataFrame:
    """Draw `n_rows` rows, in blocks so that memory stays small."""
    sizes = [ROWS_PER_DRAW] * (n_rows // ROWS_PER_DRAW) + [n_rows % ROWS_PER_DRAW]
    blocks = [_drawn_block(network, state, size, random) for size in sizes if size]
    return pd.concat(blocks, ignore_index=True).infer_objects()


def _drawn_block(
    network: torch.nn.Module, state: GanState, n_rows: int, random: torch.Generator
) -> pd.DataFrame:
    import torch

    shares = torch.from_numpy(state.condition_shares)
    inputs = torch.randn(n_rows, state.noise_width, generator=random)
    if len(shares):
        chosen = torch.multinomial(shares, n_rows, replacement=True, generator=random)
        condition = torch.nn.functional.one_hot(chosen, len(shares)).to(inputs.dtype)
        inputs = torch.cat([inputs, condition], dim=1)
    outputs = network(inputs).split([code.width for code in state.columns], dim=1)
    return pd.DataFrame(
        {
            code.name: code.decoded(output, random)
            for code, output in zip(state.columns, outputs, strict=True)
        }
    )
