"""Training a causal language model on rows: one loop for the tiny and the pretrained models."""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hybrid_assets.generators.fit_support import ALONE, FitProgress, FitSupport
from hybrid_assets.language.batches import NOT_LEARNED, Batches
from hybrid_assets.language.training_state import TrainingState

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

N_EVALUATIONS = 20
PATIENCE = 5  # evaluations without a better held-out loss
HELD_OUT_SHARE, MOST_HELD_OUT, LEAST_HELD_OUT = 0.1, 500, 20
HELD_OUT_ORDERS = 2
AVERAGED_STEPS = 100  # the weights kept are an average over about as many steps
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn.

    Attributes
    ----------
    steps : int
        Updates at most.
    batch_size : int
        Rows per update.
    learning_rate : float
        At its peak.
    seed : int
        Of everything random, in [0, 2**31).
    weight_decay : float
        Of AdamW, on matrices only.
    """

    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    weight_decay: float = 0.01


@dataclass(frozen=True)
class TrainedModel:
    """What training gave.

    Attributes
    ----------
    learning_curve : DataFrame
        Columns ``step``, ``loss`` and ``held_out_loss``: nats per row. Of
        the tiny model's tokens only values count; names are forced.
    tokens_per_second : float
        Learned in this process.
    """

    model: PreTrainedModel
    learning_curve: pd.DataFrame
    tokens_per_second: float


def trained(
    model: PreTrainedModel, batches: Batches, plan: TrainingPlan, support: FitSupport = ALONE
) -> TrainedModel:
    """Train until the held-out loss stops falling, and keep the best weights.

    A tenth of the rows (20 to 500; none of fewer than 200) is never learned and
    only judges when to stop; the model is not fitted again with them. What is
    judged and kept is a running average of the weights. Everything random at a
    step is a function of the seed and the step, so that a fit that was killed
    goes on from its last checkpoint to the same weights, bit for bit.

    Parameters
    ----------
    model : PreTrainedModel
        Weights in float32; trained in place. On a GPU, with precision
        ``bfloat16``, products are rounded and the weights are not.
    batches : Batches
        The rows.
    plan : TrainingPlan
        Steps, rows per step, learning rate, seed.
    support : FitSupport
        Device, progress and checkpoints.
    """
    learning = _Learning(model, batches, plan, support)
    state = learning.restored()
    clock, n_tokens = time.perf_counter(), 0
    started_at = state.step
    while state.step < plan.steps and not state.has_stopped(PATIENCE):
        n_tokens += learning.step(state)
        if state.step % learning.evaluate_every == 0 or state.step == plan.steps:
            learning.evaluate(state)
            spent = time.perf_counter() - clock
            per_step = spent / (state.step - started_at)
            left = per_step * (plan.steps - state.step)
            support.tell(FitProgress(state.step, plan.steps, *state.curve[-1][1:], left))
        if state.step % support.checkpoint_every == 0:
            support.keep(state.to_bytes(learning.fingerprint))
    support.keep(state.to_bytes(learning.fingerprint))  # for a kill in what follows the fit
    seconds = max(time.perf_counter() - clock, 1e-9)
    learning.put(state.best)
    return TrainedModel(model.eval(), state.curve_table(), n_tokens / seconds)  # type: ignore[no-untyped-call]


class _Learning:
    """One model, its optimizer and its rows, while it learns."""

    def __init__(
        self, model: PreTrainedModel, batches: Batches, plan: TrainingPlan, support: FitSupport
    ) -> None:
        self.model, self.batches, self.plan, self.support = model, batches, plan, support
        self.weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.optimizer = _optimizer(self.weights, plan)
        rows = np.random.default_rng(plan.seed).permutation(batches.n_rows)
        n_held_out = min(int(batches.n_rows * HELD_OUT_SHARE), MOST_HELD_OUT)
        n_held_out = n_held_out if n_held_out >= LEAST_HELD_OUT else 0
        self.held_out, self.learned = rows[:n_held_out], rows[n_held_out:]
        self.evaluate_every = max(plan.steps // N_EVALUATIONS, 1)
        self.fingerprint = _fingerprint(self.weights, batches, plan)

    def restored(self) -> TrainingState:
        """Go on from the last checkpoint of this very fit, or start."""
        kept = self.support.kept()
        state = TrainingState.from_bytes(kept, self.fingerprint) if kept is not None else None
        if state is None:
            return TrainingState.at_start(self.weights)
        self.put(state.weights)
        state.put_moments(self.optimizer, self.weights)
        return state

    def put(self, values: dict[str, torch.Tensor]) -> None:
        """Copy values into the model's weights."""
        for name, weight in self.weights.items():
            weight.data.copy_(values[name])

    def step(self, state: TrainingState) -> int:
        """Learn one batch; give the number of its tokens."""
        import torch

        epoch, rows = self._rows(state.step)
        seed = self.plan.seed * 2**31 + state.step
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * _speed(state.step, self.plan.steps)
        torch.manual_seed(seed)  # dropout; the caller lends the global state
        self.model.train()
        tokens = self.batches.batch(rows, epoch, seed).to(self.model.device)
        loss = self._nats(tokens) / len(rows)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.weights.values(), LARGEST_GRADIENT)
        self.optimizer.step()
        state.moved(self.weights, self.optimizer, float(loss.detach()), AVERAGED_STEPS)
        return int((tokens != NOT_LEARNED).sum()) - len(rows)

    def evaluate(self, state: TrainingState) -> None:
        """Judge the averaged weights on the held-out rows, and keep them if they are the best."""
        current = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.put(state.average)
        state.judged(self._held_out_loss())
        self.put(current)

    def _held_out_loss(self) -> float:
        """Mean nats per held-out row over `HELD_OUT_ORDERS` fixed orders; NaN without such rows."""
        import torch

        self.model.eval()  # type: ignore[no-untyped-call]
        total, n_rows = 0.0, 0
        with torch.no_grad():
            for order in range(HELD_OUT_ORDERS):
                for start in range(0, len(self.held_out), 4 * self.plan.batch_size):
                    rows = self.held_out[start : start + 4 * self.plan.batch_size]
                    tokens = self.batches.batch(rows, -1, order * 2**20 + start)
                    total += float(self._nats(tokens.to(self.model.device)))
                    n_rows += len(rows)
        return total / n_rows if n_rows else math.nan

    def _nats(self, tokens: torch.Tensor) -> torch.Tensor:
        """Sum the log loss of all tokens but the first and those that sampling forces."""
        import torch

        inputs = tokens[:, :-1].clamp(min=0)  # causal attention never looks at padding
        targets = tokens[:, 1:]
        forced = torch.tensor(self.batches.forced, device=tokens.device, dtype=tokens.dtype)
        targets = targets.masked_fill(torch.isin(targets, forced), NOT_LEARNED)
        with self._precision():
            logits = self.model(input_ids=inputs, use_cache=False).logits
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(),
            targets.flatten(),
            ignore_index=NOT_LEARNED,
            reduction="sum",
        )

    def _precision(self) -> AbstractContextManager[object]:
        import torch

        if self.support.precision == "float32" or self.model.device.type == "cpu":
            return nullcontext()
        return torch.autocast(self.model.device.type, dtype=torch.bfloat16)

    def _rows(self, step: int) -> tuple[int, np.ndarray]:
        """Give the epoch of a step and its rows; each epoch reads each row once, in a new order."""
        size = min(self.plan.batch_size, len(self.learned))
        per_epoch = max(len(self.learned) // size, 1)
        epoch, position = divmod(step, per_epoch)
        order = np.random.default_rng([self.plan.seed, epoch]).permutation(self.learned)
        return epoch, order[position * size : (position + 1) * size]


def _optimizer(weights: dict[str, torch.nn.Parameter], plan: TrainingPlan) -> torch.optim.AdamW:
    import torch

    matrices = [w for w in weights.values() if w.dim() > 1]
    others = [w for w in weights.values() if w.dim() < 2]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": plan.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=plan.learning_rate,
        betas=(0.9, 0.95),
        foreach=True,
    )


def _speed(step: int, steps: int) -> float:
    """Rise over a sixth of the steps, then fall as a cosine to a hundredth."""
    rise = min(1.0, (step + 1) / (steps // 6 + 1))
    return rise * max(0.5 * (1 + math.cos(math.pi * step / steps)), 0.01)


def _fingerprint(
    weights: dict[str, torch.nn.Parameter], batches: Batches, plan: TrainingPlan
) -> str:
    """Tell fits apart by their plan and the size of all they are made of."""
    shapes = {name: list(weight.shape) for name, weight in sorted(weights.items())}
    return f"{plan} {batches.n_rows} {shapes}"
