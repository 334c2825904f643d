"""What can follow in a state of a column, as arrays of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_assets.language.automata import ColumnAutomaton
from hybrid_assets.language.grammar import Restriction, RowGrammar


@dataclass(frozen=True)
class Moves:
    """What can follow in a state of a column: a token with all that it forces, or the end.

    Attributes
    ----------
    tokens : ndarray of int, shape (k, n_tokens)
        -1 fills up; a last row of nothing but -1 if the value may end here.
    n_tokens, states : ndarray of int, shape (k,)
        How many count, and where they lead in the automaton.
    ends : ndarray of bool, shape (k,)
        Whether the value is complete there.
    """

    tokens: np.ndarray
    n_tokens: np.ndarray
    states: np.ndarray
    ends: np.ndarray


def moves_in(automaton: ColumnAutomaton, state: int) -> Moves:
    """Follow every token allowed in a state as far as it forces the next."""
    node = automaton.node(state)
    tokens, states = [], []
    for token, child in zip(node.tokens.tolist(), node.children.tolist(), strict=True):
        path, reached = [token], automaton.node(child)
        while len(reached.tokens) == 1 and not reached.may_end:
            path.append(int(reached.tokens[0]))
            child = int(reached.children[0])
            reached = automaton.node(child)
        tokens.append(tuple(path))
        states.append(child)
    ends = [automaton.node(s).may_end and not len(automaton.node(s).tokens) for s in states]
    if node.may_end:
        tokens, states, ends = [*tokens, ()], [*states, state], [*ends, True]
    n_tokens = np.array([len(path) for path in tokens])
    return Moves(padded(tokens), n_tokens, np.array(states), np.array(ends))


class States:
    """The states of all columns' automata under one number each, and what can follow in them.

    Parameters
    ----------
    grammar : RowGrammar
        What a row is.
    restrictions : dict of int to Restriction
        By column, for conditional draws.
    """

    def __init__(self, grammar: RowGrammar, restrictions: dict[int, Restriction]) -> None:
        self._grammar, self._restrictions = grammar, restrictions
        self._n_places = 2 * len(grammar.next_names)
        self._moves: dict[int, Moves] = {}

    def numbers(self, column: np.ndarray, is_last: np.ndarray, local: np.ndarray) -> np.ndarray:
        """Give the number of an automaton's state `local`, 0 where a value begins."""
        state: np.ndarray = local * self._n_places + 2 * column + is_last
        return state

    def column(self, state: int) -> tuple[int, bool, ColumnAutomaton]:
        """Tell a state's column, whether it is the last of its row, and its automaton."""
        column, is_last = divmod(state % self._n_places, 2)
        allowed = self._restrictions.get(column)
        automaton = self._grammar.automaton(column, is_last=bool(is_last), allowed=allowed)
        return column, bool(is_last), automaton

    def begins(self, state: int) -> bool:
        """Whether nothing of the value has been drawn."""
        return state < self._n_places

    def moves(self, state: int) -> Moves:
        """Give what can follow."""
        if state not in self._moves:
            self._moves[state] = moves_in(self.column(state)[2], state // self._n_places)
        return self._moves[state]


def packed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Put tokens of two arrays, -1 filling up, one after the other without gaps."""
    both = np.concatenate([first, second], axis=1)
    order = np.argsort(both < 0, axis=1, kind="stable")
    return np.take_along_axis(both, order, axis=1)


def padded(sequences: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Stack token sequences, -1 filling up."""
    width = max(1, *map(len, sequences)) if sequences else 1
    return np.array([[*s, *[-1] * (width - len(s))] for s in sequences], dtype=np.int64)


def wide(tokens: np.ndarray, width: int) -> np.ndarray:
    """Add columns of -1."""
    return np.pad(tokens, ((0, 0), (0, width - tokens.shape[1])), constant_values=-1)
