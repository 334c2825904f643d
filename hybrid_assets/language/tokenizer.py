"""A tokenizer with one token for each thing a row of this table can say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hybrid_assets.language.serialization import MISSING_WORD, start_of, words_of
from hybrid_assets.schema import TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

END, UNKNOWN = "<end>", "<unknown>"
MARKS = "\ue000", "\uf8ff"  # Unicode's private use area
DIGITS, SIGNS = "0123456789", ("", "+", "-")
MOST_DIGITS = 400  # more than the longest float64 has


def compact_tokenizer(schema: TableSchema) -> PreTrainedTokenizerFast:
    """Build a tokenizer for the texts of `serialization` and no other.

    ``"sex is male, age is +37.5"`` becomes ``, sex is |male|, age is |+3|7.|5``:
    a name with the words around it is one token, and so are a sign with its
    digit, a digit with the point after it, and a level *of a column*: the 1
    of one column and the 1 of another are different tokens, so that the model
    need not look back to find out what was said. Only names and levels of
    the schema, never a number of the table, enter the vocabulary.

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
    names = sorted(_marks(schema), key=len, reverse=True)
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Prepend(", "),  # the first column has no tokens of its own
            *(
                normalizers.Replace(f", {start_of(name)} ", f", {start_of(name)} {mark}")
                for name, mark in _marks(schema).items()
                if mark
            ),
        ]
    )
    starts = "|".join(_escaped(start_of(name)) for name in names)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f", (?:{starts}) "), "merged_with_next")
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Fuse(),
            decoders.Replace(Regex(f"[{MARKS[0]}-{MARKS[1]}]"), ""),
            decoders.Strip(",", 1, 0),
            decoders.Strip(" ", 1, 0),
        ]
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
        f"{mark}{level}"
        for name, mark in _marks(schema).items()
        if mark
        for level in words_of(schema[name])
    ]
    may_lack_numbers = any(c.may_be_missing and not c.is_discrete_set for c in schema.columns)
    missing = [MISSING_WORD] if may_lack_numbers else []
    return list(dict.fromkeys([END, UNKNOWN, *"-+.", *numbers, *names, *levels, *missing]))


def _marks(schema: TableSchema) -> dict[str, str]:
    """Give each column with levels a private character to tell them by, other columns none."""
    return {
        column.name: chr(ord(MARKS[0]) + position) if column.is_discrete_set else ""
        for position, column in enumerate(schema.columns)
    }


def _escaped(text: str) -> str:
    """Escape text for the regular expressions of the `tokenizers` package."""
    return "".join(
        char if char.isalnum() or char == " " else f"\\x{{{ord(char):x}}}" for char in text
    )
