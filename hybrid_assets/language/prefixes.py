"""Beginnings of rows, and what the model remembers of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

FINISHED = -1


@dataclass(frozen=True)
class Prefixes:
    """Beginnings of rows, of which the model has read as many tokens each.

    Attributes
    ----------
    weight : ndarray of shape (n,)
        Rows that begin so.
    start : ndarray of int, shape (n,)
        Which start they come from.
    step : ndarray of int, shape (n,)
        Columns complete.
    state : ndarray of int, shape (n,)
        Where the open value is; `FINISHED` after the last.
    codes : ndarray of int, shape (n, p)
        Values of the complete columns, by column of the schema.
    trail : ndarray of int, shape (n,)
        Tokens of the open value, see `drawn_words.DrawnWords`.
    mass : ndarray of shape (n,)
        Probability that all tokens of the open value would have been valid.
    token : ndarray of int, shape (n,)
        What the model reads next.
    queue, place : ndarray of int, shape (n,)
        What it reads after that before anything is drawn: `starts.Starts.forced[queue, place:]`.
    """

    weight: np.ndarray
    start: np.ndarray
    step: np.ndarray
    state: np.ndarray
    codes: np.ndarray
    trail: np.ndarray
    mass: np.ndarray
    token: np.ndarray
    queue: np.ndarray
    place: np.ndarray

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, rows: np.ndarray | slice) -> Prefixes:
        """Give some of the prefixes."""
        return Prefixes(*(getattr(self, name)[rows] for name in NAMES))

    def joined(self, others: Prefixes) -> Prefixes:
        """Put others after these."""
        pairs = ((getattr(self, name), getattr(others, name)) for name in NAMES)
        return Prefixes(*map(np.concatenate, pairs))


NAMES = tuple(f.name for f in fields(Prefixes))


@dataclass(frozen=True)
class Memory:
    """Keys and values of prefixes, at one place each, and of as many tokens each.

    Attributes
    ----------
    numbers : Tensor of shape (n_layers, n_places, 2, n_heads, n_tokens, width)
        Made once and used again, since new memory costs more than what is done with it.
    """

    numbers: torch.Tensor

    def arrange(self, source: np.ndarray, n_read: int) -> np.ndarray:
        """Give every prefix the place of its number, moving as few as can be.

        Parameters
        ----------
        source : ndarray of int, shape (n,)
            Where the keys and values of each prefix are; the same for prefixes
            with one beginning.
        n_read : int
            Of how many tokens.

        Returns
        -------
        ndarray of int, shape (n,)
            The prefix at each of the places 0 to n - 1.
        """
        prefixes = np.arange(len(source))
        first = np.full(self.numbers.shape[1], -1)  # prefix with its keys and values at a place
        first[source[::-1]] = prefixes[::-1]
        found = first[: len(source)]
        free = np.flatnonzero(found < 0)
        moves = np.ones(len(source), dtype=bool)
        moves[found[found >= 0]] = False
        found[free] = prefixes[moves]
        if len(free):
            self._copy(source[found[free]], free, n_read)
        return found

    def _copy(self, source: np.ndarray, to: np.ndarray, n_read: int) -> None:
        import torch

        read = self.numbers[..., :n_read, :]
        if read.stride(1) != 1:
            read[:, to] = read[:, source]
            return
        lines = read.movedim(1, -1)  # one number of all places: indices would be slow
        taken, put = (
            torch.from_numpy(places).expand(*lines.shape[:-1], -1) for places in (source, to)
        )
        lines.scatter_(-1, put, lines.gather(-1, taken))

    def copied(self, places: np.ndarray, n_read: int) -> torch.Tensor:
        """Put the keys and values of some places aside."""
        return self.numbers[:, places, :, :, :n_read]

    def restore(self, aside: torch.Tensor, rows: np.ndarray) -> None:
        """Take rows of what was put aside to the first places."""
        self.numbers[:, : len(rows), :, :, : aside.shape[4]] = aside[:, rows]
