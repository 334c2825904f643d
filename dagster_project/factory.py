"""A study file becomes a subgraph: its assets, its checks, its job."""

from pathlib import Path

import dagster as dg

from dagster_project.asset_factory import AssetFactory
from dagster_project.assets.benchmark import benchmark_assets
from dagster_project.assets.comparison import comparison_assets
from dagster_project.assets.data import data_assets
from dagster_project.assets.drift import drift_assets
from dagster_project.assets.evaluation import evaluation_assets
from dagster_project.assets.generation import generation_assets
from dagster_project.assets.label_audit import label_audit_assets
from dagster_project.assets.nuisance import nuisance_assets
from dagster_project.assets.pairing import pairing_assets
from dagster_project.assets.positivity import positivity_assets
from dagster_project.assets.release_bundle import release_bundle_assets
from dagster_project.assets.release_candidate import release_candidate_assets
from dagster_project.assets.sensitivity import sensitivity_assets
from dagster_project.automation import (
    backfill_jobs,
    evaluate_job,
    jobs_on_request,
    refresh_job,
)
from dagster_project.checks import suite_checks
from dagster_project.schedule import refresh_schedule
from dagster_project.seed_watch import seed_sensor
from dagster_project.study_file import StudyFile


def study_definitions(study: StudyFile, folder: Path) -> dg.Definitions:
    """Build everything Dagster shows of one study.

    Parameters
    ----------
    study : StudyFile
        The validated study file.
    folder : Path
        The folder it lies in; relative source paths start there.
    """
    make = AssetFactory(study, folder)
    branches = [
        asset
        for generator in study.generators
        for asset in (
            *generation_assets(make, generator),
            *evaluation_assets(make, generator),
            *pairing_assets(make, generator),
            *benchmark_assets(make, generator),
        )
    ]
    study_level = (data_assets, nuisance_assets, positivity_assets, sensitivity_assets)
    assets = [
        *(asset for declare in study_level for asset in declare(make)),
        *branches,
        *drift_assets(make),
    ]
    suites = suite_checks(study)
    guards = [spec for guarded in (*assets, *suites) for spec in guarded.check_specs]
    # the report comes before any audit or release: neither is among its guards
    later = (label_audit_assets, release_candidate_assets, release_bundle_assets)
    on_request = [
        asset
        for generator in study.generators
        for declare in later
        for asset in declare(make, generator)
    ]
    every = [*assets, *comparison_assets(make, guards), *on_request]
    refresh = refresh_job(study)
    return dg.Definitions(
        assets=every,
        asset_checks=suites,
        jobs=[
            refresh,
            *backfill_jobs(study, folder),
            evaluate_job(study, every),
            *jobs_on_request(study, every),
        ],
        schedules=[refresh_schedule(study.name, study.schedule, refresh)] if study.schedule else [],
        sensors=[seed_sensor(study, folder, refresh)] if study.on_new_seed else [],
    )
