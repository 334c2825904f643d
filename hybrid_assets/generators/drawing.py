"""Valid rows from any generator, block by block, so that a draw that was killed can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd

from hybrid_assets.generators.base import CovariateGenerator
from hybrid_assets.generators.drawn_block import (
    Blocks,
    DrawnRows,
    DrawReport,
    StoredDraw,
    drawn_blocks,
)
from hybrid_assets.handing_out import ThisProcess, in_order, made
from hybrid_assets.schema import TableSchema

BLOCK_ROWS = 10_000
PARTS_AHEAD = 32  # handed out before the first is given: of 100,000 rows and 20 columns, 500 MB


class KeptParts(Protocol):
    """Keeps tables by name for a later run of the same draw."""

    def part(self, name: str) -> pd.DataFrame | None:
        """Give what was kept under a name, or None."""
        ...

    def keep(self, name: str, part: pd.DataFrame) -> None:
        """Keep a table, whole or not at all."""
        ...


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
    number depends on how much memory there is. Blocks of a quick generator are
    drawn and kept several together.

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
        sizes = [min(BLOCK_ROWS, n_rows - start) for start in range(0, n_rows, BLOCK_ROWS)]
        streams = rng.spawn(len(sizes)) if len(sizes) > 1 else [rng]
        n_together = generator.blocks_together
        self._blocks = [
            Blocks(tuple(sizes[k : k + n_together]), tuple(streams[k : k + n_together]))
            for k in range(0, len(sizes), n_together)
        ]
        self._reports: list[DrawReport] = []
        self._found: set[int] = set()

    def blocks(self, workers: Executor | None = None) -> Iterator[pd.DataFrame]:
        """Give canonical rows, some blocks of `BLOCK_ROWS` at a time; once.

        Parameters
        ----------
        workers : Executor, optional
            Draws the blocks, from the generator's files; this process if None. Rows are the same.

        Raises
        ------
        YieldTooLow, GeneratorError
            As `drawn_block`.
        """
        n_ahead = 1 if workers is None else PARTS_AHEAD
        with closing(in_order(self._started(workers), n_ahead=n_ahead, on_end=self._keep)) as drawn:
            for rows, report in drawn:
                self._reports.append(report)
                yield rows

    @property
    def report(self) -> DrawReport:
        """How many rows the blocks given so far took."""
        return DrawReport.joined(self._reports)

    def _started(self, workers: Executor | None) -> Iterator[Future[DrawnRows]]:
        place = workers or ThisProcess()
        work: Callable[[Blocks], DrawnRows]
        work = partial(drawn_blocks, self._generator, self._schema)
        if workers is not None:
            work = StoredDraw(self._generator, self._schema)
        for number, blocks in enumerate(self._blocks):
            kept = self._kept(number)
            yield place.submit(work, blocks) if kept is None else made(kept)

    def _kept(self, number: int) -> DrawnRows | None:
        if self._parts is None:
            return None
        kept = _kept_rows(self._parts, number, self._schema)
        if kept is not None:
            self._found.add(number)
        return kept

    def _keep(self, number: int, block: DrawnRows) -> None:
        if self._parts is None or len(self._blocks) == 1 or number in self._found:
            return
        rows, report = block
        self._parts.keep(f"{number}report", _as_table(report))
        self._parts.keep(f"{number}rows", self._schema.stored(rows))


def _kept_rows(parts: KeptParts, number: int, schema: TableSchema) -> DrawnRows | None:
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
