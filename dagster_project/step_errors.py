"""How the errors of a step are told: another try, words that quote no cell, or masked."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dagster_project.retries import heals, tried_again
from dagster_project.system_refusals import refused_by_system
from hybrid_assets.errors import HybridAssetsError
from warehouse import WarehouseError


@contextmanager
def told_errors(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
) -> Iterator[None]:
    """Ask for another try where that helps; fail in own words, where there are any.

    All other errors pass, and are masked by Dagster: a library's words may quote a cell.
    """
    try:
        yield
    except Exception as error:
        if heals(error):
            raise tried_again(error, context.op_execution_context) from None
        words = _told(error)
        if words is None:
            raise
        raise dg.Failure(description=words, allow_retries=False) from None


def _told(error: Exception) -> str | None:
    if isinstance(error, HybridAssetsError | WarehouseError):
        return str(error)
    return refused_by_system(error)
