"""One block of valid rows from any generator, here or from its files in another process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from hybrid_assets.errors import GeneratorError, YieldTooLow
from hybrid_assets.generators.base import CovariateGenerator
from hybrid_assets.schema import TableSchema

MIN_VALID_SHARE = 0.02
MIN_DRAWN = 200  # before the share is judged


@dataclass(frozen=True)
class DrawReport:
    """How many rows a generator had to draw.

    Attributes
    ----------
    n_rows : int
        Valid rows kept.
    n_drawn, n_dropped : int
        Rows drawn in all, and dropped because they violate the schema.
    dropped_by_column : dict of str to int
        Violations per column (a row may count under several).
    valid_mass : dict of str to float
        Of a generator that cannot break the schema: how likely each column
        would have been valid by itself.
    """

    n_rows: int
    n_drawn: int
    n_dropped: int
    dropped_by_column: dict[str, int] = field(default_factory=dict)
    valid_mass: dict[str, float] = field(default_factory=dict)

    @classmethod
    def joined(cls, reports: Iterable[DrawReport]) -> DrawReport:
        """Add up the blocks of a draw; valid masses are averaged by rows."""
        reports = list(reports)
        n_rows = sum(report.n_rows for report in reports)
        dropped: Counter[str] = Counter()
        mass: dict[str, float] = dict.fromkeys(reports[0].valid_mass, 0.0)
        for report in reports:
            dropped.update(report.dropped_by_column)
            for name, value in report.valid_mass.items():
                mass[name] += value * (report.n_rows / n_rows)
        n_drawn = sum(report.n_drawn for report in reports)
        n_dropped = sum(report.n_dropped for report in reports)
        return cls(n_rows, n_drawn, n_dropped, dict(dropped), mass)

    @property
    def valid_share(self) -> float:
        """Share of drawn rows that satisfied the schema, in [0, 1]."""
        return 1.0 - self.n_dropped / self.n_drawn if self.n_drawn else 0.0


DrawnRows = tuple[pd.DataFrame, DrawReport]


class Blocks(NamedTuple):
    """Blocks that are drawn and kept together.

    Attributes
    ----------
    sizes : tuple of int
    streams : tuple of Generator
        One for each.
    """

    sizes: tuple[int, ...]
    streams: tuple[np.random.Generator, ...]


def drawn_blocks(generator: CovariateGenerator, schema: TableSchema, blocks: Blocks) -> DrawnRows:
    """Draw each block as `drawn_block` does, and join them."""
    made = [drawn_block(generator, schema, *each) for each in zip(*blocks, strict=True)]
    if len(made) == 1:
        return made[0]
    rows = pd.concat([rows for rows, _ in made], ignore_index=True)
    return rows, DrawReport.joined(report for _, report in made)


class StoredDraw:
    """Draws blocks from the files of a generator, restored when the first is asked for.

    Files, not the object: they are what any process can be given, and a network's
    object is lent by torch to one process only.

    Parameters
    ----------
    generator : CovariateGenerator
        Fitted.
    schema : TableSchema
        What a row must satisfy.
    """

    def __init__(self, generator: CovariateGenerator, schema: TableSchema) -> None:
        self._class, self._settings = type(generator), generator.settings
        self._files, self._schema = generator.to_files(), schema
        self._restored: CovariateGenerator | None = None

    def __call__(self, blocks: Blocks) -> DrawnRows:
        """Give what `drawn_blocks` gives."""
        if self._restored is None:
            self._restored = self._class.from_files(self._files, self._settings, self._schema)
        return drawn_blocks(self._restored, self._schema, blocks)


def drawn_block(
    generator: CovariateGenerator, schema: TableSchema, n_rows: int, rng: np.random.Generator
) -> DrawnRows:
    """Draw until `n_rows` rows satisfy the schema; the others are dropped and counted.

    Raises
    ------
    YieldTooLow
        If fewer than `MIN_VALID_SHARE` of at least `MIN_DRAWN` rows are valid.
    GeneratorError
        If the generator gives no rows, or other columns.
    """
    kept: list[pd.DataFrame] = []
    n_kept = n_drawn = n_dropped = 0
    by_column: Counter[str] = Counter()
    while n_kept < n_rows:
        if n_drawn >= MIN_DRAWN and n_kept < MIN_VALID_SHARE * n_drawn:
            raise YieldTooLow(
                f"study {schema.study!r}: {n_kept} of {n_rows} rows were valid after drawing "
                f"{n_drawn}; violations by column: {dict(by_column)}"
            )
        valid_share = max(n_kept / n_drawn, MIN_VALID_SHARE) if n_drawn else 1.0
        batch = generator.sample(int(np.ceil((n_rows - n_kept) / valid_share * 1.02)) + 8, rng)
        if list(batch.columns) != schema.names:
            raise GeneratorError(
                f"study {schema.study!r}: generator gave columns {list(batch.columns)}, "
                f"expected {schema.names}"
            )
        if batch.empty:  # would be asked for ever
            raise GeneratorError(
                f"study {schema.study!r}: generator gave no rows; expected {n_rows - n_kept} more"
            )
        invalid, counts = schema.invalid_counts(batch)
        by_column.update(counts)
        n_drawn += len(batch)
        n_dropped += int(invalid.sum())
        n_kept += int((~invalid).sum())
        kept.append(schema.rounded(schema.canonical(batch.loc[~invalid])))
    table = pd.concat(kept, ignore_index=True).iloc[:n_rows]
    valid_mass = getattr(generator, "valid_mass_", {})
    return table, DrawReport(n_rows, n_drawn, n_dropped, dict(by_column), valid_mass)
