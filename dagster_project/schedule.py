"""When a study is refreshed by itself, as its file says."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import dagster as dg
from dagster._utils.schedules import cron_string_iterator, is_valid_cron_string
from pydantic import field_validator

from hybrid_assets.study import Strict

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

FROM = datetime(2026, 1, 1, tzinfo=UTC)
LOOKED_AT = timedelta(days=4 * 366 + 1)  # the rarest cron is a leap day
MOST_TICKS = 2000
MAX_RUNTIME = {"refresh": 12, "evaluate": 6, "simulate": 48, "release": 2}  # hours


class Schedule(Strict):
    """When a study is refreshed.

    Parameters
    ----------
    cron : str
        Five fields: minute, hour, day of month, month, day of week.
    timezone : str
        By its IANA name, such as ``Europe/Berlin``; summer time is followed.
    """

    cron: str
    timezone: str = "UTC"

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, cron: str) -> str:
        if not is_valid_cron_string(cron):
            raise ValueError(f"expected a cron of five fields, such as '0 3 * * 1'; got {cron!r}")
        return cron

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError(f"expected a time zone such as Europe/Berlin; got {name!r}")
        return name

    @property
    def longest_pause(self) -> timedelta:
        """The longest time between two refreshes."""
        return longest_pause(self.cron, self.timezone)

    @property
    def freshness(self) -> dg.FreshnessPolicy:
        """Fail where a refresh is overdue by more than the longest that one may take."""
        window = self.longest_pause + timedelta(hours=MAX_RUNTIME["refresh"])
        return dg.FreshnessPolicy.time_window(fail_window=window)


@cache
def longest_pause(cron: str, timezone: str) -> timedelta:
    """Go through the calendar for the longest time between two ticks; once, for all studies."""
    ticks, until = [], FROM + LOOKED_AT
    for tick in cron_string_iterator(FROM.timestamp(), cron, timezone):
        ticks.append(tick)
        if len(ticks) >= MOST_TICKS or tick > until:
            break
    return max(after - before for before, after in pairwise(ticks))


def refresh_schedule(
    study: str, schedule: Schedule, job: "UnresolvedAssetJobDefinition"
) -> dg.ScheduleDefinition:
    """Run a study's refresh job at its times; on from the start, since its file asks for it."""
    return dg.ScheduleDefinition(
        name=f"refresh_{study}_schedule",
        job=job,
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Refreshes {study} at {schedule.cron} ({schedule.timezone}).",
    )
