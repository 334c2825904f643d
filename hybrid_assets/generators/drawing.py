"""Valid rows from any generator, block by block, so that a draw that was killed can go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from hybrid_assets.errors import GeneratorError, YieldTooLow
from hybrid_assets.generators.base import CovariateGenerator
from hybrid_assets.schema import TableSchema

MIN_VALID_SHARE = 0.02
MIN_DRAWN = 200  # before the share is judged
BLOCK_ROWS = 10_000


class KeptParts(Protocol):
    """Keeps tables by name for a later run of the same draw."""

    def part(self, name: str) -> pd.DataFrame | None:
        """Give what was kept under a name, or None."""
        ...

    def keep(self, name: str, part: pd.DataFrame) -> None:
        """Keep a table, whole or not at all."""
        ...


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


def draw_valid(
    generator: CovariateGenerator,
    schema: TableSchema,
    n_rows: int,
    rng: np.random.Generator,
    parts: KeptParts | None = None,
) -> tuple[pd.DataFrame, DrawReport]:
    """Draw until `n_rows` rows satisfy the schema; the others are dropped and counted.

    Parameters
    ----------
    generator, schema, n_rows, rng, parts
        See `ValidRows`; raises as that does.
    """
    drawn = ValidRows(generator, schema, n_rows, rng, parts)
    table = pd.concat(drawn.blocks(), ignore_index=True)
    return table, drawn.report


class ValidRows:
    """Rows that satisfy a schema, drawn block by block; the others are dropped and counted.

    Rows are drawn in blocks of `BLOCK_ROWS`. Where there are several, each has
    a random stream of its own: a draw that was killed and goes on with the
    blocks that were kept gives the same bytes as one that was not, and no
    number depends on how much memory there is.

    Parameters
    ----------
    generator : CovariateGenerator
        Fitted.
    schema : TableSchema
        What a row must satisfy.
    n_rows : int
        How many.
    rng : Generator
        Source of all draws.
    parts : KeptParts, optional
        Finished blocks of this very draw, and where to keep more.
    """

    def __init__(
        self,
        generator: CovariateGenerator,
        schema: TableSchema,
        n_rows: int,
        rng: np.random.Generator,
        parts: KeptParts | None = None,
    ) -> None:
        self._generator, self._schema, self._parts = generator, schema, parts
        self._sizes = [min(BLOCK_ROWS, n_rows - start) for start in range(0, n_rows, BLOCK_ROWS)]
        self._streams = rng.spawn(len(self._sizes)) if len(self._sizes) > 1 else [rng]
        self._reports: list[DrawReport] = []

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Give canonical rows, `BLOCK_ROWS` at a time; once.

        Raises
        ------
        YieldTooLow
            If fewer than `MIN_VALID_SHARE` of at least `MIN_DRAWN` rows of a
            block are valid.
        GeneratorError
            If the generator gives no rows, or other columns.
        """
        for number, (size, stream) in enumerate(zip(self._sizes, self._streams, strict=True)):
            rows, report = self._kept(number) or self._drawn(number, size, stream)
            self._reports.append(report)
            yield rows

    @property
    def report(self) -> DrawReport:
        """How many rows the blocks given so far took."""
        return DrawReport.joined(self._reports)

    def _kept(self, number: int) -> tuple[pd.DataFrame, DrawReport] | None:
        return None if self._parts is None else _kept_block(self._parts, number, self._schema)

    def _drawn(
        self, number: int, size: int, stream: np.random.Generator
    ) -> tuple[pd.DataFrame, DrawReport]:
        rows, report = _drawn_block(self._generator, self._schema, size, stream)
        if self._parts is not None and len(self._sizes) > 1:
            self._parts.keep(f"{number}report", _as_table(report))
            self._parts.keep(f"{number}rows", self._schema.stored(rows))
        return rows, report


def _kept_block(
    parts: KeptParts, number: int, schema: TableSchema
) -> tuple[pd.DataFrame, DrawReport] | None:
    rows, report = parts.part(f"{number}rows"), parts.part(f"{number}report")
    if rows is None or report is None:
        return None
    return schema.canonical(rows), _as_report(report)


def _as_table(report: DrawReport) -> pd.DataFrame:
    figures = {"rows": report.n_rows, "drawn": report.n_drawn, "dropped": report.n_dropped}
    entries = [(figure, "", float(value)) for figure, value in figures.items()]
    entries += [("invalid", name, float(n)) for name, n in report.dropped_by_column.items()]
    entries += [("valid mass", name, mass) for name, mass in report.valid_mass.items()]
    return pd.DataFrame(entries, columns=["figure", "column", "value"])


def _as_report(table: pd.DataFrame) -> DrawReport:
    def of(figure: str) -> dict[str, float]:
        some = table[table["figure"] == figure]
        return dict(zip(some["column"], some["value"], strict=True))

    n_rows, n_drawn, n_dropped = (int(of(figure)[""]) for figure in ("rows", "drawn", "dropped"))
    dropped = {name: int(n) for name, n in of("invalid").items()}
    return DrawReport(n_rows, n_drawn, n_dropped, dropped, of("valid mass"))


def _drawn_block(
    generator: CovariateGenerator, schema: TableSchema, n_rows: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, DrawReport]:
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
