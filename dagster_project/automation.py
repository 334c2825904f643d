"""Jobs of a study and the executor that runs their steps."""

import functools
import operator
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from dagster_project.asset_factory import JobWord
from dagster_project.engines import chosen_engine, engine_executor, n_cores
from dagster_project.private_branch import PRIVATE_ASSETS
from dagster_project.schedule import MAX_RUNTIME
from dagster_project.study_file import StudyFile

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

PRELOADED = [
    "dagster_project.step_server",
    "dagster._core.storage.sqlite_storage",
    "duckdb",
    "great_expectations",
    "matplotlib.figure",
    "pandas",
    "pyarrow.dataset",
    "scipy.optimize",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "upath.implementations.local",
]
PRELOADED_FOR = {
    "gan": ["ctgan.synthesizers.ctgan", "torch._dynamo"],
    "llm": ["torch._dynamo", "transformers.models.llama.modeling_llama"],
    "great": ["be_great", "torch._dynamo"],
}


def step_executor(
    study: StudyFile | None = None, *, n_steps: int | None = None
) -> dg.ExecutorDefinition:
    """Run each step in a process of its own, at most `n_steps` (one for each core) at a time.

    Or on the engine that this deployment chose, which knows itself for how many it has room.
    Steps are forked from a server that has imported `PRELOADED` once, and what the generators of
    `study` need: a step then starts in a fifth of a second instead of importing for twenty.
    """
    engine = chosen_engine()
    if engine != "processes":
        return engine_executor(engine)
    kinds = {settings.kind for settings in study.generators.values()} if study else set()
    networks = [module for kind in sorted(kinds) for module in PRELOADED_FOR.get(kind, [])]
    return dg.multiprocess_executor.configured(
        {
            "max_concurrent": n_steps or n_cores(),
            "start_method": {"forkserver": {"preload_modules": [*PRELOADED, *networks]}},
        }
    )


def refresh_job(study: StudyFile) -> "UnresolvedAssetJobDefinition":
    """Materialize the whole study, checks included, but what is made when asked for."""
    return dg.define_asset_job(
        f"refresh_{study.name}",
        selection=_refreshed(study),
        description=f"{study.title}: every table, check and the report, from the source.",
        tags=run_tags(study, "refresh"),
        executor_def=step_executor(study),
    )


def backfill_jobs(study: StudyFile, folder: Path) -> list["UnresolvedAssetJobDefinition"]:
    """Refresh a study from versions of its seed that lie in files of their own, oldest first.

    Versions are partitions of the job, not of the assets: a table is its last version, and what
    should outlast it is released.
    """
    versions = study.source.versions(folder)
    if not versions:
        return []
    config = dg.PartitionedConfig(
        partitions_def=dg.StaticPartitionsDefinition(list(versions)),
        run_config_for_partition_key_fn=lambda version: {
            "resources": {"storage": {"config": {"seed_version": version}}}
        },
        tags_for_partition_key_fn=lambda version: {
            "dagster/priority": str(-versions.index(version))
        },
    )
    return [
        dg.define_asset_job(
            f"backfill_{study.name}",
            selection=_refreshed(study),
            description=f"{study.title}: the refresh, from versions of the seed that you choose.",
            tags=run_tags(study, "refresh"),
            executor_def=step_executor(study),
            config=config,
        )
    ]


def evaluate_job(
    study: StudyFile, assets: Iterable[dg.AssetsDefinition]
) -> "UnresolvedAssetJobDefinition":
    """Judge the synthetic tables that are there: all of the refresh that is made from them."""
    keys = [key for asset in assets for key in asset.keys]
    made = [key for key in keys if key.path[-1] in SYNTHETIC]
    between = [key for key in keys if len(key.path) == 3 and key.path[-1] in PRIVATE_ASSETS]
    downstream = dg.AssetSelection.assets(*made).downstream() - dg.AssetSelection.assets(
        *made, *between
    )
    return dg.define_asset_job(
        f"evaluate_{study.name}",
        selection=downstream & dg.AssetSelection.tag("job", "refresh"),
        description=f"{study.title}: evaluations and report of the tables as they are.",
        tags=run_tags(study, "evaluate"),
        executor_def=step_executor(study),
    )


SYNTHETIC = ("synthetic_covariates", "hybrid_triplets", "full_synthetic")


def run_tags(study: StudyFile, word: str) -> dict[str, str]:
    """Tag a run with its study, and with the seconds after which it is ended as hanging."""
    return {"study": study.name, "dagster/max_runtime": str(MAX_RUNTIME[word] * 3600)}


ON_REQUEST: dict[JobWord, str] = {
    "simulate": "which estimator to use, from a study that has been run",
    "release": "what may leave: each generator's candidate, its gates, and the release",
}


def jobs_on_request(
    study: StudyFile, assets: Iterable[dg.AssetsDefinition]
) -> list["UnresolvedAssetJobDefinition"]:
    """Materialize what no refresh makes, one asset after the other: a benchmark uses all cores.

    A job for each word of `ON_REQUEST` that one of `assets` is tagged with.
    """
    tagged = [(key, tags["job"]) for a in assets for key, tags in a.tags_by_key.items()]
    jobs = []
    for word, what in ON_REQUEST.items():
        keys = [key for key, job in tagged if job == word]
        if keys:
            jobs.append(
                dg.define_asset_job(
                    f"{word}_{study.name}",
                    selection=dg.AssetSelection.assets(*keys),
                    description=f"{study.title}: {what}.",
                    tags=run_tags(study, word),
                    executor_def=step_executor(n_steps=1),
                )
            )
    return jobs


def _refreshed(study: StudyFile) -> dg.AssetSelection:
    asked_for = [dg.AssetSelection.tag("job", word) for word in ON_REQUEST]
    return _assets_of(study) - functools.reduce(operator.or_, asked_for)


def _assets_of(study: StudyFile) -> dg.AssetSelection:
    return dg.AssetSelection.groups(
        study.name, *(f"{study.name}/{generator}" for generator in study.generators)
    )
