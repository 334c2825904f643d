"""Which tokens a table's rows are written with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.number_acceptor import DIGITS
from hybrid_assets.language.serialization import number_format, start_of, words_of
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tokens = tuple[int, ...]


class RowTokens:
    """The rows of a table as the tokens that the model was trained on.

    A row in a given column order is one token sequence: the tokenizer's own
    of ``"name is value, name is value"``. The tokens that all separators begin
    with (the comma of a byte-pair encoding) belong to the value before them,
    since a tokenizer may join them with its last letters (``"),"``).

    Parameters
    ----------
    schema : TableSchema
        Columns of a row.
    tokenizer : PreTrainedTokenizerBase
        Its end token stands before and after every row.
    fixed_width : bool
        How numbers are written, see `serialization.NumberFormat`.

    Attributes
    ----------
    end_token : int
        Before and after every row.
    unwritable : set of int
        Tokens that no ordinary text has.
    first_names, next_names : list of tuple of int
        Tokens of every column's name at the start of a row, and after
        `separator`.
    separator : tuple of int
        Tokens that all separators begin with.

    Raises
    ------
    GeneratorError
        If the tokenizer joins names with values.
    """

    def __init__(
        self,
        schema: TableSchema,
        tokenizer: PreTrainedTokenizerBase,
        *,
        fixed_width: bool = False,
    ) -> None:
        self.schema, self.fixed_width, self._tokenizer = schema, fixed_width, tokenizer
        self.end_token = int(tokenizer.eos_token_id)
        self.unwritable = {self.end_token, tokenizer.unk_token_id}
        self.first_names = [self._name_tokens(column, "") for column in schema.columns]
        after = [self._name_tokens(column, self._before(column)) for column in schema.columns]
        n_shared = _n_shared(after) if len(after) > 1 else 0
        self.separator: Tokens = after[0][:n_shared]
        self.next_names = [tokens[n_shared:] for tokens in after]
        self._values: dict[tuple[int, str, bool], Tokens] = {}
        if not all(self.first_names) or not all(self.next_names):
            raise self.refusal(schema.columns[0], "joins names with values")

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
            raise self.joined(about)
        other = 1 if column == 0 else 0
        next_name = self.schema.columns[other]
        shown = some_word(next_name, fixed_width=self.fixed_width)
        tokens = self._written(f"{text}, {start_of(next_name.name)} {shown}")
        tail = self.next_names[other] + self.value_tokens(other, shown, is_last=True)
        if tokens[: len(first)] != first or tokens[-len(tail) :] != tail:
            raise self.joined(about)
        return tokens[len(first) : -len(tail)]

    def _name_tokens(self, column: ColumnSchema, before: str) -> Tokens:
        """Give the tokens that all values of a column have before them, those of `before` cut."""
        words = [*words_of(column), *DIGITS, "-1", "+1", "a"]
        texts = [f"{before}{start_of(column.name)} {word}" for word in words]
        n_before = len(self._written(before.removesuffix(", "))) if before else 0
        written = [tokens[n_before:] for tokens in self.encoded(texts)]
        known = [tokens for tokens in written if not self.unwritable & set(tokens)]
        if not known:
            raise self.refusal(column, "cannot write its name and values as ordinary text")
        return known[0][: _n_shared(known)]

    def _before(self, column: ColumnSchema) -> str:
        """Give a column for `column` to follow, whose value the tokenizer does not join with it."""
        for other in self.schema.columns:
            for word in (*map(str, other.levels or ()), *DIGITS, "10"):
                text = f"{start_of(other.name)} {word}"
                alone = self._written(text)
                follows = self._written(f"{text}, {start_of(column.name)} 1")
                joined = follows[: len(alone)] != alone
                if other is not column and not joined and not self.unwritable & set(alone):
                    return f"{text}, "
        if len(self.schema.columns) == 1:
            return ""
        raise self.refusal(column, "joins values with the comma after them")

    def _written(self, text: str) -> Tokens:
        return self.encoded([text])[0]

    def encoded(self, texts: list[str]) -> list[Tokens]:
        """Give the tokens of texts, without marks around them."""
        if not texts:
            return []
        written = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [tuple(tokens) for tokens in written]

    def joined(self, column: ColumnSchema) -> GeneratorError:
        """Say that a column's values cannot be told from what stands around them."""
        return self.refusal(column, "joins its values with the words around them")

    def refusal(self, column: ColumnSchema, reason: str) -> GeneratorError:
        """Say what a tokenizer does to a column."""
        return GeneratorError(
            f"study {self.schema.study!r}, column {column.name!r}: the language model's "
            f"tokenizer {reason}; rename it or its levels, or take another model"
        )


def some_word(column: ColumnSchema, *, fixed_width: bool) -> str:
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
