"""Paper 1's published tables beside what its data and its recipe give here."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from dagster_project.resources import hybrid_home
from dagster_project.sources.csv_file import CsvSource
from hybrid_assets.columnwise import whole_table
from hybrid_assets.errors import SourceError
from hybrid_assets.processes import LocalProcesses
from hybrid_assets.published import PUBLISHED_LABEL
from hybrid_assets.published.paper1 import FILE_ROWS, TABLE_1, TABLE_2, TABLE_3, FigureTable
from hybrid_assets.published.recipe import SCHEMA, recomputed_tables


def read_paper_data(folder: Path) -> dict[str, pd.DataFrame]:
    """Read paper 1's data files.

    Raises
    ------
    SourceError
        If a file is absent or is not one of the paper's: names the file, what
        was expected and what came.
    """
    return {name: _read(folder, name, n_rows) for name, n_rows in FILE_ROWS.items()}


def _read(folder: Path, name: str, n_rows: int) -> pd.DataFrame:
    source = CsvSource(kind="csv", path=f"{name}.csv")
    table = whole_table(source.read(folder.resolve(), hybrid_home()))
    file = f"paper 1's data, {folder / name}.csv"
    absent = [column for column in SCHEMA.names if column not in table.columns]
    if absent:
        raise SourceError(
            f"{file}: expected the columns {', '.join(SCHEMA.names)}; got no {absent}"
        )
    numbers: pd.DataFrame = table[SCHEMA.names].apply(pd.to_numeric, errors="coerce")
    n_bad = int((~np.isfinite(numbers.to_numpy(float))).sum())
    if n_bad or len(table) != n_rows:
        raise SourceError(
            f"{file}: expected {n_rows} rows of numbers; got {len(table)} rows and {n_bad} cells "
            "that are not finite numbers"
        )
    for column in ("A", "Y"):
        if set(numbers[column].astype("int64")) != {0, 1}:
            raise SourceError(f"{file}, column {column!r}: expected 0 and 1; got other values")
    return numbers


def recomputed_in_processes(
    tables: dict[str, pd.DataFrame],
) -> tuple[FigureTable, FigureTable, FigureTable]:
    """Recompute the three tables with one process for each core."""
    with LocalProcesses(os.cpu_count() or 1) as processes:
        return recomputed_tables(tables, processes.map)


def print_paper_tables(
    console: Console, recomputed: tuple[FigureTable, FigureTable, FigureTable]
) -> bool:
    """Print published figures beside recomputed ones; tell whether all printed digits agree."""
    console.print(
        f"Paper 1's figures, recomputed from its files by the {PUBLISHED_LABEL}.", highlight=False
    )
    n_figures, n_other = 0, 0
    for published, here in zip((TABLE_1, TABLE_2, TABLE_3), recomputed, strict=True):
        shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title=published.title)
        shown.add_column("", no_wrap=True)
        for column in published.columns:
            shown.add_column(f"{column}\npublished", justify="right", no_wrap=True)
            shown.add_column("\nhere", justify="right", no_wrap=True)
        for row in published.rows:
            pairs = list(zip(published.printed(row), here.printed(row), strict=True))
            n_figures += len(pairs)
            n_other += sum(first != second for first, second in pairs)
            shown.add_row(
                row.replace("_", " "), *(cell for pair in pairs for cell in _cells(*pair))
            )
        console.print(shown)
    agree = n_figures - n_other
    console.print(
        f"{agree} of {n_figures} published figures agree to all printed digits.",
        style="green" if not n_other else "red",
        highlight=False,
    )
    return n_other == 0


def _cells(published: str, here: str) -> tuple[str, str]:
    return published, here if published == here else f"[red]{here}[/red]"
