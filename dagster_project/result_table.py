"""The comparison of a study's tables, for the terminal."""

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from dagster_project.resources import StorageResource

EFFECTS = ("TMLE", "95 % interval", "exact", "SEs off")
DISTANCES = ("copies",)
LEGEND = (
    "SEs off: distance to the seed's TMLE in its standard errors (of the exact effect for a "
    "hybrid). Intervals of synthetic tables are widened by √(1 + rows/seed rows)."
)


def print_results(console: Console, study: str, storage: StorageResource | None = None) -> None:
    """Print effects, prediction and distances of every table of a study."""
    storage = storage or StorageResource()
    rows = storage.warehouse(study).read_table("generator_comparison")
    metric = next(iter(m for m in rows["predictive_metric"] if m), "")
    has_truth = bool(rows["difference_to_truth"].notna().any())
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title=f"Effects in the tables of {study}")
    notes = [note for note in rows["interval_note"].unique() if note]
    table.add_column("table", no_wrap=not notes)
    for name in ("rows", metric, *EFFECTS, *(("off truth",) if has_truth else ()), *DISTANCES):
        table.add_column(name, justify="right", no_wrap=True)
    for _, row in rows.iterrows():
        table.add_row(*_cells(row, has_truth=has_truth))
    console.print(table)
    console.print(LEGEND, soft_wrap=True, highlight=False)
    attacked = rows[rows["privacy_verdict"] != ""]
    verdicts = ", ".join(attacked["generator"] + " " + attacked["privacy_verdict"])
    console.print(f"privacy verdicts of hybrid tables: {verdicts}", soft_wrap=True, highlight=False)
    for note in notes:
        console.print(f"Intervals: {note}.", soft_wrap=True, highlight=False, style="yellow")
    page = storage.report(study)
    console.print(f"report with pictures: {page}", soft_wrap=True, highlight=False, markup=False)


def _cells(row: pd.Series, *, has_truth: bool) -> list[str]:
    cells = [
        row["table_name"],
        f"{row['n_rows']:,}",
        _number(row["predictive_score"], 3),
        _number(row["tmle"], 4),
        f"{row['tmle_ci_low']:.3f} to {row['tmle_ci_high']:.3f}",
        _number(row["psi_exact"], 6),
        _number(row["difference_to_seed_in_se"], 2),
    ]
    if has_truth:
        cells.append(_number(row["difference_to_truth"], 4))
    copies = row["copies_share"]
    return [*cells, "" if pd.isna(copies) else f"{copies:.1%}"]


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.{decimals}f}"
