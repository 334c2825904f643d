"""CTGAN's two networks in training: the updates of `ctgan`, bit for bit, without its idle work."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hybrid_assets.errors import GeneratorError
from hybrid_assets.generators.fit_support import FitProgress, FitSupport

if TYPE_CHECKING:
    import torch

GUMBEL_TEMPERATURE = 0.2
PENALTY = 10.0
WEIGHT_DECAY = 1e-6
SECONDS_BETWEEN_REPORTS = 1.0
FOUND = ["step", "generator_loss", "discriminator_loss"]


@dataclass(frozen=True)
class GanPlan:
    """How two networks are trained.

    Attributes
    ----------
    steps_per_epoch, epochs : int
        Losses are kept at the end of each epoch.
    batch_size : int
        Rows per update, a multiple of `rows_judged_together`.
    rows_judged_together : int
        Rows that the discriminator sees at once.
    noise_width : int
        Of the generator's input.
    layer_widths : tuple of int
        Of both networks.
    learning_rate : float
    """

    steps_per_epoch: int
    epochs: int
    batch_size: int
    rows_judged_together: int
    noise_width: int
    layer_widths: tuple[int, ...]
    learning_rate: float


def trained_network(
    transformer: Any, table: pd.DataFrame, plan: GanPlan, support: FitSupport
) -> tuple[torch.nn.Module, pd.DataFrame]:
    """Train on rows as ``ctgan.CTGAN.fit`` does, from the global random states.

    Parameters
    ----------
    transformer : ctgan.data_transformer.DataTransformer
        Fitted to `table`.
    table : DataFrame
        Complete.
    plan : GanPlan
    support : FitSupport
        Who is told how far it is.

    Returns
    -------
    Module
        The generator network.
    DataFrame of shape (epochs, 3)
        Columns ``step``, ``generator_loss``, ``discriminator_loss``.

    Raises
    ------
    GeneratorError
        If the losses are not finite.
    """
    training = _Training(transformer, transformer.transform(table), plan)
    started, told, curve = time.monotonic(), time.monotonic(), []
    for epoch in range(1, plan.epochs + 1):
        for _ in range(plan.steps_per_epoch):
            discriminator_loss = training.update_discriminator()
            generator_loss = training.update_generator()
        losses = float(generator_loss), float(discriminator_loss)
        if not all(map(math.isfinite, losses)):
            raise GeneratorError(f"CTGAN diverged in epoch {epoch}: its losses are {losses}")
        curve.append((epoch * plan.steps_per_epoch, *losses))
        now = time.monotonic()
        if now - told > SECONDS_BETWEEN_REPORTS:
            told, left = now, (now - started) / epoch * (plan.epochs - epoch)
            n_steps = plan.epochs * plan.steps_per_epoch
            support.tell(FitProgress(curve[-1][0], n_steps, losses[0], math.nan, left))
    return training.generator, pd.DataFrame(curve, columns=FOUND)


class _Training:
    """The networks, their optimizers and the rows.

    `ctgan` also differentiates the generator while it updates the discriminator, and the
    discriminator while it updates the generator, and throws both away.
    """

    def __init__(self, transformer: Any, rows: np.ndarray, plan: GanPlan) -> None:
        from ctgan.data_sampler import DataSampler
        from ctgan.synthesizers.ctgan import Discriminator, Generator
        from torch.optim import Adam

        self.plan, self.rows = plan, rows
        self.spans = transformer.output_info_list
        self.conditions = DataSampler(rows, self.spans, log_frequency=True)
        width, n_levels = rows.shape[1], self.conditions.dim_cond_vec()
        self.generator = Generator(plan.noise_width + n_levels, plan.layer_widths, width)
        self.discriminator = Discriminator(
            width + n_levels, plan.layer_widths, pac=plan.rows_judged_together
        )
        self.of_generator, self.of_discriminator = (
            Adam(
                network.parameters(),
                lr=plan.learning_rate,
                betas=(0.5, 0.9),
                weight_decay=WEIGHT_DECAY,
                foreach=True,
            )
            for network in (self.generator, self.discriminator)
        )

    def update_discriminator(self) -> Any:
        """Take one step towards telling rows from drawn ones; give the loss."""
        import torch

        noise, condition = self._noise()
        if condition is None:
            real = self.rows[np.random.randint(len(self.rows), size=self.plan.batch_size)]
            judged = torch.from_numpy(real.astype("float32"))
        else:
            wanted, _, column, level = condition
            order = np.random.permutation(self.plan.batch_size)
            real = self.rows[self._rows_with(column[order], level[order])]
            judged = torch.cat([torch.from_numpy(real.astype("float32")), wanted[order]], dim=1)
        with torch.no_grad():
            drawn = self._activated(self.generator(noise))
        if condition is not None:
            drawn = torch.cat([drawn, condition[0]], dim=1)
        fakes, reals = self.discriminator(drawn), self.discriminator(judged)
        penalty = self._penalty(judged, drawn)
        loss = -(reals.mean() - fakes.mean())
        self.of_discriminator.zero_grad()
        penalty.backward()
        loss.backward()
        self.of_discriminator.step()
        return loss.detach()

    def update_generator(self) -> Any:
        """Take one step towards rows that pass for real; give the loss."""
        import torch

        noise, condition = self._noise()
        outputs = self.generator(noise)
        drawn = self._activated(outputs)
        if condition is None:
            loss = -self.discriminator(drawn).mean()
        else:
            judged = self.discriminator(torch.cat([drawn, condition[0]], dim=1))
            loss = -judged.mean() + self._missed_conditions(outputs, *condition[:2])
        weights = list(self.generator.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        self.of_generator.step()
        return loss.detach()

    def _noise(self) -> tuple[torch.Tensor, tuple[Any, ...] | None]:
        """Draw inputs, and the level of one column that each row is asked to have."""
        import torch

        noise = torch.randn(self.plan.batch_size, self.plan.noise_width)
        drawn = self.conditions.sample_condvec(self.plan.batch_size)
        if drawn is None:
            return noise, None
        wanted, mask = (torch.from_numpy(each) for each in drawn[:2])
        return torch.cat([noise, wanted], dim=1), (wanted, mask, *drawn[2:])

    def _rows_with(self, columns: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Draw a row with each of the levels; both, and the result, of shape (batch_size,)."""
        having = self.conditions._rid_by_cat_cols
        found = [having[column][level] for column, level in zip(columns, levels, strict=True)]
        drawn = np.random.randint(0, [len(rows) for rows in found])
        return np.array([rows[i] for rows, i in zip(found, drawn, strict=True)])

    def _activated(self, outputs: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.nn.functional import gumbel_softmax

        parts = [
            torch.tanh(part)
            if span.activation_fn == "tanh"
            else gumbel_softmax(part, tau=GUMBEL_TEMPERATURE)
            for span, part in self._by_span(outputs)
        ]
        return torch.cat(parts, dim=1)

    def _missed_conditions(
        self, outputs: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor
    ) -> Any:
        """Cross-entropy of the level each row was asked to have, mean over rows."""
        import torch
        from torch.nn.functional import cross_entropy

        losses, start = [], 0
        for column, (span, part) in zip(self._discrete(), self._by_span(outputs), strict=True):
            if column:
                levels = wanted[:, start : start + span.dim].argmax(dim=1)
                losses.append(cross_entropy(part, levels, reduction="none"))
                start += span.dim
        return (torch.stack(losses, dim=1) * mask).sum() / len(outputs)

    def _discrete(self) -> Iterator[bool]:
        """Tell of each span whether it is a whole column's levels."""
        return (len(spans) == 1 for spans in self.spans for _ in spans)

    def _by_span(self, outputs: torch.Tensor) -> Iterator[tuple[Any, torch.Tensor]]:
        spans = [span for column in self.spans for span in column]
        sizes = [span.dim for span in spans]
        return zip(spans, outputs.split(sizes, dim=1), strict=True)  # type: ignore[no-untyped-call]

    def _penalty(self, real: torch.Tensor, drawn: torch.Tensor) -> Any:
        """Punish slopes other than 1 between real and drawn rows (Gulrajani et al. 2017)."""
        import torch

        together, width = self.plan.rows_judged_together, real.shape[1]
        share = torch.rand(len(real) // together, 1, 1).repeat(1, together, width).view(-1, width)
        between = (share * real + (1 - share) * drawn).requires_grad_()
        judged = self.discriminator(between)
        (slope,) = torch.autograd.grad(
            judged, between, grad_outputs=torch.ones_like(judged), create_graph=True
        )
        excess = slope.view(-1, together * width).norm(2, dim=1) - 1
        return (excess**2).mean() * PENALTY
