"""OpenLineage run events of everything that a released table was made from.

Written here, from the audit log, since the community's Dagster emitter leaves inputs out. The
events leave the home: they name assets, columns, counts of derived tables and results of checks,
never a cell, a person, a user, a path or the random seed, and versions of upstream tables only as
the caller's fingerprint. Specification: https://openlineage.io/spec/2-0-2/OpenLineage.json.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dagster_project.column_lineage import Origins, column_origins
from dagster_project.resources import StorageResource
from dagster_project.study_file import StudyFile
from hybrid_assets.schema import ColumnSchema, TableSchema
from warehouse import CheckRecord, LogEntry, ModelNotFound, Trace, latest_entry, trace

SPEC: Final = "https://openlineage.io/spec"
EVENT_SCHEMA: Final = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
PRODUCER: Final = "urn:hybrid-assets"
CONFIDENTIAL: Final = ("seed_table", "splits", "paired_table")  # their counts are people
TYPES = {"continuous": "DOUBLE", "integer": "BIGINT", "binary": "BIGINT"}
Facet = dict[str, Any]


def openlineage_events(
    storage: StorageResource,
    study: StudyFile,
    asset: str,
    *,
    fingerprint: Callable[[str], str],
) -> list[dict[str, Any]]:
    """Give one COMPLETE event for each thing that an asset was made from, and for itself.

    Parameters
    ----------
    storage : StorageResource
        Whose audit log tells.
    study : StudyFile
    asset : str
        Such as ``cart/release_candidate``.
    fingerprint : callable
        Turns the version of an upstream table or model, or a hash of settings or code, into what
        may be told. The version of the asset itself is told plainly.

    Returns
    -------
    list of dict
        Oldest first; every value is plain JSON.

    Raises
    ------
    TableNotFound
        If the asset was not materialized yet.
    """
    trail = storage.audit_trail(study.name)
    entries = trail.entries()
    found = trace(entries, latest_entry(entries, asset))
    tables = frozenset(entry.asset for entry in entries if entry.kind == "table")
    teller = _Teller(
        study, found, tables, trail.check_records(), fingerprint, _schemas(storage, found)
    )
    return [teller.event(entry) for entry in found.entries]


def _schemas(storage: StorageResource, found: Trace) -> dict[str, TableSchema]:
    """Read the column layouts that the trace's seed and splits were recorded with."""
    schemas = {}
    for asset in ("seed_table", "splits"):
        for entry in found.versions_of(asset):
            if entry.kind == "model":
                try:
                    folder = storage.models().open(entry.data_version)
                except ModelNotFound:
                    continue
                text = (folder / "schema.json").read_bytes()
                schemas[asset] = TableSchema.model_validate_json(text)
    return schemas


