"""Rows drawn from a language model along a grammar; rows alike so far cost one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hybrid_assets.language.drawn_words import DrawnWords
from hybrid_assets.language.grammar import Restriction, RowGrammar
from hybrid_assets.language.moves import States, packed, padded, wide
from hybrid_assets.language.prefixes import FINISHED, Prefixes, WaitingRoom
from hybrid_assets.language.reading import Reader
from hybrid_assets.language.starts import Start, Starts

if TYPE_CHECKING:
    from hybrid_assets.language.decoder import Memory

Split = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FinishedRows:
    """Rows drawn: codes (n, p), group of the start (n,), how many of each (n,)."""

    codes: np.ndarray
    group: np.ndarray
    weight: np.ndarray


class TreeWalk:
    """Walks from starts to rows.

    Parameters
    ----------
    reader : Reader
        Of the model.
    grammar : RowGrammar
        What a row is.
    split : callable
        Takes weights (n,) and the probabilities of the valid continuations
        (n, k), gives the weights of the continuations (n, k).
    loses_invalid : bool
        Whether `split` loses the weight of invalid continuations.

    Attributes
    ----------
    entered, left : ndarray of shape (p,)
        Weight that came to each column, and how much of it the column's valid
        values have.
    words : DrawnWords
        What the codes of finished rows mean.
    """

    def __init__(
        self, reader: Reader, grammar: RowGrammar, split: Split, *, loses_invalid: bool
    ) -> None:
        self._reader, self._grammar = reader, grammar
        self._split, self._loses = split, loses_invalid
        self._n_columns = len(grammar.next_names)
        self.entered, self.left = np.zeros(self._n_columns), np.zeros(self._n_columns)
        self.words = DrawnWords(self._n_columns)
        self._names = padded([*grammar.next_names, ()])  # the last one where no column follows

    def rows(
        self, starts: list[Start], restrictions: dict[int, Restriction]
    ) -> Iterator[FinishedRows]:
        """Walk from every start to its rows.

        Parameters
        ----------
        starts : list of Start
            Where to begin.
        restrictions : dict of int to Restriction
            By column, for conditional draws.

        Yields
        ------
        FinishedRows
            As they are complete; rows alike may come several times.
        """
        self._states = States(self._grammar, restrictions)
        self._starts = Starts(starts, self._grammar)
        most = self._reader.most_prefixes
        for block in self._starts.blocks(most):
            waiting = WaitingRoom(most)
            for number in block:
                if starts[number].weight > 0:
                    waiting.put(self._root(starts[number], number), None, 0)
            while waiting:
                yield from self._advance(waiting, *waiting.pop())

    def _root(self, start: Start, number: int) -> Prefixes:
        n_given = len(start.given)
        column = np.array([start.order[n_given]])
        is_last = np.array([n_given == self._n_columns - 1])
        return Prefixes(
            weight=np.array([start.weight]),
            start=np.array([number]),
            step=np.array([n_given]),
            state=self._states.numbers(column, is_last, np.array([0])),
            codes=np.zeros((1, self._n_columns), dtype=np.int64),
            trail=np.array([0]),
            mass=np.array([1.0]),
            pending=np.array([self._starts.tokens(number)]),
            n_forced=np.array([0]),
            ends=np.array([False]),
            parent=np.array([0]),
        )

    def _advance(
        self, waiting: WaitingRoom, prefixes: Prefixes, memory: Memory | None, n_read: int
    ) -> Iterator[FinishedRows]:
        """Let the model read what is pending, and go on to all prefixes that follow."""
        n_pending = prefixes.pending.shape[1]
        n_checked = int((prefixes.n_forced + prefixes.ends).max())
        positions = [*range(min(n_checked, n_pending - 1)), n_pending - 1]
        pending = prefixes.pending
        probabilities, memory = self._reader.probabilities(pending, memory, n_read, positions)
        if n_checked:
            prefixes = self._checked(prefixes, probabilities)
        parts = []
        for state, group in prefixes.by(prefixes.state):
            if state == FINISHED:
                yield from self._finish(group)
            else:
                parts.append(self._children(group, probabilities[group.parent, -1], state))
        if not parts:
            return
        width = max(part.pending.shape[1] for part in parts)
        following = Prefixes.joined([replace(p, pending=wide(p.pending, width)) for p in parts])
        for length, some in following.by((following.pending >= 0).sum(axis=1)):
            if length == 0:
                yield from self._finish(some)
            else:
                some = replace(some, pending=some.pending[:, :length])
                waiting.put(some, memory, n_read + n_pending)

    def _checked(self, prefixes: Prefixes, probabilities: np.ndarray) -> Prefixes:
        """Weigh prefixes by the probability of what their values forced."""
        rows = np.arange(len(prefixes))
        valid = np.ones(len(prefixes))
        for position in range(int((prefixes.n_forced + prefixes.ends).max())):
            forced = rows[position < prefixes.n_forced]
            if len(forced):
                tokens = prefixes.pending[forced, position + 1]
                valid[forced] *= probabilities[forced, position, tokens]
            ending = rows[prefixes.ends & (prefixes.n_forced == position)]
            valid[ending] *= self._starts.end_mass(
                probabilities[ending, position], prefixes.start[ending], prefixes.step[ending] - 1
            )
        weight = self._split(prefixes.weight, valid[:, None])[:, 0]
        mass = prefixes.mass if self._loses else prefixes.mass * valid
        ended = prefixes.ends
        self._leave(prefixes.start[ended], prefixes.step[ended], (weight * mass)[ended])
        mass = np.where(ended, 1.0, mass)
        return replace(prefixes, weight=weight, mass=mass).take(np.flatnonzero(weight > 0))

    def _children(self, group: Prefixes, probabilities: np.ndarray, state: int) -> Prefixes:
        """Split prefixes in one state of one column among all valid continuations."""
        column, is_last, automaton = self._states.column(state)
        if self._states.begins(state):
            self.entered[column] += group.weight.sum()
        moves = self._states.moves(state)
        first = moves.tokens[:, 0]
        valid = np.where(first >= 0, probabilities[:, first], 0.0).astype(np.float64)
        if first[-1] < 0:
            valid[:, -1] = self._starts.end_mass(probabilities, group.start, group.step)
        weights = self._split(group.weight, valid)
        row, move = np.nonzero(weights)
        child = group.take(row)
        mass = child.mass if self._loses else child.mass * valid.sum(axis=1)[row]
        ends = moves.ends[move]
        trail = self.words.trails(child.trail, move, moves)
        child.codes[ends, column] = self.words.codes(column, is_last, automaton, trail[ends])
        step = child.step + ends
        is_done = step == self._n_columns
        following = self._starts.column(child.start, step)
        name = np.where(ends & ~is_done, following, self._n_columns)
        onward = self._states.numbers(
            np.where(ends, following, column),
            np.where(ends, step == self._n_columns - 1, is_last),
            np.where(ends, 0, moves.states[move]),
        )
        weight = weights[row, move]
        is_settled = ends & ((first[move] < 0) | (is_done & (not self._loses)))
        self._leave(child.start[is_settled], step[is_settled], (weight * mass)[is_settled])
        pending = np.where((is_settled & is_done)[:, None], -1, moves.tokens[move])
        return replace(
            child,
            weight=weight,
            step=step,
            state=np.where(is_done, FINISHED, onward),
            trail=np.where(ends, 0, trail),
            mass=np.where(is_settled, 1.0, mass),
            pending=packed(pending, self._names[name]),
            n_forced=np.where(is_settled, 0, moves.n_tokens[move] - 1),
            ends=ends & ~is_settled,
        )

    def _leave(self, start: np.ndarray, step: np.ndarray, weight: np.ndarray) -> None:
        np.add.at(self.left, self._starts.column(start, step - 1), weight)

    def _finish(self, prefixes: Prefixes) -> Iterator[FinishedRows]:
        if len(prefixes):
            group = self._starts.groups[prefixes.start]
            yield FinishedRows(prefixes.codes, group, prefixes.weight)
