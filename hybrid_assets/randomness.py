"""Keep third-party libraries that use process-wide state from leaving traces."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def borrowed_random_state(seed: int) -> Iterator[None]:
    """Seed the global generators of `random`, numpy and torch (CUDA's too), and put them back.

    Parameters
    ----------
    seed : int
        In [0, 2**32).
    """
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    of_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if of_gpus:
            torch.cuda.set_rng_state_all(of_gpus)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one thread: sums in a fixed order give the same bytes everywhere."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def drawn_seed(rng: np.random.Generator) -> int:
    """Draw a seed in [0, 2**32) for a library that takes no random generator."""
    return int(rng.integers(2**32))
