"""What the terminal says instead of a traceback, and the codes it exits with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console

from dagster_project.private_errors import kept_private
from dagster_project.system_refusals import refused_by_system
from hybrid_assets.errors import HybridAssetsError
from warehouse import WarehouseError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DONE, FAILED, REFUSED = 0, 1, 2
LEAST_WIDTH = 118
console = Console()
console.width = max(console.width, LEAST_WIDTH)


def refuse(message: str) -> NoReturn:
    """Print what is wrong with what was asked, and exit with 2."""
    say(message)
    raise typer.Exit(REFUSED)


def say(message: str) -> None:
    """Print bad news as it is."""
    console.print(message, style="red", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn errors in the study author's words into a refusal; others are kept private."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        words = told(error)
        if words is not None:
            refuse(words)
        say(refused_by_system(error) or kept_private(error))
        raise typer.Exit(FAILED) from None


def told(error: BaseException | None) -> str | None:
    """Say what is wrong with a study, and where; None if that is not the error.

    Dagster wraps what a study file of the package itself raises.
    """
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_input=False)
        return "\n".join(f"{_place(fault)}: {fault['msg']}" for fault in faults)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}:{mark.line + 1}: {error.context or 'invalid YAML'}: {error.problem}"
    if isinstance(error, HybridAssetsError | WarehouseError | yaml.YAMLError):
        return str(error)
    return told(error.__cause__) if error else None


def _place(fault: "ErrorDetails") -> str:
    key, _, position = ".".join(map(str, fault["loc"])).rpartition(" at ")
    return f"{position}: {key}" if key else position
