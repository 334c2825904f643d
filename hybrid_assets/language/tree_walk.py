"""Rows drawn from a language model along a grammar; rows alike so far cost one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hybrid_assets.language.automata import ColumnAutomaton, LevelTrie
from hybrid_assets.language.grammar import Restriction, RowGrammar, end_tokens
from hybrid_assets.language.moves import Moves, moves_in, packed, padded, wide, with_tokens
from hybrid_assets.language.prefixes import FINISHED, Prefixes, WaitingRoom
from hybrid_assets.language.reading import Reader

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from hybrid_assets.language.decoder import Memory

Split = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Start:
    """Rows to draw that begin alike.

    Attributes
    ----------
    order : tuple of int
        Columns as they come in the row, given ones first.
    given : tuple of str
        Written values of the first columns of `order`; not of all.
    group : int
        Carried along, for the caller to know its rows.
    weight : float
        How many rows.
    """

    order: tuple[int, ...]
    given: tuple[str, ...]
    group: int
    weight: float


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
    model : PreTrainedModel
        In evaluation mode.
    grammar : RowGrammar
        What a row is.
    split : callable
        Takes weights (n,) and the probabilities of the valid continuations
        (n, k), gives the weights of the continuations (n, k).
    loses_invalid : bool
        Whether `split` loses the weight of invalid continuations.
    temperature : float
        Divides the logits.

    Attributes
    ----------
    entered, left : ndarray of shape (p,)
        Weight that came to each column, and how much of it the column's valid
        values have.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        grammar: RowGrammar,
        split: Split,
        *,
        loses_invalid: bool,
        temperature: float,
    ) -> None:
        self._reader = Reader(model, temperature)
        self._grammar, self._split, self._loses = grammar, split, loses_invalid
        self._n_columns = len(grammar.next_names)
        self.entered, self.left = np.zeros(self._n_columns), np.zeros(self._n_columns)
        self._words: list[dict[str, int]] = [{} for _ in range(self._n_columns)]
        names = [*grammar.next_names, ()]  # the last one where no column follows
        self._names = padded(names)

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
        self._restrictions = restrictions
        self._moves: dict[int, Moves] = {}
        orders = sorted({start.order for start in starts})
        numbers = {order: number for number, order in enumerate(orders)}
        self._order_of = np.array([numbers[start.order] for start in starts])
        self._orders = np.array(orders)
        self._ends = np.stack([end_tokens(self._grammar, order) for order in self._orders])
        self._groups = np.array([start.group for start in starts])
        places = {(column, column == order[-1]) for order in orders for column in order}
        self._most_value_tokens = max(
            self.automaton(column, is_last=is_last).most_tokens for column, is_last in places
        )
        most = self._reader.most_prefixes(self._grammar.most_tokens)
        block: list[int] = []
        weight = 0.0
        for number, start in enumerate(starts):
            block.append(number)
            weight += start.weight
            if start is starts[-1] or weight >= most:
                yield from self._block(starts, block, most)
                block, weight = [], 0.0

    def automaton(self, column: int, *, is_last: bool) -> ColumnAutomaton:
        """Give the values that a column may have in this walk."""
        allowed = self._restrictions.get(column)
        return self._grammar.automaton(column, is_last=is_last, allowed=allowed)

    def written(self, codes: np.ndarray) -> np.ndarray:
        """Give the written values behind codes (n, p) of drawn columns."""
        words = np.full(codes.shape, "", dtype=object)
        for column, seen in enumerate(self._words):
            if seen:
                words[:, column] = np.array(list(seen), dtype=object)[codes[:, column]]
        return words

    def _block(self, starts: list[Start], block: list[int], most: int) -> Iterator[FinishedRows]:
        waiting = WaitingRoom(most)
        for number in block:
            if starts[number].weight > 0:
                waiting.put(self._root(starts[number], number), None, 0)
        while waiting:
            prefixes, memory, n_read = waiting.pop()
            yield from self._advance(waiting, prefixes, memory, n_read)

    def _root(self, start: Start, number: int) -> Prefixes:
        grammar, n_given = self._grammar, len(start.given)
        pending = [grammar.end_token, *grammar.first_names[start.order[0]]]
        for column, word, after in zip(
            start.order, start.given, start.order[1 : n_given + 1], strict=False
        ):
            pending += grammar.value_tokens(column, word, is_last=False)
            pending += grammar.next_names[after]
        is_last = n_given == self._n_columns - 1
        return Prefixes(
            weight=np.array([start.weight]),
            start=np.array([number]),
            step=np.array([n_given]),
            state=np.array([2 * start.order[n_given] + is_last]),
            codes=np.zeros((1, self._n_columns), dtype=np.int64),
            path=np.zeros((1, self._most_value_tokens), dtype=np.int64),
            path_length=np.array([0]),
            mass=np.array([1.0]),
            pending=np.array([pending]),
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
        probabilities, memory = self._reader.probabilities(prefixes.pending, memory, positions)
        prefixes = replace(prefixes, parent=np.arange(len(prefixes)))
        if n_checked:
            prefixes = self._checked(prefixes, probabilities)
        done = prefixes.state == FINISHED
        yield from self._finish(prefixes.take(np.flatnonzero(done)))
        parts = []
        for state in np.unique(prefixes.state[~done]):
            group = prefixes.take(np.flatnonzero(prefixes.state == state))
            column, _, local = self._place(state)
            self.entered[column] += group.weight.sum() if local == 0 else 0.0
            parts.append(self._children(group, probabilities[:, -1][group.parent], int(state)))
        if not parts:
            return
        width = max(part.pending.shape[1] for part in parts)
        following = Prefixes.joined([replace(p, pending=wide(p.pending, width)) for p in parts])
        n_following = (following.pending >= 0).sum(axis=1)
        for length in np.unique(n_following):
            some = following.take(np.flatnonzero(n_following == length))
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
            valid[ending] *= self._end_mass(
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
        column, is_last, _ = self._place(state)
        moves = self._moves_of(state)
        first = moves.tokens[:, 0]
        valid = np.where(first >= 0, probabilities[:, first], 0.0).astype(np.float64)
        if first[-1] < 0:
            valid[:, -1] = self._end_mass(probabilities, group.start, group.step)
        weights = self._split(group.weight, valid)
        row, move = np.nonzero(weights)
        child = group.take(row)
        mass = child.mass if self._loses else child.mass * valid.sum(axis=1)[row]
        tokens, ends = moves.tokens[move], moves.ends[move]
        path, path_length = with_tokens(child, tokens, moves.n_tokens[move])
        codes = child.codes.copy()
        reached = moves.states[move]
        codes[ends, column] = self._codes(state, reached[ends], path[ends], path_length[ends])
        step = child.step + ends
        is_done = step == self._n_columns
        order = self._orders[self._order_of[child.start]]
        following = order[np.arange(len(row)), np.minimum(step, self._n_columns - 1)]
        follows_last = step == self._n_columns - 1
        place = np.where(ends, 2 * following + follows_last, 2 * column + is_last)
        local = np.where(ends, 0, reached)
        name = np.where(ends & ~is_done, following, self._n_columns)
        weight = weights[row, move]
        is_settled = ends & ((first[move] < 0) | (is_done & (not self._loses)))
        self._leave(child.start[is_settled], step[is_settled], (weight * mass)[is_settled])
        pending = np.where((is_settled & is_done)[:, None], -1, tokens)
        return Prefixes(
            weight=weight,
            start=child.start,
            step=step,
            state=np.where(is_done, FINISHED, local * 2 * self._n_columns + place),
            codes=codes,
            path=path,
            path_length=np.where(ends, 0, path_length),
            mass=np.where(is_settled, 1.0, mass),
            pending=packed(pending, self._names[name]),
            n_forced=np.where(is_settled, 0, moves.n_tokens[move] - 1),
            ends=ends & ~is_settled,
            parent=child.parent,
        )

    def _codes(
        self, state: int, local: np.ndarray, path: np.ndarray, path_length: np.ndarray
    ) -> np.ndarray:
        """Give the values that end in states of an automaton."""
        column, is_last, _ = self._place(state)
        automaton = self.automaton(column, is_last=is_last)
        if isinstance(automaton, LevelTrie):
            found, where = np.unique(local, return_inverse=True)
            words = [automaton.word(int(end)) for end in found]
        else:
            padded = np.where(np.arange(path.shape[1]) < path_length[:, None], path, -1)
            found, where = np.unique(padded, axis=0, return_inverse=True)
            words = [automaton.word(tokens[tokens >= 0].tolist()) for tokens in found]
        seen = self._words[column]
        codes = [seen.setdefault(word, len(seen)) for word in words]
        return np.array(codes, dtype=np.int64)[where.reshape(-1)]

    def _moves_of(self, state: int) -> Moves:
        if state not in self._moves:
            column, is_last, local = self._place(state)
            self._moves[state] = moves_in(self.automaton(column, is_last=is_last), local)
        return self._moves[state]

    def _place(self, state: int) -> tuple[int, bool, int]:
        """Tell the column, whether it is the last of its row, and the automaton's state."""
        local, place = divmod(int(state), 2 * self._n_columns)
        return place // 2, bool(place % 2), local

    def _end_mass(
        self, probabilities: np.ndarray, start: np.ndarray, step: np.ndarray
    ) -> np.ndarray:
        """Sum the probabilities (n, V) of what may follow a complete value."""
        if self._grammar.ends_forced:
            return np.ones(len(start))
        tokens = self._ends[self._order_of[start], step]
        rows = np.arange(len(tokens))[:, None]
        return np.where(tokens >= 0, probabilities[rows, tokens], 0.0).sum(axis=1, dtype=np.float64)  # type: ignore[no-any-return]

    def _leave(self, start: np.ndarray, step: np.ndarray, weight: np.ndarray) -> None:
        np.add.at(self.left, self._orders[self._order_of[start], step - 1], weight)

    def _finish(self, prefixes: Prefixes) -> Iterator[FinishedRows]:
        if len(prefixes):
            yield FinishedRows(prefixes.codes, self._groups[prefixes.start], prefixes.weight)
