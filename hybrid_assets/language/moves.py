"""What can follow in the states of all columns, as flat arrays of moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybrid_assets.language.automata import Node
from hybrid_assets.language.grammar import Restriction, RowGrammar


class States:
    """The states of all columns' automata under one number each, and the moves from one to another.

    A move is a token of a value, or the value's end. Moves are looked up when
    a walk comes to a state for the first time.

    Parameters
    ----------
    grammar : RowGrammar
        What a row is.
    restrictions : dict of int to Restriction
        By column, for conditional draws.
    ends_row : bool
        Whether the last value of a row is its end, whatever the model thinks.

    Attributes
    ----------
    column : ndarray of int, shape (n_states,)
        Of each state; those where values begin come first, see `first`.
    is_last : ndarray of bool, shape (n_states,)
        Whether that column is the last of its row.
    tokens : ndarray of int, shape (n_moves,)
        -1 for the end of a value.
    leads_to : ndarray of int, shape (n_moves,)
        States.
    completes : ndarray of bool, shape (n_moves,)
        Whether the value is complete with the move, and nothing is left to ask the model.
    """

    def __init__(
        self, grammar: RowGrammar, restrictions: dict[int, Restriction], *, ends_row: bool
    ) -> None:
        self._grammar, self._restrictions = grammar, restrictions
        self._ends_row = ends_row
        self.column, self.is_last = np.empty((2, 0), dtype=np.int64)
        self.tokens, self.leads_to, self.completes = np.empty((3, 0), dtype=np.int64)
        self._first, self._n_moves = np.empty((2, 0), dtype=np.int64)
        self._about: list[tuple[int, bool, int]] = []
        self._numbers: dict[tuple[int, bool, int], int] = {}
        self._number(
            [(c, is_last, 0) for c in range(len(grammar.next_names)) for is_last in (False, True)]
        )

    def first(self, column: np.ndarray, is_last: np.ndarray) -> np.ndarray:
        """Give the states where the values of columns begin."""
        state: np.ndarray = 2 * column + is_last
        return state

    def begins(self, state: np.ndarray) -> np.ndarray:
        """Whether nothing of the value has been drawn."""
        is_first: np.ndarray = state < 2 * len(self._grammar.next_names)
        return is_first

    def moves(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """List the moves from states, one state's after the other's.

        Parameters
        ----------
        state : ndarray of int, shape (n,)

        Returns
        -------
        row, move : ndarray of int, shape (n_listed,)
            Whose, and which.
        begin : ndarray of int, shape (n,)
            Where in the list those of each state begin; there is at least one.
        """
        for unknown in sorted(set(state[self._n_moves[state] < 0].tolist())):
            self._explore(unknown)
        n_moves = self._n_moves[state]
        begin = np.cumsum(n_moves) - n_moves
        row = np.repeat(np.arange(len(state)), n_moves)
        move = np.arange(len(row)) + np.repeat(self._first[state] - begin, n_moves)
        return row, move, begin

    def _explore(self, state: int) -> None:
        column, is_last, local = self._about[state]
        allowed = self._restrictions.get(column)
        automaton = self._grammar.automaton(column, is_last=is_last, allowed=allowed)
        node = automaton.node(local)
        children = node.children.tolist()
        completes = [self._is_complete(automaton.node(child), is_last) for child in children]
        leads_to = self._number([(column, is_last, child) for child in children])
        ends = [True] * node.may_end
        self._first[state] = len(self.tokens)
        self._n_moves[state] = len(children) + len(ends)
        self.tokens = np.concatenate([self.tokens, node.tokens, [-1 for _ in ends]]).astype(int)
        self.leads_to = np.concatenate([self.leads_to, leads_to, [0 for _ in ends]]).astype(int)
        self.completes = np.concatenate([self.completes, completes, ends]).astype(bool)

    def _is_complete(self, node: Node, is_last: bool) -> bool:
        is_end = node.may_end and not len(node.tokens)
        return is_end and (self._grammar.ends_forced or (is_last and self._ends_row))

    def _number(self, states: list[tuple[int, bool, int]]) -> list[int]:
        """Give states their numbers; -1 moves means that they are not known yet."""
        new = [about for about in dict.fromkeys(states) if about not in self._numbers]
        self._numbers |= {about: number for number, about in enumerate(new, len(self._about))}
        self._about += new
        self.column = np.append(self.column, [column for column, _, _ in new]).astype(int)
        self.is_last = np.append(self.is_last, [is_last for _, is_last, _ in new]).astype(bool)
        self._first = np.append(self._first, [-1 for _ in new]).astype(int)
        self._n_moves = np.append(self._n_moves, [-1 for _ in new]).astype(int)
        return [self._numbers[about] for about in states]


def padded(sequences: Sequence[Sequence[int]]) -> np.ndarray:
    """Stack token sequences, -1 filling up, with at least one -1 after each."""
    width = 1 + max(map(len, sequences))
    return np.array([[*s, *[-1] * (width - len(s))] for s in sequences], dtype=np.int64)
