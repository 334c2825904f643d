"""Which token sequences are values of a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from hybrid_assets.language.number_acceptor import SIGN, NumberAcceptor, NumberState


@dataclass
class Node:
    """A state of an automaton.

    Attributes
    ----------
    tokens, children : ndarray of int, shape (n_tokens,)
        Tokens allowed next, and the state each leads to.
    may_end : bool
        Whether the value may be complete here.
    """

    tokens: np.ndarray
    children: np.ndarray
    may_end: bool


class LevelTrie:
    """The levels of a column, each as the one token sequence that training saw.

    Parameters
    ----------
    sequences : mapping of str to sequence of int
        Tokens by level, no two the same.
    """

    def __init__(self, sequences: Mapping[str, Sequence[int]]) -> None:
        edges: list[dict[int, int]] = [{}]
        self._words = {tuple(tokens): word for word, tokens in sequences.items()}
        ends = set()
        for tokens in sequences.values():
            state = 0
            for token in tokens:
                if token not in edges[state]:
                    edges[state][token] = len(edges)
                    edges.append({})
                state = edges[state][token]
            ends.add(state)
        self._nodes = [_node(branches, state in ends) for state, branches in enumerate(edges)]
        self.most_tokens = max(map(len, sequences.values()))

    def node(self, state: int) -> Node:
        """Give a state; 0 is the first."""
        return self._nodes[state]

    def word(self, path: Sequence[int]) -> str:
        """Give the level written with the tokens `path`."""
        return self._words[tuple(path)]


@dataclass
class NumberAutomaton:
    """The numbers of a column, lifted from letters to a tokenizer's vocabulary.

    A token is allowed if its letters go on towards a number allowed, and if
    the tokenizer writes the text so far with these very tokens: a number has
    one token sequence. Byte-pair encodings decide this by neighbouring tokens
    alone, so states with the same letters to come and the same last token are one.

    Parameters
    ----------
    acceptor : NumberAcceptor
        Which numbers.
    letters : mapping of int to str
        Text of every token that a number could contain.
    is_written_so : callable
        Takes lists of tokens, says of each whether the tokenizer writes a
        number that way.
    start : str
        `BEFORE` where a value's first token begins with a space, else `SIGN`.
    separator : tuple of int
        Tokens that follow every number.
    """

    acceptor: NumberAcceptor
    letters: Mapping[int, str]
    is_written_so: Callable[[list[tuple[int, ...]]], list[bool]]
    start: str
    separator: tuple[int, ...]

    def __post_init__(self) -> None:
        self.most_tokens = self.acceptor.numbers.integer_digits + self.acceptor.numbers.decimals
        self.most_tokens += 3 + len(self.separator)
        self._step = cache(self.acceptor.step)
        self._states: dict[object, int] = {}
        self._about: list[tuple[NumberState, tuple[int, ...]]] = []
        self._nodes: dict[int, Node] = {}
        self._leads_on: dict[int, bool] = {}
        for n_left in range(len(self.separator), -1, -1):
            self._state_of(("separator", n_left), (SIGN, ()))
        self._root = self._state_of((self.start, -1), (self.start, ()))

    def node(self, state: int) -> Node:
        """Give a state; 0 is the first."""
        state = self._root if state == 0 else state
        if state not in self._nodes:
            n_after = len(self.separator) + 1
            made = self._made(state) if state >= n_after else self._separator_node(state)
            self._nodes[state] = made
        return self._nodes[state]

    def word(self, path: Sequence[int]) -> str:
        """Give the number written with the tokens `path`, its separator with them."""
        n_tokens = len(path) - len(self.separator)
        return "".join(self.letters[token] for token in path[:n_tokens]).strip()

    def _separator_node(self, state: int) -> Node:
        is_last = state == len(self.separator)
        return _node({} if is_last else {self.separator[state]: state + 1}, is_last)

    def _made(self, state: int) -> Node:
        reached, path = self._about[state]
        onward = {
            token: after
            for token, letters in self.letters.items()
            if (after := self._walk(reached, letters)) is not None
        }
        written_so = self.is_written_so([(*path, token) for token in onward])
        edges = {
            token: self._state_of((after, token), (after, (*path, token)))
            for (token, after), is_so in zip(onward.items(), written_so, strict=True)
            if is_so
        }
        edges = {token: child for token, child in edges.items() if self._is_alive(child)}
        accepted = self.acceptor.accepts(reached)
        if accepted and self.separator:
            edges[self.separator[0]] = 1
        return _node(edges, accepted and not self.separator)

    def _is_alive(self, state: int) -> bool:
        """Whether a number can end here or later; a digit may need a token with the point."""
        if state not in self._leads_on:
            reached, path = self._about[state]
            self._leads_on[state] = self.acceptor.accepts(reached) or any(
                (after := self._walk(reached, letters)) is not None
                and self.is_written_so([(*path, token)])[0]
                and self._is_alive(self._state_of((after, token), (after, (*path, token))))
                for token, letters in self.letters.items()
            )
        return self._leads_on[state]

    def _walk(self, state: NumberState, letters: str) -> NumberState | None:
        reached: NumberState | None = state
        for letter in letters:
            if reached is None:
                return None
            reached = self._step(reached, letter)
        return reached

    def _state_of(self, key: object, about: tuple[NumberState, tuple[int, ...]]) -> int:
        if key not in self._states:
            self._states[key] = len(self._about)
            self._about.append(about)
        return self._states[key]


class NumberOrMissing:
    """The numbers of a column, or one word that says that there is none.

    A state is a number's, the count of the word's tokens read, or both: their
    first tokens may be the same.

    Parameters
    ----------
    numbers : NumberAutomaton
        The numbers.
    word : str
        Instead of a number.
    sequence : tuple of int
        Its tokens, the separator with them.
    """

    def __init__(self, numbers: NumberAutomaton, word: str, sequence: tuple[int, ...]) -> None:
        self._numbers, self._word, self._sequence = numbers, word, sequence
        self.most_tokens = max(numbers.most_tokens, len(sequence))
        self._pairs: list[tuple[int | None, int | None]] = [(0, 0)]
        self._states = {self._pairs[0]: 0}

    def node(self, state: int) -> Node:
        """Give a state; 0 is the first."""
        number, n_read = self._pairs[state]
        edges: dict[int, tuple[int | None, int | None]] = {}
        may_end = n_read == len(self._sequence)
        if number is not None:
            node = self._numbers.node(number)
            onward = zip(node.tokens.tolist(), node.children.tolist(), strict=True)
            edges = {token: (child, None) for token, child in onward}
            may_end |= node.may_end
        if n_read is not None and n_read < len(self._sequence):
            token = self._sequence[n_read]
            edges[token] = edges.get(token, (None, None))[0], n_read + 1
        return _node({token: self._state_of(pair) for token, pair in edges.items()}, may_end)

    def word(self, path: Sequence[int]) -> str:
        """Give what is written with the tokens `path`, its separator with them."""
        return self._word if tuple(path) == self._sequence else self._numbers.word(path)

    def _state_of(self, pair: tuple[int | None, int | None]) -> int:
        if pair not in self._states:
            self._states[pair] = len(self._pairs)
            self._pairs.append(pair)
        return self._states[pair]


ColumnAutomaton = LevelTrie | NumberAutomaton | NumberOrMissing


def _node(edges: dict[int, int], may_end: bool) -> Node:
    tokens = np.array(sorted(edges), dtype=np.int64)
    return Node(tokens, np.array([edges[token] for token in tokens], dtype=np.int64), may_end)
