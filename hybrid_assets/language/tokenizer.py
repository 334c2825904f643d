"""A tokenizer with one token for each thing a row of this table can say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hybrid_assets.language.serialization import start_of
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

END, UNKNOWN = "<end>", "<unknown>"
DIGITS = "0123456789"
MOST_DIGITS = 400  # more than the longest float64 has


def compact_tokenizer(schema: TableSchema) -> PreTrainedTokenizerFast:
    """Build a tokenizer for the texts of `serialization` and no other.

    ``"sex is male, age is 37.5"`` becomes ``, sex is male|, age is 3|7.|5``.
    A level, and the first digit of a number with its sign, is one token
    together with the name of its column: the model need not find out which
    column a value belongs to before it can learn how columns depend on each
    other. Only names and levels of the schema, never a number of the table,
    enter the vocabulary.

    Returns
    -------
    PreTrainedTokenizerFast
        It knows an end token but does not add it.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = _vocabulary(schema)
    tokenizer = Tokenizer(
        models.WordPiece(
            {word: token for token, word in enumerate(words)},
            unk_token=UNKNOWN,
            continuing_subword_prefix="",
            max_input_chars_per_word=max(map(len, words)) + MOST_DIGITS,
        )
    )
    tokenizer.normalizer = normalizers.Prepend(", ")  # the first column has no tokens of its own
    starts = "|".join(_escaped(start_of(name)) for name in schema.names)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f", (?:{starts}) "), "merged_with_next")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Fuse(), decoders.Strip(",", 1, 0), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )


def most_tokens(values: pd.DataFrame, tokenizer: PreTrainedTokenizerBase) -> int:
    """Count the tokens of a row whose every value takes as many as any seen in its column.

    Parameters
    ----------
    values : DataFrame of str
        What `serialization.written_values` gives.
    tokenizer : PreTrainedTokenizerBase
        Any tokenizer.
    """
    n_tokens = len(values.columns) + 1  # commas, and a start token some tokenizers add
    for name in values.columns:
        texts = [f"{start_of(name)} {value}" for value in values[name].unique()]
        n_tokens += max(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"]))
    return n_tokens


def _vocabulary(schema: TableSchema) -> list[str]:
    values = [
        f", {start_of(column.name)} {word}"
        for column in schema.columns
        for word in _first_words(column)
    ]
    words = [END, UNKNOWN, *DIGITS, *(f"{digit}." for digit in DIGITS), *values]
    return list(dict.fromkeys(words))


def _first_words(column: ColumnSchema) -> list[str]:
    """Give the levels of a column, or the first digits of its numbers with sign and point."""
    if column.kind is ColumnKind.BINARY:
        return ["0", "1"]
    if column.is_discrete_set:
        return [str(level) for level in column.levels or ()]
    points = ("", ".") if column.kind is ColumnKind.CONTINUOUS else ("",)
    return [f"{sign}{digit}{point}" for sign in ("", "-") for digit in DIGITS for point in points]


def _escaped(text: str) -> str:
    """Escape text for the regular expressions of the `tokenizers` package."""
    return "".join(
        char if char.isalnum() or char == " " else f"\\x{{{ord(char):x}}}" for char in text
    )
