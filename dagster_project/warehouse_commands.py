"""`hybrid warehouse`: where the studies are kept, and moving them."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.refusals import console, refusals, refuse
from dagster_project.resources import hybrid_home
from warehouse import (
    KEY_FILE,
    KEY_VARIABLE,
    BoundedWait,
    LakeDatabase,
    LakeSettings,
    Warehouse,
    lake_settings,
    migrate,
    require_home,
    stored_studies,
)

WAIT_SECONDS = 120.0
app = typer.Typer(
    help="Where studies are kept: files of this home, or a lake that several hosts share.\n\n"
    "Example: hybrid warehouse show",
    no_args_is_help=True,
)


@app.command()
def show() -> None:
    """Tell where each kind of thing is kept, and what each study holds.

    Example: hybrid warehouse show
    """
    home = hybrid_home()
    with refusals():
        lake = lake_settings(home)
        for what, place in _places(home, lake):
            console.print(f"{what:<26} {place}", markup=False, highlight=False, soft_wrap=True)
        table = Table("study", "tables", "log entries", "snapshot", box=None)
        for study in stored_studies(home):
            warehouse = Warehouse(home, study)
            snapshot = warehouse.snapshot()
            counted = len(warehouse.table_names()), len(warehouse.audit_entries())
            table.add_row(study, *map(str, counted), "" if snapshot is None else str(snapshot))
    console.print(table)


def _places(home: Path, lake: LakeSettings | None) -> Iterator[tuple[str, str]]:
    files = home if lake is None else lake.data_path
    if lake is None:
        yield "tables, audit log", f"files in {home / 'warehouse'}"
    else:
        yield "tables", f"lake {files}/tables"
        yield "audit log, small tables", f"PostgreSQL, {lake.catalog}"
    yield "models, releases, reports", str(files)
    yield "decisions, privacy ledger", f"{files}/decisions"
    yield "unfinished parts of steps", f"{files}/unfinished"
    if lake is not None:
        yield "checked copies", f"{home} (this host)"
    given = os.environ.get(KEY_VARIABLE)
    yield "key of keyed hashes", f"${KEY_VARIABLE}" if given else f"{home / KEY_FILE} (this host)"
    yield "runs, trials, errors", f"{home} (this host)"


@app.command("migrate")
def migrate_home(
    catalog: Annotated[
        str, typer.Option(help="libpq string of the lake's PostgreSQL database, no password.")
    ] = "",
    data_path: Annotated[
        str, typer.Option(help="Of the lake's files: a folder of all hosts, or s3://bucket/prefix.")
    ] = "",
    to_files: Annotated[bool, typer.Option("--to-files", help="Back to files.")] = False,
) -> None:
    """Move everything of this home to a lake, or back to files, and compare every hash.

    Tables, audit logs, models, releases, reports, decisions. Stop runs and the UI first. The old
    content is kept. Secrets come from the environment: PGPASSWORD or PGPASSFILE, and for a bucket
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL_S3.

    Example: hybrid warehouse migrate --catalog "host=db dbname=hybrid" --data-path /mnt/lake
    """
    if to_files == bool(catalog) or bool(catalog) != bool(data_path):
        refuse("name --catalog and --data-path, or --to-files")
    with refusals():
        lake = None if to_files else LakeSettings(catalog=catalog, data_path=data_path)
        moved = migrate(hybrid_home(), lake)
    console.print(
        f"studies moved: {len(moved.studies)}; tables: {moved.n_tables}, entries of audit logs: "
        f"{moved.n_entries}, other files: {moved.n_files}, each with the same hash as before"
    )


@app.command()
def forget(
    days: Annotated[int, typer.Option(min=0, help="Snapshots younger than this are kept.")],
) -> None:
    """Delete old snapshots of a lake, and with them rows that were replaced or erased since.

    What each study holds now stays. Releases are folders of their own and stay too.

    Example: hybrid warehouse forget --days 30
    """
    home, before = hybrid_home(), datetime.now(UTC) - timedelta(days=days)
    with refusals():
        lake = lake_settings(home)
        if lake is None:
            refuse("this home keeps its studies in files, which hold no old snapshots")
        require_home(lake.catalog, lake.data_path)  # else files would stay that nobody knows
        for study in stored_studies(home):
            database = LakeDatabase(study, lake.catalog, lake.data_path)
            n_forgotten = database.forget(before, BoundedWait(f"study {study!r}", WAIT_SECONDS))
            console.print(f"{study}: {n_forgotten} snapshots deleted", markup=False)
