"""Beginnings of rows that wait for the model, and what it remembers of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hybrid_assets.language.decoder import Memory

FINISHED = -1


@dataclass(frozen=True)
class Prefixes:
    """Beginnings of rows, as many tokens each.

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
    pending : ndarray of int, shape (n, n_pending)
        Tokens that the model has not read.
    n_forced : ndarray of int, shape (n,)
        How many of the pending tokens after the first belong to the open value.
    ends : ndarray of bool, shape (n,)
        Whether that value ends with them, for a name or the end token to follow.
    parent : ndarray of int, shape (n,)
        Row of the keys and values that the model has for the tokens before.
    """

    weight: np.ndarray
    start: np.ndarray
    step: np.ndarray
    state: np.ndarray
    codes: np.ndarray
    trail: np.ndarray
    mass: np.ndarray
    pending: np.ndarray
    n_forced: np.ndarray
    ends: np.ndarray
    parent: np.ndarray

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, rows: np.ndarray) -> Prefixes:
        """Give some of the prefixes."""
        return Prefixes(*(getattr(self, name)[rows] for name in NAMES))

    def by(self, key: np.ndarray) -> Iterator[tuple[int, Prefixes]]:
        """Give the prefixes apart by whole numbers, shape (n,), the lowest first."""
        found, where = np.unique(key, return_inverse=True)
        if len(found) == 1:
            yield int(found[0]), self
            return
        for number, one in enumerate(found.tolist()):
            yield one, self.take(np.flatnonzero(where == number))

    @staticmethod
    def joined(parts: list[Prefixes]) -> Prefixes:
        """Put prefixes with as many pending tokens together."""
        if len(parts) == 1:
            return parts[0]
        return Prefixes(*(np.concatenate([getattr(p, name) for p in parts]) for name in NAMES))


NAMES = tuple(f.name for f in fields(Prefixes))


class WaitingRoom:
    """Prefixes by their length, so that a batch needs no padding.

    The shortest come first, so that as many as possible are there to go on
    together; the longest when more than `most` wait, so that memory is bounded.

    Parameters
    ----------
    most : int
        Prefixes in a batch, and how many may wait before they are finished first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: dict[tuple[int, int], list[tuple[Prefixes, Memory | None]]]
        self._parts = defaultdict(list)
        self._n_waiting = 0

    def __bool__(self) -> bool:
        return self._n_waiting > 0

    def put(self, prefixes: Prefixes, memory: Memory | None, n_read: int) -> None:
        """Let prefixes wait, of which the model has read `n_read` tokens."""
        if len(prefixes):
            key = n_read, prefixes.pending.shape[1]
            self._parts[key].append((prefixes, memory))
            self._n_waiting += len(prefixes)

    def pop(self) -> tuple[Prefixes, Memory | None, int]:
        """Give the next batch, its keys and values, and for how many tokens those are.

        The keys and values are as `reading.Reader` takes them.
        """
        key = max(self._parts) if self._n_waiting > self._most else min(self._parts)
        waiting, taken, n_taken = self._parts.pop(key), [], 0
        while waiting and n_taken < self._most:
            prefixes, memory = waiting.pop()
            rows = np.arange(len(prefixes))
            n_fit = self._most - n_taken
            if len(rows) > n_fit:
                waiting.append((prefixes.take(rows[n_fit:]), memory))
                prefixes = prefixes.take(rows[:n_fit])
            taken.append((prefixes, memory))
            n_taken += len(prefixes)
        if waiting:
            self._parts[key] = waiting
        self._n_waiting -= n_taken
        joined = Prefixes.joined([prefixes for prefixes, _ in taken])
        return replace(joined, parent=np.arange(n_taken)), _gathered(taken, key[0]), key[0]


def _gathered(parts: list[tuple[Prefixes, Memory | None]], n_read: int) -> Memory | None:
    """Copy the keys and values of all rows into one tensor a layer, with as much room as before.

    Those of the tokens read are in one piece, so that a row is copied at once.
    """
    import torch

    if parts[0][1] is None:
        return None
    n_rows = sum(len(prefixes) for prefixes, _ in parts)
    gathered = []
    for layer, first in enumerate(parts[0][1]):
        n_numbers = first[0, :n_read].numel()
        room = first.new_empty(n_rows, *first.shape[1:])
        filled = room.flatten(1)[:, :n_numbers]
        n_done = 0
        for prefixes, memory in parts:
            assert memory is not None
            kept = memory[layer].flatten(1)[:, :n_numbers]
            rows = torch.from_numpy(prefixes.parent).to(first.device)
            some = filled[n_done : n_done + len(prefixes)]
            torch.index_select(kept, 0, rows, out=some)
            n_done += len(prefixes)
        gathered.append(room)
    return gathered
