"""What `hybrid status` says of a study: what was made, whether it still holds, what is running."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import dagster as dg
import pandas as pd

from dagster_project.asset_inputs import FILES_SUFFIX
from dagster_project.check_history import CheckHistory
from dagster_project.code_version import science_version
from dagster_project.factory import study_definitions
from dagster_project.resources import RESOURCES, StorageResource
from dagster_project.study_file import StudyFile

State = Literal["current", "missing", "study file changed", "code changed", "input changed"]
UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status.value in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
]


@dataclass(frozen=True)
class AssetState:
    """What is stored of one asset.

    Attributes
    ----------
    asset : str
        Within the study, such as ``cart/hybrid_triplets``.
    state : str
        ``current``, ``missing``, or why it is stale.
    made_at : str or None
        UTC, to the second.
    n_rows : int or None
        Of a table.
    """

    asset: str
    state: State
    made_at: str | None = None
    n_rows: int | None = None


@dataclass(frozen=True)
class StudyStatus:
    """How a study stands.

    Attributes
    ----------
    study : str
    assets : tuple of AssetState
        In order of dependence; those of the refresh job.
    failed_checks : tuple of str
        ``asset: check``, by the last evaluation of each.
    unfinished_runs : tuple of str
        ``run id: job (status)``.
    """

    study: str
    assets: tuple[AssetState, ...]
    failed_checks: tuple[str, ...]
    unfinished_runs: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Give plain values for ``--json``."""
        return asdict(self)

    def count(self, state: State) -> int:
        """Count the assets in this state."""
        return sum(asset.state == state for asset in self.assets)

    @property
    def n_stale(self) -> int:
        """How many assets are stored but were made of something else than there is now."""
        return len(self.assets) - self.count("current") - self.count("missing")


def study_status(study: StudyFile, folder: Path, instance: dg.DagsterInstance) -> StudyStatus:
    """Compare what is stored with the study file, the code and the inputs stored today.

    Whether a source has changed since is not asked: only a new run reads it.

    Parameters
    ----------
    study : StudyFile
        As read.
    folder : Path
        Of its file.
    instance : DagsterInstance
        Knows runs and how checks ended.

    Raises
    ------
    WarehouseError
        If the study's database cannot be read.
    """
    shared = dg.Definitions(resources=RESOURCES)
    graph = dg.Definitions.merge(study_definitions(study, folder), shared).resolve_asset_graph()
    refreshed = [
        "/".join(key.path[1:])
        for key in graph.toposorted_asset_keys
        if graph.get(key).tags.get("job") == "refresh"
    ]
    log = StorageResource().warehouse(study.name).audit_entries()
    return StudyStatus(
        study=study.name,
        assets=tuple(_states(refreshed, log, study)),
        failed_checks=tuple(sorted(_failed(graph.asset_check_keys, instance))),
        unfinished_runs=tuple(_unfinished(study.name, instance)),
    )


def _states(assets: Iterable[str], log: pd.DataFrame, study: StudyFile) -> Iterator[AssetState]:
    last = log.drop_duplicates(["asset", "kind"], keep="last")
    versions = {(r["asset"], r["kind"]): r["data_version"] for _, r in last.iterrows()}
    by_asset = dict(iter(last.sort_values("kind").groupby("asset")))  # a table after its files
    for asset in assets:
        if asset not in by_asset:
            yield AssetState(asset, "missing")
            continue
        entry = by_asset[asset].iloc[-1]
        yield AssetState(
            asset,
            _state(entry, versions, study),
            entry["recorded_at"].strftime("%Y-%m-%d %H:%M:%S"),
            None if pd.isna(entry["n_rows"]) else int(entry["n_rows"]),
        )


def _state(entry: pd.Series, versions: Mapping[tuple[str, str], str], study: StudyFile) -> State:
    if entry["study_hash"] != study.content_hash:
        return "study file changed"
    if entry["code_version"] != science_version():
        return "code changed"
    for name, version in json.loads(entry["upstream"]).items():
        kind = "model" if name.endswith(FILES_SUFFIX) else "table"
        now = versions.get((name.removesuffix(FILES_SUFFIX), kind))
        if now is not None and now != version:  # None: a source, which only a new run reads
            return "input changed"
    return "current"


def _failed(checks: Iterable[dg.AssetCheckKey], instance: dg.DagsterInstance) -> Iterator[str]:
    history = CheckHistory(instance, of_trials=False)
    for check in checks:
        found = history.last(check)
        if found is not None and not found.passed:
            yield f"{'/'.join(check.asset_key.path[1:])}: {check.name}"


def _unfinished(study: str, instance: dg.DagsterInstance) -> Iterator[str]:
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)):
        selected = {key.path[0] for key in run.asset_selection or ()}
        if run.tags.get("study") == study or study in selected:
            yield f"{run.run_id}: {run.job_name} ({run.status.value.lower()})"
