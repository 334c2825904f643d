"""Commands about one study: write it, check it, see how it stands, find its report."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from dagster_project.private_errors import kept_private
from dagster_project.refusals import FAILED, console, refusals, refuse, say, told
from dagster_project.resources import StorageResource
from dagster_project.study_check import StudyCheck, check_study
from dagster_project.study_folders import find_study, study_files
from dagster_project.study_init import new_study, next_steps
from dagster_project.study_questions import POLICIES, Answers
from dagster_project.study_status import StudyStatus, study_status
from hybrid_assets.errors import HybridAssetsError


def completed_study(incomplete: str) -> list[str]:
    """Complete the name of a study for the shell."""
    try:
        return [name for name in sorted(study_files()) if name.startswith(incomplete)]
    except HybridAssetsError:
        return []


StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="Its name.", autocompletion=completed_study)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


def init(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="CSV or Parquet, one row a person.")
    ],
    name: Annotated[str | None, typer.Option(help="Of the study; else after the file.")] = None,
    treatment: Annotated[str | None, typer.Option(help="Column coded 0 and 1.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Numeric column.")] = None,
    identifiers: Annotated[
        str | None, typer.Option(help="Columns, separated by commas; '' for none.")
    ] = None,
    probability: Annotated[
        float | None, typer.Option(help="Of treatment, if it was randomised.")
    ] = None,
    missing: Annotated[str | None, typer.Option(help=", ".join(POLICIES))] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Of studies; else the first of HYBRID_STUDIES, or studies/.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Accept plain guesses; ask nothing.")] = False,
) -> None:
    """Write the study file of a table: guess what its columns are, and ask.

    Nothing is overwritten, and no value of the table is printed or written down.

    Example: hybrid init patients.csv --outcome pain_week_12 --yes
    """
    named = None if identifiers is None else tuple(filter(None, identifiers.split(",")))
    answers = Answers(name, treatment, outcome, named, probability, missing, accept=yes)
    with refusals():
        file = new_study(table, folder, answers, console)
        steps = next_steps(file)
    console.print(f"\nwrote {file}\nnext:", markup=False, highlight=False, soft_wrap=True)
    for step in steps:
        console.print(f"  {step}", markup=False, highlight=False, soft_wrap=True)


def check(study: StudyName, as_json: AsJson = False) -> None:
    """Read a study's table and say what would be made of it; keep nothing.

    Rows of a long table are laid aside meanwhile, in a file without a name in the home.
    Exits with 1 if the study cannot run, and says why as a run would.

    Example: hybrid check nhefs
    """
    with refusals():
        found, folder = find_study(study)
    try:
        checked = check_study(found, folder)
    except Exception as error:
        refusal = told(error) or kept_private(error)
        if as_json:
            _print_json({"study": study, "runnable": False, "refusal": refusal})
        else:
            say(refusal)
        raise typer.Exit(FAILED) from None
    if as_json:
        _print_json(checked.as_json())
    else:
        _print_check(checked)


def status(
    study: Annotated[
        str | None,
        typer.Argument(metavar="[STUDY]", help="Else all.", autocompletion=completed_study),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is stored of a study, what is stale and why, what failed and what is running.

    Example: hybrid status nhefs
    """
    import dagster as dg

    from dagster_project.instance import prepare_instance

    with refusals():
        prepare_instance()
        names = [study] if study else sorted(study_files())
        with dg.DagsterInstance.get() as instance:
            found = [study_status(*find_study(name), instance) for name in names]
    if as_json:
        _print_json([each.as_json() for each in found])
    elif study:
        _print_status(found[0])
    else:
        _print_overview(found)


def report(
    study: StudyName,
    trial: Annotated[bool, typer.Option("--trial", help="Of the last trial run.")] = False,
    show: Annotated[bool, typer.Option("--open", help="In the browser.")] = False,
) -> None:
    """Print where a study's report is; exit with 1 if there is none yet.

    Example: hybrid report nhefs --open
    """
    with refusals():
        if study not in study_files():
            refuse(f"unknown study {study}; known: {', '.join(sorted(study_files()))}")
        storage = StorageResource(trial_rows=100) if trial else StorageResource()
        page = storage.report(study)
    if not page.is_file():
        say(f"no report of {study} yet; make it with: hybrid run {study}")
        raise typer.Exit(FAILED)
    print(page)
    if show:
        typer.launch(page.as_uri())


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_check(checked: StudyCheck) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("column", "role", "kind", "levels", "decimals", "missing", "if missing"):
        table.add_column(name)
    for column in checked.columns:
        values = (column.n_levels, column.decimals, column.missing or None)
        shown = ["" if value is None else str(value) for value in values]
        row = (column.name, column.role, column.kind, *shown, column.policy)
        table.add_row(*map(escape, row))
    console.print(table)
    console.print(
        f"{checked.study} can run: {checked.n_rows:,} people (rows dropped: "
        f"{checked.rows_dropped}), {checked.n_train:,} to train, {checked.n_holdout:,} unseen",
        highlight=False,
    )
    for concern in checked.concerns:
        console.print(f"expect  {concern}", style="yellow", markup=False, soft_wrap=True)


def _print_status(found: StudyStatus) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("asset", "state", "made (UTC)"):
        table.add_column(name)
    table.add_column("rows", justify="right")
    for asset in found.assets:
        style = "" if asset.state == "current" else "yellow"
        rows = "" if asset.n_rows is None else f"{asset.n_rows:,}"
        table.add_row(asset.asset, asset.state, asset.made_at or "", rows, style=style)
    console.print(table)
    for failed in found.failed_checks:
        console.print(f"check not passed  {failed}", style="yellow", markup=False)
    for run in found.unfinished_runs:
        console.print(f"run  {run}", markup=False, highlight=False)


def _print_overview(studies: list[StudyStatus]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("study", "current", "stale", "missing", "checks not passed", "runs"):
        table.add_column(name, justify="left" if name == "study" else "right")
    for each in studies:
        counts = each.count("current"), each.n_stale, each.count("missing")
        others = len(each.failed_checks), len(each.unfinished_runs)
        table.add_row(each.study, *(str(count) for count in (*counts, *others)))
    console.print(table)
