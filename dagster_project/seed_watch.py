"""A run for each new version of a study's source, and one only."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import BaseModel, ValidationError

from dagster_project.sources.base import Source
from dagster_project.study_file import StudyFile
from hybrid_assets.errors import SourceError

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

SECONDS_BETWEEN_LOOKS = 60
SECONDS_AT_REST = 30.0  # a file changed since may still be being written
Stamp = tuple[tuple[str, int, int], ...]


class SeedSeen(BaseModel):
    """What the sensor saw last; its cursor, so that it outlives every restart.

    Attributes
    ----------
    stamp : tuple
        Path, size and time of change (ns) of each file.
    version : str
        Hash of the content.
    n_changes : int
        So that a version that comes back is run again.
    """

    stamp: Stamp
    version: str
    n_changes: int


def seed_sensor(
    study: StudyFile, folder: Path, job: "UnresolvedAssetJobDefinition"
) -> dg.SensorDefinition:
    """Watch the seed's source and the holdout's; on from the start, since the file asks for it.

    Parameters
    ----------
    study : StudyFile
        Its sources lie in files.
    folder : Path
        Of the study file.
    job : job
        Requested for a new version.
    """

    @dg.sensor(
        name=f"new_seed_{study.name}",
        job=job,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Refreshes {study.name} once for each new version of its source.",
    )
    def new_seed(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return look(study, folder, context.cursor, now=time.time())

    return new_seed


def look(
    study: StudyFile, folder: Path, cursor: str | None, *, now: float
) -> dg.SensorResult | dg.SkipReason:
    """Compare the sources with what was seen last; contents are read only where a stamp changed.

    Parameters
    ----------
    study : StudyFile
        Its sources lie in files.
    folder : Path
        Of the study file.
    cursor : str or None
        A `SeedSeen` as JSON.
    now : float
        Seconds since 1970.
    """
    sources = [s for s in (study.source, study.holdout.source) if s is not None]
    seen = _seen(cursor)
    try:
        stamp = _stamp(sources, folder)
        if seen is not None and stamp == seen.stamp:
            return dg.SkipReason("the source is as it was")
        if any(0.0 <= now - changed / 1e9 < SECONDS_AT_REST for _, _, changed in stamp):
            return dg.SkipReason("the source has just changed; waiting until it is at rest")
        version = "-".join(source.version(folder) for source in sources)
    except (SourceError, OSError) as error:
        words = str(error) if isinstance(error, SourceError) else type(error).__name__
        return dg.SkipReason(f"the source cannot be read: {words}")
    if seen is not None and version == seen.version:
        told = seen.model_copy(update={"stamp": stamp})
        return dg.SensorResult(
            skip_reason="other files, the same content", cursor=told.model_dump_json()
        )
    n_changes = 1 if seen is None else seen.n_changes + 1
    told = SeedSeen(stamp=stamp, version=version, n_changes=n_changes)
    request = dg.RunRequest(run_key=f"{n_changes}-{version}", tags={"study": study.name})
    return dg.SensorResult(run_requests=[request], cursor=told.model_dump_json())


def _stamp(sources: list[Source], folder: Path) -> Stamp:
    files = [file for source in sources for file in source.files(folder)]
    return tuple((str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files)


def _seen(cursor: str | None) -> SeedSeen | None:
    try:
        return SeedSeen.model_validate_json(cursor) if cursor else None
    except ValidationError:  # of another release of this project
        return None
