"""What all rows of a table show of people, added up block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from hybrid_assets.privacy.distinct import RowSet
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.schema import TableSchema


@dataclass(frozen=True, eq=False, repr=False)
class Traces:
    """Exact over all rows of a table, however many there are.

    Attributes
    ----------
    n_rows : int
        Of the table.
    rows : dict of tuple of str to ndarray of bool, shape (N,)
        By columns (W; W, A, Y): whose row stands in the table as it is.
    cells : dict of str to ndarray of bool, shape (N,)
        By numeric column: whose value stands in the column.
    closest : dict of str to ndarray of float64, shape (N,)
        By numeric column: distance to the closest value of the column.
    levels : dict of str to set
        By categorical column: the levels that the table shows.
    n_beyond : Counter of str
        Cells that had more digits than their column declares, where it does.
    """

    n_rows: int
    rows: dict[tuple[str, ...], np.ndarray]
    cells: dict[str, np.ndarray]
    closest: dict[str, np.ndarray]
    levels: dict[str, set[object]]
    n_beyond: dict[str, int]

    @classmethod
    def of(
        cls, blocks: Iterable[pd.DataFrame], people: pd.DataFrame, schema: TableSchema
    ) -> Traces:
        """Go through a table once.

        Parameters
        ----------
        blocks : iterable of DataFrame
            The rows, digits as they stand.
        people : DataFrame of shape (N, p)
            Rounded to the declared digits: a rounded copy is a copy.
        schema : TableSchema
        """
        found = _Tracing(people, schema)
        for block in blocks:
            found.add(block)
        return cls(
            found.n_rows,
            {names: flags[finder.group_of] for names, (finder, flags) in found.rows.items()},
            {name: column.is_shown[column.value_of] for name, column in found.numbers.items()},
            {name: column.closest[column.value_of] for name, column in found.numbers.items()},
            found.levels,
            dict(found.n_beyond),
        )

    def of_people(self, chosen: np.ndarray) -> Traces:
        """Keep what is shown of some people, by position."""
        return replace(
            self,
            rows={names: flags[chosen] for names, flags in self.rows.items()},
            cells={name: flags[chosen] for name, flags in self.cells.items()},
            closest={name: apart[chosen] for name, apart in self.closest.items()},
        )


@dataclass
class _Column:
    """The distinct values of people in one numeric column, and what is near to them."""

    values: np.ndarray
    value_of: np.ndarray
    is_shown: np.ndarray
    closest: np.ndarray

    @classmethod
    def of(cls, people: pd.Series) -> _Column:
        values, value_of = np.unique(people.to_numpy(), return_inverse=True)
        return cls(values, value_of, np.zeros(len(values), bool), np.full(len(values), np.inf))

    def add(self, shown: pd.Series) -> None:
        others = np.unique(shown.to_numpy())
        self.is_shown |= np.isin(self.values, others)
        numbers, own = others.astype(float), self.values.astype(float)
        after = np.searchsorted(numbers, own).clip(1, max(len(numbers) - 1, 1))
        last = np.minimum(after, len(numbers) - 1)
        apart = np.minimum(np.abs(own - numbers[after - 1]), np.abs(own - numbers[last]))
        np.minimum(self.closest, apart, out=self.closest)


@dataclass
class _Tracing:
    people: pd.DataFrame
    schema: TableSchema
    n_rows: int = 0
    n_beyond: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.encoders: dict[tuple[str, ...], RecordEncoder] = {}
        self.rows: dict[tuple[str, ...], tuple[RowSet, np.ndarray]] = {}
        for names in {tuple(self.schema.covariate_names), tuple(self.schema.names)} - {()}:
            encoder = RecordEncoder.fit(self.people, self.schema.select(names))
            finder = RowSet(encoder.encode(self.people))
            self.encoders[names] = encoder
            self.rows[names] = finder, np.zeros(finder.n_distinct, bool)
        columns = self.schema.columns
        listed = {c.name for c in columns if isinstance(c.dtype, pd.CategoricalDtype)}
        self.levels: dict[str, set[object]] = {name: set() for name in listed}
        self.numbers = {
            c.name: _Column.of(self.people[c.name]) for c in columns if c.name not in listed
        }
        self.n_beyond.update({c.name: 0 for c in columns if c.decimals is not None})

    def add(self, block: pd.DataFrame) -> None:
        shown = self.schema.rounded(block[self.schema.names])
        self.n_rows += len(block)
        for name in self.n_beyond:
            self.n_beyond[name] += int((block[name] != shown[name]).sum())
        if block.empty:
            return
        for names, (finder, flags) in self.rows.items():
            flags[finder.found_in(self.encoders[names].encode(shown))] = True
        for name, column in self.numbers.items():
            column.add(shown[name])
        for name, levels in self.levels.items():
            levels.update(shown[name].unique())
