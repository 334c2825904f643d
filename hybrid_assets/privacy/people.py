"""Members and non-members side by side, as an attacker is given them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.privacy.traces import Traces
from hybrid_assets.schema import TableSchema

LEAST_PEOPLE, LEAST_ROWS = 20, 50
MOST_PEOPLE = 250_000  # on a side; what they cost is in benchmarks/RESULTS.md


@dataclass(frozen=True, eq=False, repr=False)
class Attacked:
    """A synthetic table, and people of whom an attacker asks who was in training.

    Attributes
    ----------
    synthetic : DataFrame of shape (n_syn, p)
        All rows of the table, or a random sample of them.
    people : DataFrame of shape (N, p)
        Members first. Both are rounded to the declared digits: a rounded copy
        is a copy.
    n_members : int
    schema : TableSchema
    traces : Traces
        What all rows of the table show of the people.
    log_prob : ndarray of float, shape (N,), optional
        log p(W) of each person under the generator that W came from, for an
        attacker who has it; NaN for people who are not scored.
    """

    synthetic: pd.DataFrame
    people: pd.DataFrame
    n_members: int
    schema: TableSchema
    traces: Traces
    log_prob: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        synthetic: pd.DataFrame,
        train: pd.DataFrame,
        holdout: pd.DataFrame,
        schema: TableSchema,
    ) -> Attacked:
        """Put training and holdout people together."""
        return cls.of_blocks([synthetic], synthetic, train, holdout, schema)

    @classmethod
    def of_blocks(
        cls,
        blocks: Iterable[pd.DataFrame],
        sample: pd.DataFrame,
        train: pd.DataFrame,
        holdout: pd.DataFrame,
        schema: TableSchema,
    ) -> Attacked:
        """Put people together with a table in blocks and a random sample of its rows."""
        names = schema.names
        people = schema.rounded(pd.concat([train[names], holdout[names]], ignore_index=True))
        shown = schema.rounded(sample[names].reset_index(drop=True))
        return cls(shown, people, len(train), schema, Traces.of(blocks, people, schema))

    @property
    def n_holdout(self) -> int:
        """People whom nothing was fitted to."""
        return len(self.people) - self.n_members

    @property
    def is_large_enough(self) -> bool:
        """Whether there are enough people on both sides, and rows, to attack."""
        n_people = min(self.n_members, self.n_holdout)
        return n_people >= LEAST_PEOPLE and len(self.synthetic) >= LEAST_ROWS

    @cached_property
    def is_member(self) -> np.ndarray:
        """Who was in training, shape (N,)."""
        return np.arange(len(self.people)) < self.n_members

    def selected(self, names: list[str]) -> Attacked:
        """Give the attacker fewer columns."""
        schema = self.schema.select(names)
        return replace(
            self,
            synthetic=self.synthetic[schema.names],
            people=self.people[schema.names],
            schema=schema,
        )

    def of_some_people(self, rng: np.random.Generator) -> Attacked:
        """Ask of at most `MOST_PEOPLE` random people on each side; of all if there are no more."""
        sides = np.flatnonzero(self.is_member), np.flatnonzero(~self.is_member)
        if max(map(len, sides)) <= MOST_PEOPLE:
            return self
        n_asked = [min(len(side), MOST_PEOPLE) for side in sides]
        chosen = np.concatenate(
            [
                np.sort(rng.choice(side, n, replace=False))
                for side, n in zip(sides, n_asked, strict=True)
            ]
        )
        return replace(
            self,
            people=self.people.iloc[chosen].reset_index(drop=True),
            n_members=n_asked[0],
            traces=self.traces.of_people(chosen),
            log_prob=None if self.log_prob is None else self.log_prob[chosen],
        )

    @property
    def covariates(self) -> Attacked:
        """Give the attacker W only."""
        return self.selected(self.schema.covariate_names)

    def encoded(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the points of people and of synthetic rows, shapes (N, d) and (n_syn, d)."""
        encoder = RecordEncoder.fit(self.people, self.schema)
        return encoder.encode(self.people), encoder.encode(self.synthetic)
