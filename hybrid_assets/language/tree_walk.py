"""Rows drawn from a language model along a grammar; rows alike so far cost one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hybrid_assets.language.drawn_words import DrawnWords
from hybrid_assets.language.grammar import Restriction, RowGrammar
from hybrid_assets.language.moves import States
from hybrid_assets.language.prefixes import FINISHED, Prefixes
from hybrid_assets.language.reading import NextTokens, Reader
from hybrid_assets.language.splits import Split
from hybrid_assets.language.starts import Start, Starts

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FinishedRows:
    """Rows drawn: codes (n, p), group of the start (n,), how many of each (n,)."""

    codes: np.ndarray
    group: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Aside:
    """Prefixes for which there was no room.

    Attributes
    ----------
    prefixes : Prefixes
    source : ndarray of int, shape (n,)
        Row of `memory` of each.
    memory : Tensor
        Keys and values, see `prefixes.Memory.copied`.
    n_read : int
        Tokens read.
    """

    prefixes: Prefixes
    source: np.ndarray
    memory: torch.Tensor
    n_read: int


class TreeWalk:
    """Walks from starts to rows.

    All prefixes of a batch are read token by token, so that they are as long
    as each other, whatever their values and the order of their columns.

    Parameters
    ----------
    reader : Reader
        Of the model.
    grammar : RowGrammar
        What a row is.
    split : callable
        Takes weights (n,), the probabilities (n_moves,) of the valid continuations of each prefix
        one after the other, and where those of each begin (n,); gives the weights of the
        continuations (n_moves,). See `splits`.
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
        self.words = DrawnWords(grammar)

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
        self._states = States(self._grammar, restrictions, ends_row=not self._loses)
        self._starts = Starts(starts, self._grammar)
        for block in self._starts.blocks(self._reader.most_prefixes):
            aside: list[Aside] = []
            yield from self._walk(self._roots(np.array(block), starts), 0, aside)
            while aside:
                yield from self._resume(aside.pop(), aside)

    def _roots(self, number: np.ndarray, starts: list[Start]) -> Prefixes:
        n_given = np.array([len(starts[n].given) for n in number])
        is_last = n_given == self._n_columns - 1
        queue = self._n_columns + 1 + number
        return Prefixes(
            weight=np.array([starts[n].weight for n in number]),
            start=number,
            step=n_given,
            state=self._states.first(self._starts.column(number, n_given), is_last),
            codes=np.full((len(number), self._n_columns), -1),
            trail=np.zeros_like(number),
            mass=np.ones(len(number)),
            token=self._starts.forced[queue, 0],
            queue=queue,
            place=np.ones_like(number),
        )

    def _resume(self, part: Aside, aside: list[Aside]) -> Iterator[FinishedRows]:
        """Go on with as many as there is room for."""
        most = self._reader.most_prefixes
        rest = slice(most, None)
        if len(part.prefixes) > most:
            left = replace(part, prefixes=part.prefixes.take(rest), source=part.source[rest])
            aside.append(left)
        self._reader.memory.restore(part.memory, part.source[:most])
        yield from self._walk(part.prefixes.take(slice(most)), part.n_read, aside)

    def _walk(self, prefixes: Prefixes, n_read: int, aside: list[Aside]) -> Iterator[FinishedRows]:
        """Go on until all rows are finished, or put aside where there is no room."""
        memory, most = self._reader.memory, self._reader.most_prefixes
        while len(prefixes):
            prefixes, source = self._advanced(prefixes, n_read)
            n_read += 1
            is_done = prefixes.state == FINISHED
            if is_done.any():
                done = prefixes.take(is_done)
                yield FinishedRows(done.codes, self._starts.groups[done.start], done.weight)
                prefixes, source = prefixes.take(~is_done), source[~is_done]
            if len(prefixes) > most:
                kept, rows = np.unique(source[most:], return_inverse=True)
                rest = prefixes.take(slice(most, None))
                aside.append(Aside(rest, rows, memory.copied(kept, n_read), n_read))
                source = source[:most]
            prefixes = prefixes.take(memory.arrange(source, n_read))

    def _advanced(self, prefixes: Prefixes, n_read: int) -> tuple[Prefixes, np.ndarray]:
        """Let the model read a token; give what follows, and the prefix that each follows."""
        token = self._starts.forced[prefixes.queue, prefixes.place]
        told, asked = np.flatnonzero(token >= 0), np.flatnonzero(token < 0)
        chances = self._reader.read(prefixes.token, n_read, asked)
        following = replace(prefixes, token=token, place=prefixes.place + 1).take(told)
        if not len(asked):
            return following, told
        chosen, row = self._chosen(prefixes.take(asked), chances)
        return following.joined(chosen), np.concatenate([told, asked[row]])

    def _chosen(self, prefixes: Prefixes, chances: NextTokens) -> tuple[Prefixes, np.ndarray]:
        """Split prefixes among their moves; give the parts, and whose each is."""
        states = self._states
        is_new = states.begins(prefixes.state)
        column = states.column[prefixes.state]
        np.add.at(self.entered, column[is_new], prefixes.weight[is_new])
        row, move, begin = states.moves(prefixes.state)
        valid = self._probabilities(prefixes, chances, row, states.tokens[move])
        weight = self._split(prefixes.weight, valid, begin)
        if not self._loses:
            mass = prefixes.mass * np.add.reduceat(valid, begin)
            prefixes = replace(prefixes, mass=mass)
        goes_on = np.flatnonzero(weight)
        row, weight = row[goes_on], weight[goes_on]
        return self._moved(replace(prefixes.take(row), weight=weight), move[goes_on]), row

    def _probabilities(
        self, prefixes: Prefixes, chances: NextTokens, row: np.ndarray, tokens: np.ndarray
    ) -> np.ndarray:
        """Give the model's probability of each move of some rows."""
        valid = chances.at(row, np.maximum(tokens, 0))
        ending = np.flatnonzero(tokens < 0)
        if self._grammar.ends_forced:
            valid[ending] = 1.0
        elif len(ending):
            rows = row[ending]
            after = self._starts.followers(prefixes.start[rows], prefixes.step[rows])
            found = chances.at(rows[:, None], np.maximum(after, 0))
            valid[ending] = np.where(after >= 0, found, 0.0).sum(axis=1)
        return valid

    def _moved(self, prefixes: Prefixes, move: np.ndarray) -> Prefixes:
        """Make moves; a value that is complete is followed by the next name."""
        states, token = self._states, self._states.tokens[move]
        column, is_last = states.column[prefixes.state], states.is_last[prefixes.state]
        trail, has_token = prefixes.trail.copy(), token >= 0
        trail[has_token] = self.words.trails(trail[has_token], token[has_token])
        ends = states.completes[move]
        closed = np.flatnonzero(ends)
        codes = self.words.codes(trail[closed], is_last[closed])
        prefixes.codes[closed, column[closed]] = codes
        np.add.at(self.left, column[closed], (prefixes.weight * prefixes.mass)[closed])
        step = prefixes.step + ends
        following = self._starts.column(prefixes.start, step)
        first = states.first(following, step == self._n_columns - 1)
        state = np.where(ends, first, states.leads_to[move])
        queue = np.where(ends, following, self._n_columns)
        return replace(
            prefixes,
            step=step,
            state=np.where(step == self._n_columns, FINISHED, state),
            trail=np.where(ends, 0, trail),
            mass=np.where(ends, 1.0, prefixes.mass),
            token=np.where(has_token, token, self._starts.forced[queue, 0]),
            queue=queue,
            place=np.where(has_token, 0, 1),
        )
