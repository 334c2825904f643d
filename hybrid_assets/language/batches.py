"""What a language model reads at a step: rows as tokens, columns in random order."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from hybrid_assets.language.serialization import (
    number_format,
    start_of,
    words_of,
    written_values,
)
from hybrid_assets.language.smoothing import smoothed
from hybrid_assets.schema import TableSchema

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

NOT_LEARNED = -100  # the label that torch's cross-entropy leaves out


class Batches(Protocol):
    """Rows to learn; the same step gives the same tokens, in this process or another."""

    n_rows: int
    forced: tuple[int, ...]  # tokens that sampling never draws, so that they need not be learned

    def batch(self, rows: np.ndarray, epoch: int, seed: int) -> torch.Tensor:
        """Give the tokens of rows in random column orders, ended and padded with `NOT_LEARNED`.

        Parameters
        ----------
        rows : ndarray of int
            Positions of the rows.
        epoch : int
            How often the table has been read; below 0, rows come as they are.
        seed : int
            Of the orders; in [0, 2**63).

        Returns
        -------
        Tensor of int64, shape (n, longest)
            The end token stands before and after each row: be-great 0.0.14
            shows neither, so that its models never stop by themselves and
            need values of the table to start from; and it learns its padding.
        """
        ...


class CompactRows:
    """Rows in the tokens of `tokenizer.compact_tokenizer`, numbers moved anew in each epoch.

    Parameters
    ----------
    table : DataFrame of shape (n, p)
        Canonical, complete, rounded.
    schema : TableSchema
        Its columns.
    tokenizer : PreTrainedTokenizerBase
        What `compact_tokenizer` gives.
    seed : int
        Of the noise on numbers.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        schema: TableSchema,
        tokenizer: PreTrainedTokenizerBase,
        seed: int,
    ) -> None:
        self.n_rows = len(table)
        self._table, self._schema, self._tokenizer = table, schema, tokenizer
        self._seed = seed
        self._plain = encoded_values(table, schema, tokenizer)
        names = np.unique(self._plain.tokens[:, :, 0]).tolist()
        self.forced = (int(tokenizer.eos_token_id), *names)
        self.most_tokens = _most_tokens(schema, tokenizer)
        self._epoch, self._moved = -1, self._plain

    def batch(self, rows: np.ndarray, epoch: int, seed: int) -> torch.Tensor:
        """See `Batches.batch`."""
        import torch

        values = self._values(epoch).take(rows)
        tokens = values.in_random_order(self._tokenizer.eos_token_id, np.random.default_rng(seed))
        return torch.from_numpy(tokens)

    def _values(self, epoch: int) -> EncodedValues:
        if epoch < 0:
            return self._plain
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, epoch])
            moved = smoothed(self._table, self._schema, rng)
            self._moved = encoded_values(moved, self._schema, self._tokenizer)
            self._epoch = epoch
        return self._moved


class TextRows:
    """Rows as be-great writes and shuffles them, in the tokens of a pretrained model.

    Parameters
    ----------
    values : DataFrame of str, shape (n, p)
        What `serialization.written_values` gives.
    tokenizer : PreTrainedTokenizerBase
        Of the pretrained model.
    """

    def __init__(self, values: pd.DataFrame, tokenizer: PreTrainedTokenizerBase) -> None:
        from be_great.great_dataset import GReaTDataset

        self.n_rows = len(values)
        self.forced: tuple[int, ...] = ()
        self._end = tokenizer.eos_token_id
        self._marks = {tokenizer.bos_token_id, tokenizer.eos_token_id}  # some tokenizers add them
        self._rows = GReaTDataset.from_pandas(values)
        self._rows.set_tokenizer(tokenizer)

    def batch(self, rows: np.ndarray, epoch: int, seed: int) -> torch.Tensor:
        """See `Batches.batch`; the text of a row does not change with the epoch."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        state = random.getstate()
        random.seed(seed)  # be-great shuffles with the global generator
        try:
            texts = [row["input_ids"] for row in self._rows.__getitems__(rows.tolist())]
        finally:
            random.setstate(state)
        bare = [[token for token in text if token not in self._marks] for text in texts]
        ended = [torch.tensor([self._end, *text, self._end]) for text in bare]
        return pad_sequence(ended, batch_first=True, padding_value=NOT_LEARNED)


@dataclass(frozen=True)
class EncodedValues:
    """Tokens of every value with its column's name.

    Attributes
    ----------
    tokens : ndarray of int64, shape (n, p, longest)
        Left-aligned.
    lengths : ndarray of int64, shape (n, p)
        Tokens of each value.
    """

    tokens: np.ndarray
    lengths: np.ndarray

    def take(self, rows: np.ndarray) -> EncodedValues:
        """Keep the given rows."""
        return EncodedValues(self.tokens[rows], self.lengths[rows])

    def in_random_order(self, end: int, rng: np.random.Generator) -> np.ndarray:
        """Write each row in a column order of its own, between two end tokens."""
        n_rows, n_columns, longest = self.tokens.shape
        place = rng.permuted(np.tile(np.arange(n_columns), (n_rows, 1)), axis=1)
        offset = np.arange(longest)
        key = place[:, :, None] * longest + offset
        is_token = offset < self.lengths[:, :, None]
        key = np.where(is_token, key, n_columns * longest + 1).reshape(n_rows, -1)
        n_tokens = self.lengths.sum(axis=1)
        order = np.argsort(key, axis=1, kind="stable")[:, : n_tokens.max()]
        rows = np.full((n_rows, n_tokens.max() + 2), NOT_LEARNED)
        rows[:, 1:-1] = np.take_along_axis(self.tokens.reshape(n_rows, -1), order, axis=1)
        after = np.arange(rows.shape[1]) > n_tokens[:, None]
        rows[after] = NOT_LEARNED
        rows[:, 0] = end
        rows[np.arange(n_rows), n_tokens + 1] = end
        return rows


def _most_tokens(schema: TableSchema, tokenizer: PreTrainedTokenizerBase) -> int:
    """Count the tokens of the longest row the schema allows, its two end tokens included."""
    n_tokens = 2
    for column in schema.columns:
        words = words_of(column)
        if not column.is_discrete_set:
            numbers = number_format(column, fixed_width=True)
            words += [
                numbers.word(limit / 10**numbers.decimals) for limit in (numbers.low, numbers.high)
            ]
        texts = [f"{start_of(column.name)} {word}" for word in words]
        n_tokens += max(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"]))
    return n_tokens


def encoded_values(
    table: pd.DataFrame, schema: TableSchema, tokenizer: PreTrainedTokenizerBase
) -> EncodedValues:
    """Give the tokens of each value of a canonical table, its numbers at fixed width."""
    values = written_values(table, schema, fixed_width=True)
    columns = []
    for name in schema.names:
        codes, words = pd.factorize(values[name])
        texts = [f"{start_of(name)} {word}" for word in words]
        found = tokenizer(texts, add_special_tokens=False)["input_ids"]
        columns.append((codes, found))
    longest = max(len(tokens) for _, found in columns for tokens in found)
    tokens = np.zeros((len(table), len(columns), longest), dtype=np.int64)
    lengths = np.zeros(tokens.shape[:2], dtype=np.int64)
    for position, (codes, found) in enumerate(columns):
        padded = np.array([[*one, *[0] * (longest - len(one))] for one in found])
        tokens[:, position] = padded[codes]
        lengths[:, position] = np.array([len(one) for one in found])[codes]
    return EncodedValues(tokens, lengths)
