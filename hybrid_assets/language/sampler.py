"""Valid rows from a fine-tuned language model, in many column orders."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from hybrid_assets.errors import YieldTooLow
from hybrid_assets.language.conditions import Given
from hybrid_assets.language.grammar import RowGrammar
from hybrid_assets.language.reading import Reader
from hybrid_assets.language.serialization import MISSING_WORD
from hybrid_assets.language.splits import MaskedCounts, ThinnedCounts
from hybrid_assets.language.starts import Start
from hybrid_assets.language.tree_walk import TreeWalk
from hybrid_assets.schema import ColumnKind, TableSchema

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SamplingMode = Literal["exact", "masked"]
N_ORDERS = 64
MIN_VALID_SHARE = 0.02
MIN_DRAWN = 2_000  # before the share is judged
MOST_ROUNDS = 60


@dataclass(frozen=True)
class SampledRows:
    """Valid rows, and how good the model was at them.

    Attributes
    ----------
    table : DataFrame of shape (n_rows, p)
        int64 for binary and integer columns (``Int64`` if they may be
        missing), float64 for continuous ones, levels as text.
    valid_mass : dict of str to float
        Probability that the model, left alone, gives a column's value as one
        of that column and then ends it, in [0, 1]; only columns that were drawn
        from all their values.
    """

    table: pd.DataFrame
    valid_mass: dict[str, float] = field(default_factory=dict)


class RowSampler:
    """Draws from the law of a language model, given a column order, restricted to valid rows.

    The order of a row is one of `N_ORDERS`, drawn for the run: as rows are
    learned in random orders, each order has a law of its own, and the model's
    is their mixture. Names cost no probability.

    Parameters
    ----------
    model : PreTrainedModel
        In evaluation mode.
    grammar : RowGrammar
        What a row is.
    mode : {"exact", "masked"}
        ``exact`` draws from the whole vocabulary and drops rows at their
        first invalid token: P(row | valid). ``masked`` draws every token from
        the valid ones: quicker on a poor model, but rows whose beginning
        makes errors likely come too often.
    temperature : float
        Divides the logits; 1 is the law that was learned.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        grammar: RowGrammar,
        *,
        mode: SamplingMode = "exact",
        temperature: float = 1.0,
    ) -> None:
        self._model, self._grammar = model, grammar
        self._mode, self._temperature = mode, temperature

    def sample(self, known: list[Given], rng: np.random.Generator) -> SampledRows:
        """Draw rows.

        Parameters
        ----------
        known : list of Given
            What is known of the rows; together all rows that are wanted.
        rng : Generator
            Source of all draws.

        Raises
        ------
        YieldTooLow
            If fewer than `MIN_VALID_SHARE` of the drawn rows are valid.
        """
        import torch

        draw = ThinnedCounts(rng) if self._mode == "exact" else MaskedCounts(rng)
        walk = TreeWalk(
            Reader(self._model, self._grammar.most_tokens, self._temperature),
            self._grammar,
            draw,
            loses_invalid=self._mode == "exact",
        )
        n_rows = sum(len(given.rows) for given in known)
        words = np.empty((n_rows, len(self._grammar.next_names)), dtype=object)
        with torch.inference_mode():
            for given in known:
                words[given.rows] = self._words(walk, given, rng)
        schema = self._grammar.schema
        restricted = {column for given in known for column in given.restrictions}
        mass = {
            name: min(float(walk.left[number] / walk.entered[number]), 1.0)
            for number, name in enumerate(schema.names)
            if walk.entered[number] and number not in restricted
        }
        return SampledRows(typed_rows(words, schema), mass)

    def _words(self, walk: TreeWalk, given: Given, rng: np.random.Generator) -> np.ndarray:
        """Draw until every known part has its rows; shape (n_rows, p), in the order of `given`."""
        known = set(given.columns).union(given.restrictions)
        rest = set(range(len(self._grammar.next_names))) - known
        orders = column_orders([given.columns, given.restrictions, rest], rng)
        groups, wanted = np.unique(given.row_groups, return_counts=True)
        missing = dict(zip(groups.tolist(), wanted.tolist(), strict=True))
        found: dict[int, list[np.ndarray]] = {group: [] for group in missing}
        n_drawn, n_kept, surplus = 0, 0, 1.0
        for _ in range(MOST_ROUNDS):
            starts = _starts(orders, missing, given, surplus, rng)
            n_drawn += sum(int(start.weight) for start in starts)
            drawn = self._drawn(walk, starts, given)
            for group, rows in drawn.items():
                n_kept += len(rows)
                kept = rows[rng.permutation(len(rows))[: missing[group]]]
                found[group].append(kept)
                missing[group] -= len(kept)
            missing = {group: n for group, n in missing.items() if n}
            if not missing:
                return _in_order(found, given.row_groups)
            is_judged = n_drawn >= MIN_DRAWN and not given.restrictions
            if is_judged and n_kept < MIN_VALID_SHARE * n_drawn:
                break
            surplus = min(n_drawn / max(n_kept, 1), 1 / MIN_VALID_SHARE)
        raise YieldTooLow(
            f"study {self._grammar.schema.study!r}: the language model gave {n_kept} valid rows "
            f"in {n_drawn}; train it longer, or set sampling: masked"
        )

    def _drawn(self, walk: TreeWalk, starts: list[Start], given: Given) -> dict[int, np.ndarray]:
        """Give the written values of one round by group, each of shape (n, p)."""
        done = list(walk.rows(starts, given.restrictions))
        if not done:
            return {}
        count = np.concatenate([part.weight for part in done]).astype(np.int64)
        group = np.repeat(np.concatenate([part.group for part in done]), count)
        codes = np.repeat(np.concatenate([part.codes for part in done]), count, axis=0)
        words = walk.words.written(codes)
        words[:, list(given.columns)] = given.words[group]
        by_group = np.argsort(group, kind="stable")
        names, starts_at = np.unique(group[by_group], return_index=True)
        return dict(zip(names.tolist(), np.split(words[by_group], starts_at[1:]), strict=True))


