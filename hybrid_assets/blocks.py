"""Long tables in blocks of rows: what is drawn, and what is added up, does not depend on memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

BLOCK_ROWS = 250_000
SAMPLE_ROWS = 250_000  # of a table that models are fitted to and attackers search, drawn at random

PEOPLE_ROWS = 1_000_000  # people who are analysed, of training and holdout together


def drawing_note(n_people: int) -> str:
    """Say which people of a seed were analysed where `PEOPLE_ROWS` bounds them; empty if all."""
    if n_people <= PEOPLE_ROWS:
        return ""
    return f"{PEOPLE_ROWS:,} people drawn at random of {n_people:,}"


def sampling_note(n_rows: int) -> str:
    """Say which rows of a table were used where `SAMPLE_ROWS` bounds them; empty if all were."""
    if n_rows <= SAMPLE_ROWS:
        return ""
    return f"from a random sample of {SAMPLE_ROWS:,} of {n_rows:,} rows"


def blocks_of_one_size(blocks: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Cut and join blocks to `BLOCK_ROWS` rows each, the last with what is left; index reset."""
    waiting: list[pd.DataFrame] = []
    for block in blocks:
        waiting.append(block)
        while sum(map(len, waiting)) >= BLOCK_ROWS:
            joined = _joined(waiting)
            yield joined.iloc[:BLOCK_ROWS]
            waiting = [joined.iloc[BLOCK_ROWS:]] if len(joined) > BLOCK_ROWS else []
    if waiting:
        yield _joined(waiting)


def streams_of(rng: np.random.Generator, n_rows: int) -> list[np.random.Generator]:
    """Give each of the blocks of a table a random stream; a single block has `rng` itself."""
    n_blocks = -(-n_rows // BLOCK_ROWS)
    return rng.spawn(n_blocks) if n_blocks > 1 else [rng]


def mean_of(values: Iterable[np.ndarray]) -> float:
    """Take the mean of numbers that come in arrays of shape (n_k,): exact sums of array sums."""
    sums, n_values = [], 0
    for array in values:
        sums.append(float(array.sum()))
        n_values += len(array)
    return math.fsum(sums) / n_values


@dataclass
class RunningMoments:
    """Mean and spread of the numbers that were added so far.

    Blocks are joined as Chan, Golub & LeVeque do (1983, doi:10.2307/2683386).

    Attributes
    ----------
    n_values : int
    mean : float
    squares : float
        Sum of squared deviations from the mean.
    """

    n_values: int = 0
    mean: float = 0.0
    squares: float = field(default=0.0)

    def add(self, values: np.ndarray) -> None:
        """Go on with numbers of shape (n,)."""
        n_new = len(values)
        if not n_new:
            return
        mean_new = float(values.mean())
        n_all, apart = self.n_values + n_new, mean_new - self.mean
        self.squares += float(((values - mean_new) ** 2).sum())
        self.squares += apart**2 * self.n_values * n_new / n_all
        self.mean += apart * n_new / n_all
        self.n_values = n_all

    def standard_deviation(self, ddof: int = 0) -> float:
        """Give the square root of the squares over ``n - ddof``."""
        return math.sqrt(self.squares / (self.n_values - ddof))


def _joined(blocks: list[pd.DataFrame]) -> pd.DataFrame:
    if len(blocks) == 1:
        return blocks[0].reset_index(drop=True)
    return pd.concat(blocks, ignore_index=True)
