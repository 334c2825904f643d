"""What can follow in a state of a column, as arrays of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid_assets.language.automata import ColumnAutomaton
from hybrid_assets.language.prefixes import Prefixes


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


def with_tokens(
    prefixes: Prefixes, tokens: np.ndarray, n_tokens: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Append tokens to the paths of open values."""
    path, length = prefixes.path.copy(), prefixes.path_length
    rows = np.arange(len(prefixes))
    for number in range(tokens.shape[1]):
        some = rows[number < n_tokens]
        path[some, length[some] + number] = tokens[some, number]
    return path, length + n_tokens


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
