"""What a refresh is compared with: the last release, or else the version of the seed run before.

After a backfill that may be a later version by name: versions follow the order of their runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from dagster_project.asset_inputs import FILES_SUFFIX
from dagster_project.asset_run import AssetRun
from hybrid_assets.fidelity.refresh_drift import Baseline, Monitored
from warehouse import ModelNotFound, TableNotFound, Trace, latest_entry, trace

SNAPSHOT_FILE = "monitored.json"
KEPT = 50


@dataclass(frozen=True)
class Snapshot:
    """What was measured at one refresh.

    Attributes
    ----------
    made_from : dict of str to str
        What was read, and its version.
    measures : tuple of Monitored
    """

    made_from: dict[str, str]
    measures: tuple[Monitored, ...]


SNAPSHOTS = TypeAdapter(tuple[Snapshot, ...])  # oldest first


def earlier_snapshots(run: AssetRun) -> tuple[Snapshot, ...]:
    """Read what the asset kept of its earlier selves; its own past is no input of it."""
    try:
        file = run.storage.models().open(run.warehouse.model(run.asset)) / SNAPSHOT_FILE
    except ModelNotFound:
        return ()
    return SNAPSHOTS.validate_json(file.read_bytes()) if file.is_file() else ()


def kept_snapshots(earlier: Sequence[Snapshot], now: Snapshot) -> bytes:
    """Add a snapshot, once, to those before it."""
    others = [one for one in earlier if one.made_from != now.made_from]
    return SNAPSHOTS.dump_json((*others, now)[-KEPT:])


def study_baseline(run: AssetRun, earlier: Sequence[Snapshot]) -> Baseline:
    """Give the study's last release, of whatever generator; else the version run before."""
    traces = [_last_release(run, generator) for generator in run.study.generators]
    last = max((t for t in traces if t is not None), key=lambda t: t.target.sequence, default=None)
    return _baseline(run, earlier, last)


def generator_baselines(run: AssetRun, earlier: Sequence[Snapshot]) -> dict[str, Baseline]:
    """Give each generator's own last release; else the version run before."""
    return {g: _baseline(run, earlier, _last_release(run, g)) for g in run.study.generators}


def _last_release(run: AssetRun, generator: str) -> Trace | None:
    """Find what a generator's last release was made from, as the audit log knows it."""
    entries = run.audit_trail.entries()
    try:
        return trace(entries, latest_entry(entries, f"{generator}/release_bundle"))
    except TableNotFound:
        return None


def _baseline(run: AssetRun, earlier: Sequence[Snapshot], release: Trace | None) -> Baseline:
    others = [one for one in earlier if one.made_from["splits"] != run.upstream["splits"]]
    before = others[-1].measures if others else ()
    words = "the version of the seed that was run before" if others else ""
    if release is None:
        return Baseline(words, before)
    target = release.target
    released = f"the release of {target.asset.rpartition('/')[0]}, {target.recorded_at:%Y-%m-%d}"
    of_release = [one for one in earlier if _was_read(one, release)]
    if of_release:
        return Baseline(released, of_release[-1].measures)
    return Baseline(f"{words} ({released}, was not monitored)".strip(), before)


def _was_read(snapshot: Snapshot, release: Trace) -> bool:
    """Whether a snapshot is of the very versions that a release was made from."""
    read: dict[str, set[str]] = {}
    for entry in release.entries:
        name = f"{entry.asset}{FILES_SUFFIX}" if entry.kind == "model" else entry.asset
        read.setdefault(name, set()).add(entry.data_version)
    return all(version in read.get(name, {version}) for name, version in snapshot.made_from.items())
