"""What the caller of a long fit may lend it: a device, an ear, a place to pause, helping hands."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal, Protocol

TRAINING = "training"  # name of a fit's state
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class FitProgress:
    """How far a fit has come; numbers about the whole table only.

    Attributes
    ----------
    step, n_steps : int
        Done, and at most to do: a fit may stop early.
    loss : float
        Mean over the steps since the last report, nats per row.
    held_out_loss : float
        Of rows that are not learned; NaN where there are none.
    seconds_left : float
        If no step is spared, at the pace measured so far.
    """

    step: int
    n_steps: int
    loss: float
    held_out_loss: float
    seconds_left: float


class Checkpoints(Protocol):
    """Keeps the last state of one fit."""

    def state(self, name: str) -> bytes | None:
        """Give what was kept last under a name, or None."""
        ...

    def keep_state(self, name: str, content: bytes) -> None:
        """Keep this instead, whole or not at all."""
        ...


@dataclass(frozen=True)
class FitSupport:
    """Device, precision, progress and checkpoints of a fit.

    Attributes
    ----------
    device : str
        For pretrained models: ``"cpu"`` or ``"cuda"``. Tiny ones stay on the CPU.
    precision : str
        Of products on a GPU; weights are float32.
    on_progress : callable, optional
        Told of `FitProgress`.
    checkpoints : Checkpoints, optional
        Where to pause.
    checkpoint_every : int
        Steps between checkpoints.
    workers : Executor, optional
        For what is fitted column by column.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    on_progress: Callable[[FitProgress], None] | None = None
    checkpoints: Checkpoints | None = None
    checkpoint_every: int = 200
    workers: Executor | None = None

    def tell(self, progress: FitProgress) -> None:
        """Report, if somebody listens."""
        if self.on_progress is not None:
            self.on_progress(progress)

    def kept(self) -> bytes | None:
        """Give the last checkpoint, if there is one."""
        return None if self.checkpoints is None else self.checkpoints.state(TRAINING)

    def keep(self, content: bytes) -> None:
        """Keep a checkpoint, if there is a place for it."""
        if self.checkpoints is not None:
            self.checkpoints.keep_state(TRAINING, content)


ALONE = FitSupport()
