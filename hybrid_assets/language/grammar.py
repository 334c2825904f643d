"""Which token sequences are rows of a table: names forced, values from an automaton each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hybrid_assets.language.automata import (
    ColumnAutomaton,
    LevelTrie,
    NumberAutomaton,
    NumberOrMissing,
)
from hybrid_assets.language.number_acceptor import BEFORE, DIGITS, SIGN, NumberAcceptor
from hybrid_assets.language.row_tokens import RowTokens, Tokens, some_word
from hybrid_assets.language.serialization import MISSING_WORD, number_format, start_of, words_of
from hybrid_assets.schema import TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPACES = str.maketrans({"Ġ": " ", "▁": " "})  # how vocabularies show a leading space


@dataclass(frozen=True)
class Restriction:
    """Values of a column that a conditional draw allows.

    Attributes
    ----------
    low, high : int or None
        Limits in units of the last digit, for numbers.
    missing : bool
        Whether the value may be missing, where its column's may.
    """

    low: int | None = None
    high: int | None = None
    missing: bool = True


class RowGrammar(RowTokens):
    """The rows of a table as the tokens that a sampler may draw.

    Names and what separates columns are forced; only values, and where they
    end, are the model's to choose.

    Parameters
    ----------
    schema, tokenizer, fixed_width
        See `RowTokens`.
    ends_forced : bool
        Whether what follows a value was left out of training (the tiny model:
        no value of its tokenizer is the beginning of another), so that the
        end of a value counts as certain.

    Raises
    ------
    GeneratorError
        If the tokenizer joins names with values, cannot write a level, or
        gives two levels the same tokens.
    """

    def __init__(
        self,
        schema: TableSchema,
        tokenizer: PreTrainedTokenizerBase,
        *,
        fixed_width: bool = False,
        ends_forced: bool = False,
    ) -> None:
        super().__init__(schema, tokenizer, fixed_width=fixed_width)
        self.ends_forced = ends_forced
        self._letters = _number_letters(tokenizer)
        self._automata: dict[tuple[int, bool, Restriction], ColumnAutomaton] = {}

    def automaton(
        self, column: int, *, is_last: bool, allowed: Restriction | None = None
    ) -> ColumnAutomaton:
        """Give the values of a column, with the separator where another column follows.

        Raises
        ------
        GeneratorError
            See the class.
        """
        key = column, is_last, allowed or Restriction()
        if key not in self._automata:
            about = self.schema.columns[column]
            build = self._trie if about.is_discrete_set else self._numbers
            self._automata[key] = build(column, is_last, key[2])
        return self._automata[key]

    @property
    def most_tokens(self) -> int:
        """Most tokens of a row, both end tokens counted."""
        values = [
            self.automaton(column, is_last=len(self.next_names) == 1).most_tokens
            for column in range(len(self.next_names))
        ]
        return 2 + sum(map(len, self.first_names)) + sum(values)

    def _trie(self, column: int, is_last: bool, allowed: Restriction) -> LevelTrie:
        about = self.schema.columns[column]
        n_words = len(words_of(about)) - (about.may_be_missing and not allowed.missing)
        words = words_of(about)[:n_words]
        sequences = {w: self.value_tokens(column, w, is_last=is_last) for w in words}
        if self.unwritable & {token for tokens in sequences.values() for token in tokens}:
            raise self.refusal(about, "cannot write one of its levels as ordinary text")
        if len(set(sequences.values())) < len(words):
            raise self.refusal(about, "gives two of its levels the same tokens")
        trie = LevelTrie(sequences)
        followers = {self.end_token} if is_last else {name[0] for name in self.next_names}
        if _is_ambiguous(trie, followers):
            raise self.refusal(about, "cannot tell where one of its levels ends")
        return trie

    def _numbers(
        self, column: int, is_last: bool, allowed: Restriction
    ) -> NumberAutomaton | NumberOrMissing:
        about = self.schema.columns[column]
        numbers = number_format(about, fixed_width=self.fixed_width)
        low = numbers.low if allowed.low is None else max(allowed.low, numbers.low)
        high = numbers.high if allowed.high is None else min(allowed.high, numbers.high)
        shown = some_word(about, fixed_width=self.fixed_width)
        tokens = self.value_tokens(column, shown, is_last=True)
        if any(token not in self._letters for token in tokens):
            raise self.refusal(about, "does not write its numbers with digits")
        separator = () if is_last else self.separator
        if not is_last and self.value_tokens(column, shown, is_last=False) != tokens + separator:
            raise self.joined(about)
        has_space = self._letters[tokens[0]].startswith(" ")
        automaton = NumberAutomaton(
            NumberAcceptor(numbers, low, high),
            self._letters,
            lambda paths: self._is_written_so(column, paths),
            BEFORE if has_space else SIGN,
            separator,
        )
        if not (about.may_be_missing and allowed.missing):
            return automaton
        missing = self.value_tokens(column, MISSING_WORD, is_last=is_last)
        if self.unwritable & set(missing):
            raise self.refusal(about, "cannot write a missing value as ordinary text")
        return NumberOrMissing(automaton, MISSING_WORD, missing)

    def _is_written_so(self, column: int, paths: list[Tokens]) -> list[bool]:
        start = start_of(self.schema.columns[column].name)
        texts = []
        for path in paths:
            letters = "".join(self._letters[token] for token in path)
            texts.append(start + (letters if letters.startswith(" ") else " " + letters))
        first = self.first_names[column]
        return [
            tokens == first + path for tokens, path in zip(self.encoded(texts), paths, strict=True)
        ]


def _is_ambiguous(trie: LevelTrie, followers: set[int]) -> bool:
    """Whether a token could both go on with a level and stand after its end."""
    states, found = [0], False
    while states:
        node = trie.node(states.pop())
        found |= node.may_end and bool(followers & set(node.tokens.tolist()))
        states += node.children.tolist()
    return found


def _number_letters(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """Give the text of all tokens made of a number's letters alone."""
    words = tokenizer.get_vocab()
    shown = {token: word.translate(SPACES) for word, token in words.items()}
    letters = {*DIGITS, ".", "-", "+"}
    return {
        token: text
        for token, text in sorted(shown.items())
        if text and set(text.removeprefix(" ")) <= letters
    }


def end_tokens(grammar: RowGrammar, order: np.ndarray) -> np.ndarray:
    """Give the tokens that may stand after each value of a row.

    Parameters
    ----------
    grammar : RowGrammar
        Of the row.
    order : ndarray of int, shape (p,)
        Columns as they come in the row.

    Returns
    -------
    ndarray of int, shape (p, p)
        First tokens of the names still to come, the end token in the last
        row; -1 fills up.
    """
    n_columns = len(order)
    found = np.full((n_columns, n_columns), -1)
    for step in range(n_columns - 1):
        tokens = sorted({grammar.next_names[column][0] for column in order[step + 1 :]})
        found[step, : len(tokens)] = tokens
    found[-1, 0] = grammar.end_token
    return found
