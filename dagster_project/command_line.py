"""The `hybrid` command."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console

from dagster_project.asset_factory import JobWord
from dagster_project.instance import prepare_instance
from dagster_project.paper_tables import (
    print_paper_tables,
    read_paper_data,
    recomputed_in_processes,
)
from dagster_project.private_errors import private_error_file
from dagster_project.resources import hybrid_home
from dagster_project.result_table import print_results
from dagster_project.run_display import RunDisplay
from dagster_project.study_run import StudyRun, run_study, studies
from hybrid_assets.errors import HybridAssetsError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

app = typer.Typer(
    help="Synthetic study tables that keep the average treatment effect.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
LEAST_WIDTH = 118
MASKED = "The error has been masked"  # Dagster's words, where an error is not the project's own
console = Console()
console.width = max(console.width, LEAST_WIDTH)
WORKSPACE = Path(__file__).parent.parent / "workspace.yaml"


@app.command()
def run(
    names: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Studies to run.")],
) -> None:
    """Run studies from their source to their report.

    Example: hybrid run paper_trial nhefs
    """
    succeeded = _run_all(names, "refresh")
    console.print(
        "\nOpen the UI with [bold]make ui[/bold] (http://127.0.0.1:3000): every asset shows its "
        "picture under Metadata."
    )
    raise typer.Exit(0 if succeeded else 1)


@app.command()
def simulate(
    names: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Studies, run before.")],
) -> None:
    """Simulate studies that have been run: which estimator to use, and what the effect rests on.

    Takes minutes. An interrupted benchmark goes on from its finished blocks.

    Example: hybrid simulate paper_trial
    """
    raise typer.Exit(0 if _run_all(names, "simulate") else 1)


def _run_all(names: list[str], job: JobWord) -> bool:
    prepare_instance()
    known = _known_studies(job)
    unknown = sorted(set(names) - set(known))
    if unknown:
        those = "study with simulations" if job == "simulate" else "study"
        _refuse(f"unknown {those} {', '.join(unknown)}; known: {', '.join(known)}")
    runs = [_run_one(name, job) for name in names]
    return all(one.success for one in runs)


def _known_studies(job: JobWord) -> list[str]:
    try:
        return studies(job)
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        _refuse(told)


def _refuse(message: str) -> NoReturn:
    console.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def _told(error: BaseException | None) -> str | None:
    """Say what is wrong with a study file, and where; None if that is not the error.

    Dagster wraps what a study file of the package itself raises.
    """
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_input=False)
        return "\n".join(f"{_place(fault)}: {fault['msg']}" for fault in faults)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}:{mark.line + 1}: {error.context or 'invalid YAML'}: {error.problem}"
    if isinstance(error, HybridAssetsError | yaml.YAMLError):
        return str(error)
    return _told(error.__cause__) if error else None


def _place(fault: "ErrorDetails") -> str:
    key, _, position = ".".join(map(str, fault["loc"])).rpartition(" at ")
    return f"{position}: {key}" if key else position


def _run_one(name: str, job: JobWord) -> StudyRun:
    console.rule(f"[bold]{name}")
    with RunDisplay(console) as display:
        finished = run_study(name, job, display)
    if any(MASKED in failure for failure in finished.failures):
        said = f"masked errors may quote rows; they are in full in {private_error_file()}"
        console.print(said, style="red", markup=False, highlight=False, soft_wrap=True)
    if finished.success and job == "refresh":
        print_results(console, name)
    for check in finished.failed_checks:
        console.print(f"check not passed  {check}", style="yellow", markup=False)
    return finished


@app.command("paper-tables")
def paper_tables(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Paper 1's published CSV files.")],
) -> None:
    """Recompute paper 1's tables from its published data and compare every printed digit.

    Exits with 1 if a digit differs. Some 600 forests are grown: minutes.

    Example: hybrid paper-tables ~/paper1
    """
    try:
        data = read_paper_data(folder)
    except HybridAssetsError as error:
        _refuse(str(error))
    agree = print_paper_tables(console, recomputed_in_processes(data))
    raise typer.Exit(0 if agree else 1)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="On 127.0.0.1 only.")] = 3000,
) -> None:
    """Open the Dagster UI on this machine.

    Example: hybrid ui --port 3001
    """
    folder = prepare_instance()
    os.chdir(folder)
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "-w", str(WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
    console.print(f"state in {hybrid_home()}; UI at http://127.0.0.1:{port}", markup=False)
    os.execv(command[0], command)


if __name__ == "__main__":
    app()
