"""Jobs of a study and the executor that runs their steps."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

from dagster_project.study_file import StudyFile

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

PRELOADED = [
    "dagster_project.step_server",
    "duckdb",
    "great_expectations",
    "matplotlib.figure",
    "pandas",
    "pyarrow",
    "scipy.optimize",
    "sklearn.ensemble",
    "sklearn.linear_model",
]


def step_executor(*, n_steps: int | None = None) -> dg.ExecutorDefinition:
    """Run each step in a process of its own, at most `n_steps` (one for each core) at a time.

    Steps are forked from a server that has imported `PRELOADED` once: a step
    then starts in under a second instead of importing for twenty.
    """
    return dg.multiprocess_executor.configured(
        {
            "max_concurrent": n_steps or os.cpu_count() or 1,
            "start_method": {"forkserver": {"preload_modules": PRELOADED}},
        }
    )


def refresh_job(study: StudyFile) -> "UnresolvedAssetJobDefinition":
    """Materialize the whole study, checks included, but its simulations."""
    return dg.define_asset_job(
        f"refresh_{study.name}",
        selection=_assets_of(study) - dg.AssetSelection.tag("job", "simulate"),
        description=f"{study.title}: every table, check and the report, from the source.",
        tags={"study": study.name},
    )


def simulate_jobs(
    study: StudyFile, assets: Iterable[dg.AssetsDefinition]
) -> list["UnresolvedAssetJobDefinition"]:
    """Materialize the study's simulations, one after the other: a benchmark uses all cores itself.

    No job if none of `assets` is one.
    """
    keys = [
        key
        for asset in assets
        for key, tags in asset.tags_by_key.items()
        if tags.get("job") == "simulate"
    ]
    if not keys:
        return []
    job = dg.define_asset_job(
        f"simulate_{study.name}",
        selection=dg.AssetSelection.assets(*keys),
        description=f"{study.title}: which estimator to use, from a study that has been run.",
        tags={"study": study.name},
        executor_def=step_executor(n_steps=1),
    )
    return [job]


def _assets_of(study: StudyFile) -> dg.AssetSelection:
    return dg.AssetSelection.groups(
        study.name, *(f"{study.name}/{generator}" for generator in study.generators)
    )
