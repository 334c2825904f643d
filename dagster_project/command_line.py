"""The `hybrid` command."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dagster_project import (
    bundle_commands,
    release_commands,
    study_commands,
    warehouse_commands,
)
from dagster_project.asset_factory import JobWord
from dagster_project.audit_commands import audit
from dagster_project.instance import prepare_instance
from dagster_project.paper_tables import (
    print_paper_tables,
    read_paper_data,
    recomputed_in_processes,
)
from dagster_project.private_errors import private_error_file
from dagster_project.refusals import DONE, FAILED, console, refusals, refuse, say
from dagster_project.resources import StorageResource, hybrid_home
from dagster_project.result_table import print_results
from dagster_project.run_display import RunDisplay
from dagster_project.study_commands import AsJson, completed_study
from dagster_project.study_folders import STUDIES_VARIABLE, find_study, user_folders
from dagster_project.study_run import StudyRun, run_study, studies
from dagster_project.trial import TRIAL_LABEL, at_version, trial_of

HELP = "Synthetic study tables that keep the average treatment effect."
EPILOG = """From an own table to its report: `hybrid init patients.csv`, `hybrid check patients`,
`hybrid run patients --rows 500` (a trial), `hybrid run patients`, `hybrid report patients --open`.
Exit codes: 0 done, 1 failed or not there, 2 not understood (command, study or its file), 3 a
reviewer has to decide first."""
app = typer.Typer(
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
MASKED = "The error has been masked"  # Dagster's words, where an error is not the project's own
WORKSPACE = Path(__file__).with_name("workspace.yaml")
StudyNames = Annotated[
    list[str],
    typer.Argument(metavar="STUDY...", help="Their names.", autocompletion=completed_study),
]

app.command()(study_commands.init)
app.command()(study_commands.check)


@app.command()
def run(
    names: StudyNames,
    generator: Annotated[
        list[str] | None, typer.Option(help="Trial: only this one; may be repeated.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=100, help="Trial: synthetic rows of each table.")
    ] = None,
    seed_version: Annotated[
        str, typer.Option(help="Instead of the last, where a source's path holds {version}.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Run studies from their source to their report.

    With --generator or --rows it is a trial: its tables lie apart, in trials/ of HYBRID_HOME, and
    are never for release; what the study has stored stays as it is.

    Example: hybrid run paper_trial nhefs

    Example: hybrid run nhefs --generator cart --rows 500

    Example: hybrid run my_study --seed-version 2026-01
    """
    storage = StorageResource(
        trial_rows=rows, trial_generators=generator or [], seed_version=seed_version
    )
    runs = _run_all(names, "refresh", storage, silent=as_json)
    if as_json:
        print(json.dumps(runs, indent=2, ensure_ascii=False))
    elif not storage.is_trial:
        console.print(
            "\nOpen the UI with [bold]hybrid ui[/bold] (http://127.0.0.1:3000): every asset shows "
            "its picture under Metadata."
        )
    raise typer.Exit(DONE if all(one["success"] for one in runs) else FAILED)


@app.command()
def simulate(names: StudyNames) -> None:
    """Simulate studies that have been run: which estimator to use, and what the effect rests on.

    Takes minutes. An interrupted benchmark goes on from its finished blocks.

    Example: hybrid simulate paper_trial
    """
    runs = _run_all(names, "simulate", StorageResource())
    raise typer.Exit(DONE if all(one["success"] for one in runs) else FAILED)


def _run_all(
    names: list[str], job: JobWord, storage: StorageResource, *, silent: bool = False
) -> list[dict[str, object]]:
    with refusals():
        prepare_instance()
        known = studies(job)
        unknown = sorted(set(names) - set(known))
        if unknown:
            those = "study with simulations" if job == "simulate" else "study"
            refuse(f"unknown {those} {', '.join(unknown)}; known: {', '.join(known)}")
        if storage.is_trial:
            for name in names:
                trial_of(find_study(name)[0], storage.trial_rows, storage.trial_generators)
        for name in names if storage.seed_version else ():
            study, folder = find_study(name)
            at_version(study, storage.seed_version, folder)
    console.quiet = silent
    with refusals():
        return [_run_one(name, job, storage) for name in names]


def _run_one(name: str, job: JobWord, storage: StorageResource) -> dict[str, object]:
    console.rule(f"[bold]{name}")
    if storage.is_trial:
        console.print(f"{TRIAL_LABEL}; its tables lie in {storage.path}", style="yellow")
    with RunDisplay(console) as display:
        finished = run_study(name, job, display, storage=storage)
    if finished.success and job == "refresh":
        print_results(console, name, storage)
    _print_faults(finished)
    return {
        "study": name,
        "job": job,
        "trial": storage.is_trial,
        **asdict(finished),
        "report": str(storage.report(name)) if finished.success and job == "refresh" else None,
    }


def _print_faults(finished: StudyRun) -> None:
    if any(MASKED in failure for failure in finished.failures):
        say(f"masked errors may quote rows; they are in full in {private_error_file()}")
    for check in finished.failed_checks:
        console.print(f"check not passed  {check}", style="yellow", markup=False)


app.command()(study_commands.status)
app.command()(study_commands.report)


@app.command("paper-tables")
def paper_tables(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Paper 1's published CSV files.")],
) -> None:
    """Recompute paper 1's tables from its published data and compare every printed digit.

    Exits with 1 if a digit differs. Some 600 forests are grown: minutes.

    Example: hybrid paper-tables ~/paper1
    """
    with refusals():
        data = read_paper_data(folder)
    agree = print_paper_tables(console, recomputed_in_processes(data))
    raise typer.Exit(DONE if agree else FAILED)


app.command()(release_commands.approve)
app.command()(audit)
app.command()(bundle_commands.release)
app.command()(bundle_commands.verify)
app.add_typer(warehouse_commands.app, name="warehouse")


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="On 127.0.0.1 only.")] = 3000,
) -> None:
    """Open the Dagster UI on this machine.

    Example: hybrid ui --port 3001
    """
    with refusals():
        os.environ[STUDIES_VARIABLE] = os.pathsep.join(str(f.resolve()) for f in user_folders())
        folder = prepare_instance()
    os.chdir(folder)
    dagster = [sys.executable, "-m", "dagster", "dev", "-w", str(WORKSPACE)]
    console.print(f"state in {hybrid_home()}; UI at http://127.0.0.1:{port}", markup=False)
    os.execv(sys.executable, [*dagster, "-h", "127.0.0.1", "-p", str(port)])


if __name__ == "__main__":
    app()
