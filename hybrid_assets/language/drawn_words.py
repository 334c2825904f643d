"""Values that a walk has drawn, as small numbers."""

from __future__ import annotations

import numpy as np

from hybrid_assets.language.automata import ColumnAutomaton
from hybrid_assets.language.moves import Moves


class DrawnWords:
    """Numbers for open values (trails, by their tokens) and complete ones (codes, by column).

    Parameters
    ----------
    n_columns : int
        Of a row.
    """

    def __init__(self, n_columns: int) -> None:
        self._paths: list[tuple[int, ...]] = [()]
        self._trails: dict[tuple[int, ...], int] = {(): 0}
        self._words: list[dict[str, int]] = [{} for _ in range(n_columns)]
        self._codes: dict[tuple[int, bool, int], int] = {}

    def trails(self, before: np.ndarray, move: np.ndarray, moves: Moves) -> np.ndarray:
        """Give the trails that moves, shape (n,), lead to; 0 is that of no token."""
        n_moves = len(moves.tokens)
        found, where = np.unique(before * n_moves + move, return_inverse=True)
        reached = []
        for trail, number in zip(*np.divmod(found, n_moves), strict=True):
            added = moves.tokens[number, : moves.n_tokens[number]].tolist()
            path = (*self._paths[trail], *added)
            if path not in self._trails:
                self._trails[path] = len(self._paths)
                self._paths.append(path)
            reached.append(self._trails[path])
        return np.array(reached, dtype=np.int64)[where]

    def codes(
        self, column: int, is_last: bool, automaton: ColumnAutomaton, trails: np.ndarray
    ) -> np.ndarray:
        """Give the codes of values that are complete, shape (n,)."""
        found, where = np.unique(trails, return_inverse=True)
        codes = []
        for trail in found.tolist():
            key = column, is_last, trail
            if key not in self._codes:
                seen = self._words[column]
                self._codes[key] = seen.setdefault(automaton.word(self._paths[trail]), len(seen))
            codes.append(self._codes[key])
        return np.array(codes, dtype=np.int64)[where]

    def written(self, codes: np.ndarray) -> np.ndarray:
        """Give the written values behind codes (n, p) of drawn columns."""
        words = np.full(codes.shape, "", dtype=object)
        for column, seen in enumerate(self._words):
            if seen:
                words[:, column] = np.array(list(seen), dtype=object)[codes[:, column]]
        return words
