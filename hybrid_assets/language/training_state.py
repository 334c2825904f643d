"""Where a fit stands: all that is needed to go on as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # what torch's AdamW remembers of a weight


@dataclass
class TrainingState:
    """Weights, their average, the best average, the optimizer's moments and the curve.

    Attributes
    ----------
    step : int
        Updates made.
    weights, average, best : dict of str to Tensor
        By parameter name. `weights` and `moments` are the live tensors.
    moments : dict of str to dict
        What the optimizer remembers of each parameter.
    curve : list of tuple
        Step, mean loss since the entry before, held-out loss.
    """

    step: int
    weights: Tensors
    average: Tensors
    best: Tensors
    moments: dict[str, Tensors] = field(default_factory=dict)
    best_loss: float = math.inf
    n_worse: int = 0
    losses: list[float] = field(default_factory=list)
    curve: list[tuple[int, float, float]] = field(default_factory=list)

    @classmethod
    def at_start(cls, weights: dict[str, torch.nn.Parameter]) -> TrainingState:
        """Before the first step."""
        values = {name: weight.detach() for name, weight in weights.items()}
        average = {name: value.clone() for name, value in values.items()}
        return cls(0, values, average, dict(average))

    def moved(
        self,
        weights: dict[str, torch.nn.Parameter],
        optimizer: torch.optim.Optimizer,
        loss: float,
        averaged_steps: int,
    ) -> None:
        """Count a step that the optimizer has just made."""
        self.step += 1
        self.losses.append(loss)
        self.weights = {name: weight.detach() for name, weight in weights.items()}
        self.moments = {name: optimizer.state[weight] for name, weight in weights.items()}
        keep = min(1 - 1 / averaged_steps, self.step / (self.step + 10))
        for name, value in self.weights.items():
            self.average[name].lerp_(value, 1 - keep)

    def judged(self, held_out_loss: float) -> None:
        """Add a point to the curve and keep the averaged weights if none were better."""
        self.curve.append((self.step, sum(self.losses) / len(self.losses), held_out_loss))
        self.losses = []
        if held_out_loss >= self.best_loss:
            self.n_worse += 1
            return
        self.best_loss, self.n_worse = held_out_loss, 0
        self.best = {name: value.clone() for name, value in self.average.items()}

    def has_stopped(self, patience: int) -> bool:
        """Whether the held-out loss has not fallen for `patience` evaluations."""
        return self.n_worse >= patience

    def curve_table(self) -> pd.DataFrame:
        """Give the curve as columns ``step``, ``loss``, ``held_out_loss``."""
        return pd.DataFrame(self.curve, columns=["step", "loss", "held_out_loss"])

    def put_moments(
        self, optimizer: torch.optim.Optimizer, weights: dict[str, torch.nn.Parameter]
    ) -> None:
        """Give an optimizer the moments it had."""
        for name, moments in self.moments.items():
            weight = weights[name]
            optimizer.state[weight] = {
                key: value.cpu() if key == "step" else value.to(weight.device)
                for key, value in moments.items()
            }

    def to_bytes(self, fingerprint: str) -> bytes:
        """Write safetensors with the numbers as JSON in its header; nothing of a row is in it."""
        from safetensors.torch import save

        tensors = {f"{kind}/{name}": value for kind, name, value in self._tensors()}
        numbers = {
            "fit": _digest(fingerprint),
            "step": self.step,
            "best_loss": self.best_loss,
            "n_worse": self.n_worse,
            "losses": self.losses,
            "curve": self.curve,
        }
        tensors = {name: value.cpu().contiguous().clone() for name, value in tensors.items()}
        return save(tensors, metadata={"state": json.dumps(numbers)})

    @classmethod
    def from_bytes(cls, content: bytes, fingerprint: str) -> TrainingState | None:
        """Read what `to_bytes` wrote; None if it belongs to another fit or is damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            tensors = load(content)
            header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
            numbers = json.loads(header["__metadata__"]["state"])
        except (SafetensorError, ValueError, KeyError):
            return None
        if numbers["fit"] != _digest(fingerprint):
            return None
        kinds: dict[str, Tensors] = {}
        for key, value in tensors.items():
            kind, _, name = key.partition("/")
            kinds.setdefault(kind, {})[name] = value
        moments = {
            name: {key: kinds[key][name] for key in MOMENTS} for name in kinds.get("exp_avg", {})
        }
        curve = [(int(step), float(loss), float(held)) for step, loss, held in numbers["curve"]]
        return cls(
            numbers["step"],
            kinds["weights"],
            kinds["average"],
            kinds["best"],
            moments,
            numbers["best_loss"],
            numbers["n_worse"],
            numbers["losses"],
            curve,
        )

    def _tensors(self) -> list[tuple[str, str, torch.Tensor]]:
        plain = [("weights", self.weights), ("average", self.average), ("best", self.best)]
        found = [(kind, name, value) for kind, part in plain for name, value in part.items()]
        found += [
            (key, name, moments[key]) for name, moments in self.moments.items() for key in MOMENTS
        ]
        return found


def _digest(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()
