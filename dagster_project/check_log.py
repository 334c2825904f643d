"""Results of asset checks as the audit log keeps them, so that it answers without Dagster."""

import getpass
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from dagster_project.code_version import science_version
from dagster_project.study_file import StudyFile
from warehouse import CheckRecord, Provenance, Severity


def check_records(
    asset: str,
    version: str,
    results: Iterable[dg.AssetCheckResult],
    specs: Iterable[dg.AssetCheckSpec],
) -> list[CheckRecord]:
    """Give one record for each result.

    Parameters
    ----------
    asset, version : str
        What was checked, and its data version.
    results : iterable of AssetCheckResult
        Their names are set.
    specs : iterable of AssetCheckSpec
        Of these checks, and maybe others.
    """
    blocking = {spec.name for spec in specs if spec.blocking}
    return [
        CheckRecord(
            asset,
            version,
            result.check_name or "",
            bool(result.passed),
            _severity(result, blocking),
        )
        for result in results
    ]


def _severity(result: dg.AssetCheckResult, blocking: set[str]) -> Severity:
    if result.check_name in blocking:
        return "blocking"
    return "error" if result.severity is dg.AssetCheckSeverity.ERROR else "warning"


def provenance(
    study: StudyFile, run_id: str, upstream: Mapping[str, str], *, seconds: float
) -> Provenance:
    """Say where a step's result comes from, at its end.

    Parameters
    ----------
    study : StudyFile
    run_id : str
        Of the Dagster run.
    upstream : mapping of str to str
        What was read -> its data version.
    seconds : float
        Since the step's start.
    """
    return Provenance(
        run_id=run_id,
        code_version=science_version(),
        study_hash=study.content_hash,
        random_seed=study.random_seed,
        upstream=dict(upstream),
        seconds=seconds,
        user=getpass.getuser(),
        started_at=(datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(),
    )
