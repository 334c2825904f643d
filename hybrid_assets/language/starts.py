"""Where rows begin: an order of columns, and the values that are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hybrid_assets.language.grammar import RowGrammar, end_tokens
from hybrid_assets.language.moves import padded


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


class Starts:
    """The starts of one walk, and what their orders say about each step.

    Parameters
    ----------
    starts : list of Start
        At least one.
    grammar : RowGrammar
        What a row is.

    Attributes
    ----------
    groups : ndarray of int, shape (n_starts,)
        Of each start.
    forced : ndarray of int, shape (p + 1 + n_starts, n_tokens)
        Tokens of every column's name after another value, none, and those
        before the first value to draw of each start; -1 after the last.
    """

    def __init__(self, starts: list[Start], grammar: RowGrammar) -> None:
        self._starts, self._grammar = starts, grammar
        orders = sorted({start.order for start in starts})
        numbers = {order: number for number, order in enumerate(orders)}
        self._order_of = np.array([numbers[start.order] for start in starts])
        self._orders = np.array(orders)
        self._ends = np.stack([end_tokens(grammar, order) for order in self._orders])
        self.groups = np.array([start.group for start in starts])
        self.forced = padded([*grammar.next_names, (), *map(self._tokens, starts)])

    def blocks(self, most: int) -> Iterator[list[int]]:
        """Put neighbouring starts together to at most so many rows, where one alone has fewer."""
        block: list[int] = []
        weight = 0.0
        for number, start in enumerate(self._starts):
            if block and weight + start.weight > most:
                yield block
                block, weight = [], 0.0
            block.append(number)
            weight += start.weight
        yield block

    def _tokens(self, start: Start) -> list[int]:
        grammar = self._grammar
        found = [grammar.end_token, *grammar.first_names[start.order[0]]]
        for column, word, after in zip(start.order, start.given, start.order[1:], strict=False):
            found += grammar.value_tokens(column, word, is_last=False)
            found += grammar.next_names[after]
        return found

    def column(self, start: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Give the column at a step of each start's order, shape (n,); the last one after it."""
        last = self._orders.shape[1] - 1
        found: np.ndarray = self._orders[self._order_of[start], np.minimum(step, last)]
        return found

    def followers(self, start: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Give the tokens that may follow the value of a step, shape (n, p), -1 filling up."""
        found: np.ndarray = self._ends[self._order_of[start], step]
        return found
