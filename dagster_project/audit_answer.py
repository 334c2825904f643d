"""What something was made of, from the audit log alone."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from warehouse import (
    AuditTrail,
    CheckRecord,
    Decision,
    DecisionStore,
    LogEntry,
    ReleaseStore,
    TableNotFound,
    Trace,
    latest_entry,
    trace,
)

BUNDLE = "release_bundle"
GENERATOR_MODEL = "fitted_generator"
CANDIDATE, APPROVAL, OVERRIDE = "release_candidate", "approval", "override_"


@dataclass(frozen=True)
class AuditAnswer:
    """Something, all it was made from, and how the checks on the way ended.

    Attributes
    ----------
    study : str
    made : Trace
    checks : tuple of CheckRecord
        The last result of each check of each version in the trace.
    tables : frozenset of str
        Assets that are tables: a model entry of theirs is the files beside the table.
    decisions : tuple of Decision
        Approvals and refusals of the release candidates in the trace, and overrides of their gates.
    """

    study: str
    made: Trace
    checks: tuple[CheckRecord, ...]
    tables: frozenset[str]
    decisions: tuple[Decision, ...]

    @property
    def seeds(self) -> tuple[LogEntry, ...]:
        """Versions of the seed table, mostly one."""
        return tuple(e for e in self.made.versions_of("seed_table") if e.kind == "table")

    @property
    def generator_models(self) -> tuple[LogEntry, ...]:
        """Fitted generators."""
        return tuple(e for e in self.made.entries if e.asset.endswith(f"/{GENERATOR_MODEL}"))

    def word_for(self, entry: LogEntry) -> str:
        """Say what an entry is: table, model, document, or the files beside a table."""
        return "files" if entry.kind == "model" and entry.asset in self.tables else entry.kind

    def distinct(self, field: str) -> list[Any]:
        """Give the values that the entries hold of a field, in order of appearance."""
        return list(dict.fromkeys(getattr(entry, field) for entry in self.made.entries))

    def as_json(self) -> str:
        """Write everything as JSON, times in ISO 8601."""
        target = self.made.target
        document = {
            "study": self.study,
            "asset": target.asset,
            "data_version": target.data_version,
            "made_at": target.recorded_at,
            "made_by": target.user_name,
            "seeds": [_version(entry) for entry in self.seeds],
            "code_versions": self.distinct("code_version"),
            "study_hashes": self.distinct("study_hash"),
            "random_seeds": self.distinct("random_seed"),
            "generator_models": [_version(entry) for entry in self.generator_models],
            "checks": [asdict(check) for check in self.checks],
            "decisions": [_decided(decision) for decision in self.decisions],
            "entries": [asdict(entry) for entry in self.made.entries],
        }
        return json.dumps(document, default=datetime.isoformat, indent=1)


def _version(entry: LogEntry) -> dict[str, object]:
    return {
        "asset": entry.asset,
        "data_version": entry.data_version,
        "n_rows": entry.n_rows,
        "recorded_at": entry.recorded_at,
    }


def _decided(decision: Decision) -> dict[str, object]:
    stated = json.loads(decision.read()) if decision.is_intact else None
    return {**asdict(decision.entry), "decision": stated}


def audit_asset(trail: AuditTrail, asset: str) -> AuditAnswer:
    """Answer for the current version of an asset.

    Raises
    ------
    TableNotFound
        If it was never made; names what was.
    """
    entries = trail.entries()
    if asset not in {entry.asset for entry in entries}:
        known = ", ".join(sorted({e.asset for e in entries if "(" not in e.asset})) or "none"
        raise TableNotFound(f"study {trail.study!r} has made no {asset!r}; so far: {known}")
    return _answer(trail, entries, latest_entry(entries, asset))


def audit_release(trail: AuditTrail, generator: str, number: int) -> AuditAnswer:
    """Answer for a release, as the log stood when it was made.

    Raises
    ------
    TableNotFound
        If the log has no such release; names those that it has.
    """
    entries = trail.entries()
    bundles = releases_of(entries, generator)
    numbers = release_numbers(trail, bundles)
    if number not in numbers:
        raise TableNotFound(
            f"study {trail.study!r} has made no release {generator}/{number}; it has "
            f"{len(bundles)} of that generator"
        )
    return _answer(trail, entries, bundles[numbers.index(number)])


def releases_of(entries: Iterable[LogEntry], generator: str) -> list[LogEntry]:
    """Give the logged releases of a generator, oldest first."""
    return [entry for entry in entries if entry.asset == f"{generator}/{BUNDLE}"]


def release_numbers(trail: AuditTrail, bundles: Sequence[LogEntry]) -> list[int]:
    """Give the numbers of logged releases: their folders', or their places where those are gone.

    They differ where a writer was killed after its folder was in place and before it was logged.
    """
    folders = ReleaseStore(trail.home, trail.study).releases()
    numbers = {(release.generator, release.sha256): release.number for release in folders}
    places: Counter[str] = Counter()
    found = []
    for bundle in bundles:
        generator = bundle.asset.rpartition("/")[0]
        places[generator] += 1
        found.append(numbers.get((generator, bundle.data_version), places[generator]))
    return found


def _answer(trail: AuditTrail, entries: tuple[LogEntry, ...], target: LogEntry) -> AuditAnswer:
    made = trace(entries, target)
    versions = {(entry.asset, entry.data_version) for entry in made.entries}
    latest = {
        (check.asset, check.checked_version, check.check_name): check
        for check in trail.check_records()
        if (check.asset, check.checked_version) in versions
    }
    tables = frozenset(entry.asset for entry in entries if entry.kind == "table")
    store = DecisionStore(trail.home, trail.study)
    decisions = tuple(store.of(entry) for entry in _decisions(entries, made))
    return AuditAnswer(trail.study, made, tuple(latest.values()), tables, decisions)


def _decisions(entries: tuple[LogEntry, ...], made: Trace) -> Iterator[LogEntry]:
    """Find what people decided on the candidates: an approval names one, an override its run."""
    for candidate in (e for e in made.entries if e.asset.endswith(f"/{CANDIDATE}")):
        generator = candidate.asset.rpartition("/")[0]
        for entry in entries:
            is_override = entry.asset.startswith(f"{generator}/{OVERRIDE}")
            is_approval = entry.asset == f"{generator}/{APPROVAL}"
            named = entry.upstream.get(candidate.asset) == candidate.data_version
            same_run = entry.run_id == candidate.run_id
            if (is_approval and named) or (is_override and same_run):
                yield entry
