"""A tokenizer with one token for each thing a row of this table can say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hybrid_assets.language.serialization import start_of
from hybrid_assets.schema import TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

END, UNKNOWN = "<end>", "<unknown>"
DIGITS, SIGNS = "0123456789", ("", "+", "-")
MOST_DIGITS = 400  # more than the longest float64 has


def compact_tokenizer(schema: TableSchema) -> PreTrainedTokenizerFast:
    """Build a tokenizer for the texts of `serialization` and no other.

    ``"sex is male, age is +37.5"`` becomes ``, sex is |male|, age is |+3|7.|5``:
    a name with the words around it is one token, and so are a level, a sign
    with its digit, and a digit with the point after it. Only names and levels
    of the schema, never a number of the table, enter the vocabulary.

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
    names = [f", {start_of(column.name)} " for column in schema.columns]
    numbers = [f"{sign}{digit}{point}" for point in ("", ".") for sign in SIGNS for digit in DIGITS]
    levels = [
        str(level) for column in schema.columns for level in column.levels or () if str(level)
    ]
    return list(dict.fromkeys([END, UNKNOWN, *"-+.", *numbers, *names, *levels]))


def _escaped(text: str) -> str:
    """Escape text for the regular expressions of the `tokenizers` package."""
    return "".join(
        char if char.isalnum() or char == " " else f"\\x{{{ord(char):x}}}" for char in text
    )