def column_orders(
    blocks: Sequence[Collection[int]], rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """Draw different orders of columns, block after block, random in each.

    Returns
    -------
    list of tuple of int
        `N_ORDERS`, or all there are if fewer.
    """
    columns = [sorted(block) for block in blocks]
    n_orders = min(N_ORDERS, math.prod(math.factorial(len(block)) for block in columns))
    found: dict[tuple[int, ...], None] = {}
    while len(found) < n_orders:
        shuffled = [rng.permutation(np.array(block, dtype=int)) for block in columns]
        found[tuple(np.concatenate(shuffled).tolist())] = None
    return list(found)


def typed_rows(words: np.ndarray, schema: TableSchema) -> pd.DataFrame:
    """Read written values, shape (n, p), as a table."""
    types = {
        ColumnKind.BINARY: np.int64,
        ColumnKind.INTEGER: np.int64,
        ColumnKind.CONTINUOUS: np.float64,
    }
    columns = {}
    for number, column in enumerate(schema.columns):
        found, where = np.unique(words[:, number].astype(str), return_inverse=True)
        kind = types.get(column.kind)
        is_missing = (found == MISSING_WORD) & column.may_be_missing
        values = pd.Series(found[~is_missing].astype(object if kind is None else kind))
        values.index = pd.Index(np.flatnonzero(~is_missing))
        if column.may_be_missing and kind is np.int64:
            values = values.astype("Int64")
        columns[column.name] = values.reindex(where).reset_index(drop=True)
    return pd.DataFrame(columns)


def _starts(
    orders: list[tuple[int, ...]],
    missing: dict[int, int],
    given: Given,
    surplus: float,
    rng: np.random.Generator,
) -> list[Start]:
    """Give each group's rows their orders, and more rows where some will be lost."""
    share = np.full(len(orders), 1 / len(orders))
    starts = []
    for group, n_missing in missing.items():
        counts = rng.multinomial(math.ceil(n_missing * surplus), share)
        for number in np.flatnonzero(counts):
            order = orders[number]
            known = tuple(given.word(group, column) for column in order[: len(given.columns)])
            starts.append(Start(order, known, group, int(counts[number])))
    return starts


def _in_order(found: dict[int, list[np.ndarray]], groups: np.ndarray) -> np.ndarray:
    """Put the rows of every group where the group stands."""
    words = np.empty((len(groups), next(iter(found.values()))[0].shape[1]), dtype=object)
    places = np.argsort(groups, kind="stable")
    words[places] = np.concatenate([rows for group in sorted(found) for rows in found[group]])
    return words
