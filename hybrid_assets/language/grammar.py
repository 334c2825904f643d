"""Which token sequences are rows of a table: names forced, values from an automaton each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.automata import (
    ColumnAutomaton,
    LevelTrie,
    NumberAutomaton,
    NumberOrMissing,
)
from hybrid_assets.language.number_acceptor import BEFORE, DIGITS, SIGN, NumberAcceptor
from hybrid_assets.language.serialization import MISSING_WORD, number_format, start_of, words_of
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tokens = tuple[int, ...]
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


class RowGrammar:
    """The rows of a table as the tokens that the model was trained on.

    A row in a given column order is one token sequence: the tokenizer's own
    of ``"name is value, name is value"``. Names and what separates columns
    are forced; only values, and where they end, are the model's to choose.
    The tokens that all separators begin with (the comma of a byte-pair
    encoding) belong to the value before them, since a tokenizer may join them
    with its last letters (``"),"``).

    Parameters
    ----------
    schema : TableSchema
        Columns of a row.
    tokenizer : PreTrainedTokenizerBase
        Its end token stands before and after every row.
    fixed_width : bool
        How numbers are written, see `serialization.NumberFormat`.
    ends_forced : bool
        Whether what follows a value was left out of training (the tiny model:
        no value of its tokenizer is the beginning of another), so that the
        end of a value counts as certain.

    Attributes
    ----------
    first_names, next_names : list of tuple of int
        Tokens of every column's name at the start of a row, and after
        `separator`.
    separator : tuple of int
        Tokens that all separators begin with.

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
        self.schema, self.fixed_width, self.ends_forced = schema, fixed_width, ends_forced
        self._tokenizer = tokenizer
        self.end_token = int(tokenizer.eos_token_id)
        self._unwritable = {self.end_token, tokenizer.unk_token_id}
        self._letters = _number_letters(tokenizer)
        self.first_names = [self._name_tokens(column, "") for column in schema.columns]
        after = [self._name_tokens(column, self._before(column)) for column in schema.columns]
        n_shared = _n_shared(after) if len(after) > 1 else 0
        self.separator: Tokens = after[0][:n_shared]
        self.next_names = [tokens[n_shared:] for tokens in after]
        self._values: dict[tuple[int, str, bool], Tokens] = {}
        self._automata: dict[tuple[int, bool, Restriction], ColumnAutomaton] = {}
        if not all(self.first_names) or not all(self.next_names):
            raise self._refusal(schema.columns[0], "joins names with values")

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

    def value_tokens(self, column: int, word: str, *, is_last: bool) -> Tokens:
        """Give the tokens of a written value, with the separator where another column follows."""
        key = column, word, is_last
        if key not in self._values:
            self._values[key] = self._value_tokens(column, word, is_last)
        return self._values[key]

    def _value_tokens(self, column: int, word: str, is_last: bool) -> Tokens:
        about = self.schema.columns[column]
        first = self.first_names[column]
        text = f"{start_of(about.name)} {word}"
        if is_last:
            tokens = self._written(text)
            is_apart = tokens[: len(first)] == first
            if is_apart:
                return tokens[len(first) :]
            raise self._joined(about)
        other = 1 if column == 0 else 0
        next_name = self.schema.columns[other]
        shown = _some_word(next_name, fixed_width=self.fixed_width)
        tokens = self._written(f"{text}, {start_of(next_name.name)} {shown}")
        tail = self.next_names[other] + self.value_tokens(other, shown, is_last=True)
        if tokens[: len(first)] != first or tokens[-len(tail) :] != tail:
            raise self._joined(about)
        return tokens[len(first) : -len(tail)]

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
        if self._unwritable & {token for tokens in sequences.values() for token in tokens}:
            raise self._refusal(about, "cannot write one of its levels as ordinary text")
        if len(set(sequences.values())) < len(words):
            raise self._refusal(about, "gives two of its levels the same tokens")
        trie = LevelTrie(sequences)
        followers = {self.end_token} if is_last else {name[0] for name in self.next_names}
        if _is_ambiguous(trie, followers):
            raise self._refusal(about, "cannot tell where one of its levels ends")
        return trie

    def _numbers(
        self, column: int, is_last: bool, allowed: Restriction
    ) -> NumberAutomaton | NumberOrMissing:
        about = self.schema.columns[column]
        numbers = number_format(about, fixed_width=self.fixed_width)
        low = numbers.low if allowed.low is None else max(allowed.low, numbers.low)
        high = numbers.high if allowed.high is None else min(allowed.high, numbers.high)
        shown = _some_word(about, fixed_width=self.fixed_width)
        tokens = self.value_tokens(column, shown, is_last=True)
        if any(token not in self._letters for token in tokens):
            raise self._refusal(about, "does not write its numbers with digits")
        separator = () if is_last else self.separator
        if not is_last and self.value_tokens(column, shown, is_last=False) != tokens + separator:
            raise self._joined(about)
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
        if self._unwritable & set(missing):
            raise self._refusal(about, "cannot write a missing value as ordinary text")
        return NumberOrMissing(automaton, MISSING_WORD, missing)

    def _is_written_so(self, column: int, paths: list[Tokens]) -> list[bool]:
        start = start_of(self.schema.columns[column].name)
        texts = []
        for path in paths:
            letters = "".join(self._letters[token] for token in path)
            texts.append(start + (letters if letters.startswith(" ") else " " + letters))
        first = self.first_names[column]
        return [
            tokens == first + path for tokens, path in zip(self._all(texts), paths, strict=True)
        ]

    def _name_tokens(self, column: ColumnSchema, before: str) -> Tokens:
        """Give the tokens that all values of a column have before them, those of `before` cut."""
        words = [*words_of(column), *DIGITS, "-1", "+1", "a"]
        texts = [f"{before}{start_of(column.name)} {word}" for word in words]
        n_before = len(self._written(before.removesuffix(", "))) if before else 0
        written = [tokens[n_before:] for tokens in self._all(texts)]
        known = [tokens for tokens in written if not self._unwritable & set(tokens)]
        if not known:
            raise self._refusal(column, "cannot write its name and values as ordinary text")
        return known[0][: _n_shared(known)]

    def _before(self, column: ColumnSchema) -> str:
        """Give a column for `column` to follow, whose value the tokenizer does not join with it."""
        for other in self.schema.columns:
            for word in (*map(str, other.levels or ()), *DIGITS, "10"):
                text = f"{start_of(other.name)} {word}"
                alone = self._written(text)
                follows = self._written(f"{text}, {start_of(column.name)} 1")
                joined = follows[: len(alone)] != alone
                if other is not column and not joined and not self._unwritable & set(alone):
                    return f"{text}, "
        if len(self.schema.columns) == 1:
            return ""
        raise self._refusal(column, "joins values with the comma after them")

    def _written(self, text: str) -> Tokens:
        return self._all([text])[0]

    def _all(self, texts: list[str]) -> list[Tokens]:
        if not texts:
            return []
        written = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [tuple(tokens) for tokens in written]

    def _joined(self, column: ColumnSchema) -> GeneratorError:
        return self._refusal(column, "joins its values with the words around them")

    def _refusal(self, column: ColumnSchema, reason: str) -> GeneratorError:
        return GeneratorError(
            f"study {self.schema.study!r}, column {column.name!r}: the language model's "
            f"tokenizer {reason}; rename it or its levels, or take another model"
        )


def _some_word(column: ColumnSchema, *, fixed_width: bool) -> str:
    """Give a value that a column could have, as it is written."""
    if column.is_discrete_set:
        return "0" if column.kind is ColumnKind.BINARY else str((column.levels or ("",))[0])
    numbers = number_format(column, fixed_width=fixed_width)
    return numbers.word(
        numbers.high if not numbers.decimals else numbers.high / 10**numbers.decimals
    )


def _n_shared(sequences: list[Tokens]) -> int:
    """Count the tokens that all sequences begin with."""
    columns = zip(*sequences, strict=False)
    differs = [len(set(tokens)) > 1 for tokens in columns]
    return differs.index(True) if True in differs else len(differs)


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
