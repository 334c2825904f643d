"""How likely a language model finds the rows of a table, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hybrid_assets.language.grammar import RowGrammar, end_tokens
from hybrid_assets.language.reading import Reader
from hybrid_assets.language.sampler import column_orders
from hybrid_assets.language.serialization import written_values
from hybrid_assets.schema import Role, TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def log_prob(
    model: PreTrainedModel,
    grammar: RowGrammar,
    table: pd.DataFrame,
    orders: Sequence[tuple[int, ...]],
) -> pd.DataFrame:
    """Give the log probability of every value given those before it, averaged over orders.

    The sum over a row's columns is the log of the probability that the model,
    told the order of columns, writes this row and ends it: what it gives to
    invalid texts is missing from it, as in `sampler.SampledRows.valid_mass`.

    Parameters
    ----------
    model : PreTrainedModel
        In evaluation mode.
    grammar : RowGrammar
        Of the table.
    table : DataFrame of shape (n, p)
        Complete; numbers may lie outside the limits of the schema.
    orders : sequence of tuple of int
        Column orders, such as `block_orders` or `sampler.column_orders` gives.

    Returns
    -------
    DataFrame of shape (n, p)
        In nats, at most 0.
    """
    import torch

    values = written_values(table, grammar.schema, fixed_width=grammar.fixed_width)
    rows, where = np.unique(values.to_numpy().astype(str), axis=0, return_inverse=True)
    total = np.zeros(rows.shape)
    with torch.inference_mode():
        for order in orders:
            total += _in_order(model, grammar, rows, order)
    scores = (total / len(orders))[where.reshape(-1)]
    return pd.DataFrame(scores, columns=values.columns, index=table.index)


def block_orders(
    schema: TableSchema, n_orders: int, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """Draw column orders with covariates first, in random order, then treatment and outcome."""
    return column_orders([_of_role(schema, role) for role in Role], rng)[:n_orders]


def block_log_prob(scores: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """Sum the scores of `block_orders` to log p(W), log p(A | W) and log p(Y | A, W).

    Parameters
    ----------
    scores : DataFrame of shape (n, p)
        What `log_prob` gives.
    schema : TableSchema
        Of the table.

    Returns
    -------
    DataFrame of shape (n, n_blocks)
        Columns ``covariate``, ``treatment`` and ``outcome``, in nats; those
        of which the schema has columns.
    """
    blocks = {role.value: _of_role(schema, role) for role in Role}
    return pd.DataFrame(
        {block: scores.iloc[:, columns].sum(axis=1) for block, columns in blocks.items() if columns}
    )


def _of_role(schema: TableSchema, role: Role) -> list[int]:
    return [number for number, column in enumerate(schema.columns) if column.role is role]


def _in_order(
    model: PreTrainedModel, grammar: RowGrammar, rows: np.ndarray, order: tuple[int, ...]
) -> np.ndarray:
    """Score written rows (n, p), those with as many tokens together."""
    written = [_tokens_and_places(grammar, row, order) for row in rows]
    lengths = np.array([len(tokens) for tokens, _ in written])
    longest = int(lengths.max())
    most = Reader(model, longest).most_prefixes // longest + 1
    scores = np.zeros(rows.shape)
    ends = None if grammar.ends_forced else end_tokens(grammar, np.array(order))
    for length in np.unique(lengths):
        alike = np.flatnonzero(lengths == length)
        for some in np.split(alike, range(most, len(alike), most)):
            tokens = np.array([written[row][0] for row in some])
            places = np.array([written[row][1] for row in some])
            scores[some] = _scores(model, tokens, places, ends)
    return scores[:, np.argsort(order)]


def _tokens_and_places(
    grammar: RowGrammar, row: np.ndarray, order: tuple[int, ...]
) -> tuple[list[int], list[int]]:
    """Give a row's tokens, and of each the place in the order of the value it belongs to.

    Tokens of names have -1; the token after a value, by which the model ends
    it, has -2 minus the place.
    """
    tokens, places = [grammar.end_token], [-1]
    names = [grammar.first_names, *[grammar.next_names] * (len(order) - 1)]
    for place, column in enumerate(order):
        is_last = place == len(order) - 1
        value = grammar.value_tokens(column, row[column], is_last=is_last)
        name = names[place][column]
        tokens += [*name, *value]
        places += [-1 if not place else -1 - place, *[-1] * (len(name) - 1)]
        places += [place] * len(value)
    return [*tokens, grammar.end_token], [*places, -1 - len(order)]


def _scores(
    model: PreTrainedModel, tokens: np.ndarray, places: np.ndarray, ends: np.ndarray | None
) -> np.ndarray:
    """Sum log probabilities by place in the order, shape (n, p)."""
    import torch

    logits = model(input_ids=torch.from_numpy(tokens[:, :-1]).to(model.device)).logits
    logs = logits.double().log_softmax(dim=2).cpu().numpy()
    n_places = int(places.max()) + 1
    chosen = np.take_along_axis(logs, tokens[:, 1:, None], axis=2)[:, :, 0]
    scores = np.zeros((len(tokens), n_places))
    for place in range(n_places):
        scores[:, place] = np.where(places[:, 1:] == place, chosen, 0.0).sum(axis=1)
        if ends is None:
            continue
        rows, positions = np.nonzero(places[:, 1:] == -2 - place)
        after = ends[place][ends[place] >= 0]
        ending = logs[rows, positions][:, after]
        scores[rows, place] += np.logaddexp.reduce(ending, axis=1)
    return scores
