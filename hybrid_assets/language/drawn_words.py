"""Values that a walk has drawn, as small numbers."""

from __future__ import annotations

import numpy as np

from hybrid_assets.language.grammar import RowGrammar


class DrawnWords:
    """Numbers for open values (trails, by their tokens) and complete ones (codes, by column).

    A trail is a shorter one and a token; 0 is that of no token. A code is the
    trail of a complete value and whether its column is the last of the row,
    which tells how to read the tokens; -1 is that of no value.

    Parameters
    ----------
    grammar : RowGrammar
        What a row is.
    """

    def __init__(self, grammar: RowGrammar) -> None:
        self._grammar = grammar
        self._paths: list[tuple[int, ...]] = [()]
        self._keys = np.empty(0, dtype=np.int64)  # in order: a shorter trail and a token
        self._trails = np.empty(0, dtype=np.int64)  # of each key

    def trails(self, before: np.ndarray, token: np.ndarray) -> np.ndarray:
        """Give the trails that tokens, shape (n,), lead to."""
        key = (before << 32) | token
        is_known = np.append(self._keys, -1)[np.searchsorted(self._keys, key)] == key
        if not is_known.all():
            new = np.unique(key[~is_known])
            place = np.searchsorted(self._keys, new)
            n_known = len(self._paths)
            self._keys = np.insert(self._keys, place, new)
            self._trails = np.insert(self._trails, place, np.arange(n_known, n_known + len(new)))
            shorter, added = (new >> 32).tolist(), (new & (2**32 - 1)).tolist()
            self._paths += [(*self._paths[s], t) for s, t in zip(shorter, added, strict=True)]
        found: np.ndarray = self._trails[np.searchsorted(self._keys, key)]
        return found

    def codes(self, trail: np.ndarray, is_last: np.ndarray) -> np.ndarray:
        """Give the codes of values that are complete, shape (n,)."""
        code: np.ndarray = 2 * trail + is_last
        return code

    def written(self, codes: np.ndarray) -> np.ndarray:
        """Give the written values behind codes (n, p); empty where there is none."""
        words = np.full(codes.shape, "", dtype=object)
        for column in range(codes.shape[1]):
            found, where = np.unique(codes[:, column], return_inverse=True)
            words[:, column] = np.array([self._word(column, c) for c in found], dtype=object)[where]
        return words

    def _word(self, column: int, code: int) -> str:
        if code < 0:
            return ""
        automaton = self._grammar.automaton(column, is_last=bool(code % 2))
        return automaton.word(self._paths[code // 2])