@dataclass(frozen=True)
class _Teller:
    study: StudyFile
    found: Trace
    tables: frozenset[str]
    checks: tuple[CheckRecord, ...]
    fingerprint: Callable[[str], str]
    schemas: Mapping[str, TableSchema]

    @property
    def namespace(self) -> str:
        return f"hybrid/{self.study.name}"

    def event(self, entry: LogEntry) -> dict[str, Any]:
        told = self.fingerprint(entry.entry_hash)
        run = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.namespace}/{told}")
        return {
            "eventType": "COMPLETE",
            "eventTime": entry.recorded_at.isoformat(),
            "producer": PRODUCER,
            "schemaURL": EVENT_SCHEMA,
            "run": {"runId": str(run), "facets": self._run_facets(entry)},
            "job": {
                "namespace": self.namespace,
                "name": entry.asset,
                "facets": self._job_facets(entry),
            },
            "inputs": [self._input(parent) for parent in self.found.parents[entry.sequence]]
            + [
                self._dataset(name, version, {})
                for name, version in self.found.sources[entry.sequence].items()
            ],
            "outputs": [self._output(entry)],
        }

    def _run_facets(self, entry: LogEntry) -> Facet:
        times = _facet(
            "1-0-1/NominalTimeRunFacet",
            nominalStartTime=entry.started_at.isoformat(),
            nominalEndTime=entry.recorded_at.isoformat(),
        )
        settings = {
            "_producer": PRODUCER,
            "_schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet",
            "studyHash": self.fingerprint(entry.study_hash),
        }
        return {"nominalTime": times, "hybrid_settings": settings}

    def _job_facets(self, entry: LogEntry) -> Facet:
        kind = _facet(
            "2-0-4/JobTypeJobFacet",
            processingType="BATCH",
            integration="DAGSTER",
            jobType="ASSET",
        )
        code = _facet(
            "1-1-0/SourceCodeLocationJobFacet",
            type="sha256",
            url=f"{PRODUCER}:{entry.code_version}",
            version=entry.code_version,
        )
        return {"jobType": kind, "sourceCodeLocation": code}

    def _input(self, entry: LogEntry) -> dict[str, Any]:
        results = [
            {"assertion": c.check_name, "success": c.passed, "severity": _severity(c)}
            for c in self._latest_checks(entry)
        ]
        described = self._dataset(self._name(entry), entry.data_version, self._layout(entry))
        if not results:
            return described
        quality = _facet("1-1-0/DataQualityAssertionsDatasetFacet", assertions=results)
        return {**described, "inputFacets": {"dataQualityAssertions": quality}}

    def _latest_checks(self, entry: LogEntry) -> list[CheckRecord]:
        latest = {
            check.check_name: check
            for check in self.checks
            if (check.asset, check.checked_version) == (entry.asset, entry.data_version)
        }
        return [latest[name] for name in sorted(latest)]

    def _output(self, entry: LogEntry) -> dict[str, Any]:
        facets = self._layout(entry)
        origins = self._origins(entry)
        if origins:
            facets["columnLineage"] = _facet(
                "1-2-0/ColumnLineageDatasetFacet", fields=self._fields(origins)
            )
        described = self._dataset(self._name(entry), entry.data_version, facets)
        if entry.n_rows is None or entry.asset.rpartition("/")[2] in CONFIDENTIAL:
            return described
        size = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", rowCount=entry.n_rows)
        return {**described, "outputFacets": {"outputStatistics": size}}

    def _dataset(self, name: str, version: str, facets: Facet) -> dict[str, Any]:
        is_released = version == self.found.target.data_version
        told = version if is_released else self.fingerprint(version)
        source = _facet(
            "1-0-1/DatasourceDatasetFacet", name=self.namespace, uri=f"urn:{self.namespace}"
        )
        own = {"version": _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=told)}
        return {
            "namespace": self.namespace,
            "name": name,
            "facets": {**own, "dataSource": source, **facets},
        }

    def _layout(self, entry: LogEntry) -> Facet:
        columns = {c.name: c for schema in self.schemas.values() for c in schema.columns}
        origins = self._origins(entry)
        fields = [{"name": name, **_type(columns.get(name))} for name in origins]
        return {"schema": _facet("1-2-0/SchemaDatasetFacet", fields=fields)} if fields else {}

    def _is_beside_table(self, entry: LogEntry) -> bool:
        return entry.kind == "model" and entry.asset in self.tables

    def _name(self, entry: LogEntry) -> str:
        return f"{entry.asset} (files)" if self._is_beside_table(entry) else entry.asset

    def _origins(self, entry: LogEntry) -> Origins:
        seed = self.schemas.get("seed_table")
        schema = seed if entry.asset == "seed_table" else self.schemas.get("splits")
        if schema is None or self._is_beside_table(entry):
            return {}
        return column_origins(entry.asset, self.study, schema, seed)

    def _fields(self, origins: Origins) -> dict[str, Any]:
        return {
            column: {
                "inputFields": [
                    {"namespace": self.namespace, "name": asset, "field": name}
                    for asset, names in found.items()
                    for name in names
                ]
            }
            for column, found in origins.items()
        }


def _type(column: ColumnSchema | None) -> dict[str, str]:
    """Tell the type of a study column; of identifiers and truth columns nothing is told."""
    return {} if column is None else {"type": TYPES.get(column.kind.value, "VARCHAR")}


def _severity(check: CheckRecord) -> str:
    return "warn" if check.severity == "warning" else "error"


def _facet(schema: str, **values: Any) -> Facet:
    """Give a facet of the specification with what every facet must say."""
    url = f"{SPEC}/facets/{schema}.json#/$defs/{schema.partition('/')[2]}"
    return {"_producer": PRODUCER, "_schemaURL": url, **values}
