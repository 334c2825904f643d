"""A study's times: read as its author wrote them, refused with a reason, fresh until overdue."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator
from pydantic import ValidationError

from dagster_project.factory import study_definitions
from dagster_project.resources import RESOURCES
from dagster_project.schedule import Schedule
from dagster_project.study_file import StudyFile

Make = Callable[..., StudyFile]
WEEKLY = {"cron": "0 3 * * 1", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("cron", "pause"),
    [
        ("0 3 * * 1", timedelta(days=7)),
        ("30 2 1 * *", timedelta(days=31)),
        ("0 8,20 * * 1-5", timedelta(days=2, hours=12)),
        ("0 0 29 2 *", timedelta(days=4 * 365 + 1)),
    ],
)
def test_the_longest_pause_is_that_of_the_calendar(cron: str, pause: timedelta) -> None:
    assert Schedule(cron=cron).longest_pause == pause


def test_hours_are_those_of_the_zone(small_study: Make, tmp_path: Path) -> None:
    study = small_study(schedule=WEEKLY)
    shared = dg.Definitions(resources=RESOURCES)
    made = dg.Definitions.merge(study_definitions(study, tmp_path), shared)
    schedule = made.resolve_schedule_def("refresh_small_schedule")
    assert schedule.job_name == "refresh_small"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    start = datetime(2026, 3, 24, tzinfo=UTC).timestamp()
    zone = schedule.execution_timezone
    ticks = schedule_execution_time_iterator(start, schedule.cron_schedule, zone)
    shown = [next(ticks).astimezone(UTC).isoformat() for _ in range(2)]
    assert shown == ["2026-03-30T01:00:00+00:00", "2026-04-06T01:00:00+00:00"]  # summer time


def test_every_refreshed_asset_is_overdue_after_pause_and_run(
    small_study: Make, tmp_path: Path
) -> None:
    specs = [
        spec
        for asset in study_definitions(small_study(schedule=WEEKLY), tmp_path).assets or ()
        for spec in asset.specs  # type: ignore[union-attr]
    ]
    for spec in specs:
        policy = spec.freshness_policy
        if spec.tags["job"] == "refresh":
            assert policy is not None
            assert policy.fail_window.to_timedelta() == timedelta(days=7, hours=12)  # type: ignore[attr-defined]
        else:
            assert policy is None


def test_a_schedule_decides_no_result(small_study: Make) -> None:
    assert small_study(schedule=WEEKLY).content_hash == small_study().content_hash


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        ({"cron": "0 3 * *"}, "expected a cron of five fields"),
        ({"cron": "0 3 * * 1", "timezone": "Berlin"}, "expected a time zone such as Europe/Berlin"),
    ],
)
def test_a_time_that_is_none_is_refused(
    small_study: Make, schedule: dict[str, str], fault: str
) -> None:
    with pytest.raises(ValidationError, match=fault):
        small_study(schedule=schedule)


def test_jobs_end_hanging_runs_and_evaluations_refit_nothing(
    small_study: Make, tmp_path: Path
) -> None:
    shared = dg.Definitions(resources=RESOURCES)
    made = dg.Definitions.merge(study_definitions(small_study(), tmp_path), shared)
    assert made.resolve_job_def("refresh_small").tags["dagster/max_runtime"] == "43200"
    job = made.resolve_job_def("evaluate_small")
    names = {"/".join(key.path[1:]) for key in job.asset_layer.selected_asset_keys}
    per_generator = {"privacy_evaluation", "fidelity_evaluation", "effect_estimates"}
    assert names == {
        *("refresh_drift", "ate_estimates", "generator_comparison", "study_report"),
        *(f"{g}/{name}" for g in ("bootstrap", "cart") for name in per_generator),
    }
