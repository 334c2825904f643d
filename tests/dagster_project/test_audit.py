"""One small study, made once: its check records, column lineage and OpenLineage events."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import dagster as dg
import duckdb
import numpy as np
import pytest

from dagster_project.factory import study_definitions
from dagster_project.openlineage import openlineage_events
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile
from dagster_project.subjects import uses_of
from hybrid_assets.designs import DESIGNS
from tests.dagster_project.openlineage_classes import facet_classes, faults
from warehouse import AuditTrail, KeyedHash, Warehouse, check_audit, latest_entry, trace

CANARY = "canary-"
TRIPLETS = "cart/hybrid_triplets"
ASSETS = (
    "seed_table",
    "splits",
    "propensity_model",
    "outcome_model",
    "seed_estimates",
    "cart/fitted_generator",
    "cart/synthetic_covariates",
    TRIPLETS,
    "cart/full_synthetic",
)
STUDY: dict[str, Any] = {
    "name": "traced",
    "title": "A study that is traced back",
    "source": {"kind": "csv", "path": "seed.csv"},
    "treatment": "A",
    "outcome": "Y",
    "identifiers": ["patient"],
    "covariates": {"W1": {}, "W2": {}, "W4": {"missing": "impute"}},
    "design": {"kind": "observational"},
    "nuisance": {"n_fold_draws": 1, "outcome_library": ["linear"]},
    "generators": ["cart"],
    "n_synthetic": 200,
    "random_seed": 7,
}


@dataclass(frozen=True)
class Made:
    home: Path
    study: StudyFile
    storage: StorageResource
    result: dg.ExecuteInProcessResult

    @property
    def trail(self) -> AuditTrail:
        return self.storage.audit_trail("traced")

    def metadata(self, asset: str) -> dict[str, Any]:
        key = dg.AssetKey(["traced", *asset.split("/")])
        (event,) = self.result.asset_materializations_for_node("__".join(key.path))
        return dict(event.metadata)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("traced")
    seed = DESIGNS["paper1_trial"](300, 5)
    seed["patient"] = [f"{CANARY}{i:03d}" for i in range(300)]
    seed["W4"] = np.round(seed["W4"], 4) + 7351
    seed.loc[:20, "W4"] = np.nan
    seed.to_csv(folder / "seed.csv", index=False)
    study = StudyFile.model_validate(STUDY)
    definitions = study_definitions(study, folder)
    storage = StorageResource(home=str(folder / "home"))
    result = dg.materialize(
        [*definitions.assets, *definitions.asset_checks],
        selection=[dg.AssetKey(["traced", *asset.split("/")]) for asset in ASSETS],
        instance=dg.DagsterInstance.ephemeral(),
        resources={
            "storage": storage,
            "compute": ComputeDevice(device="cpu"),
            "io_manager": RefusingIOManager(),
        },
    )
    return Made(folder / "home", study, storage, result)


def test_the_log_knows_how_every_check_ended(made: Made) -> None:
    evaluated = {
        ("/".join(e.asset_key.path[1:]), e.check_name, bool(e.passed))
        for e in made.result.get_asset_check_evaluations()
    }
    records = made.trail.check_records()
    assert {(r.asset, r.check_name, r.passed) for r in records} == evaluated
    severities = {r.check_name: r.severity for r in records if r.asset == TRIPLETS}
    assert severities["effect_drift"] == severities["row_count"] == "blocking"
    assert severities["calibration_shift"] == "warning"
    version = Warehouse(made.home, "traced").table_version(TRIPLETS).data_version
    assert {r.checked_version for r in records if r.asset == TRIPLETS} == {version}
    assert check_audit(made.home, "traced").faults == ()


def test_people_are_sealed_by_part_without_their_identifiers(made: Made) -> None:
    (split,) = made.trail.subject_splits()
    assert split.identified_by == (("patient", "text"),)
    parts = Warehouse(made.home, "traced").read_table("splits")["__split"].value_counts()
    database = str(made.home / "warehouse" / "traced.duckdb")
    with duckdb.connect(database, read_only=True) as connection:
        query = "SELECT part, count(*) FROM audit.subject WHERE part <> 'key' GROUP BY part"
        assert dict(connection.execute(query).fetchall()) == parts.to_dict()
    assert split.digests == dict.fromkeys(sorted(parts.index), ())
    assert CANARY not in repr(split)
    seed = Warehouse(made.home, "traced").read_table("seed_table").set_index("patient")
    splits = Warehouse(made.home, "traced").read_table("splits")
    kept = seed.dropna()
    is_unique = ~kept["W4"].duplicated(keep=False)
    for person, row in kept[is_unique].iloc[:20].iterrows():
        (use,) = uses_of(made.trail, KeyedHash(made.home), {"patient": f" {person}"})
        same = splits.loc[(splits["W4"] == row["W4"]) & (splits["W4_missing"] == 0), "__split"]
        assert use.parts == (same.item(),)
        assert {"cart/fitted_generator", TRIPLETS} <= {entry.asset for entry in use.used_by}


def lineage_of(made: Made, asset: str) -> dict[str, set[str]]:
    """Give column -> upstream columns as asset.column."""
    found = made.metadata(asset)["dagster/column_lineage"].value.deps_by_column
    return {
        column: {f"{'/'.join(dep.asset_key.path[1:])}.{dep.column_name}" for dep in deps}
        for column, deps in found.items()
    }


@pytest.mark.parametrize("asset", ["seed_table", "splits", *ASSETS[6:]])
def test_every_column_of_the_chain_has_lineage(made: Made, asset: str) -> None:
    table = Warehouse(made.home, "traced").read_table(asset)
    assert list(lineage_of(made, asset)) == [*table.columns]


def test_columns_come_from_where_the_method_says(made: Made) -> None:
    covariates = ("W1", "W2", "W4", "W4_missing")
    assert lineage_of(made, "seed_table")["W4"] == set()
    splits = lineage_of(made, "splits")
    assert splits["W4_missing"] == splits["W4"] == {"seed_table.W4"}
    assert splits["__split"] == {"seed_table.A", "seed_table.Y"}
    assert lineage_of(made, "cart/fitted_generator")["W1"] == {"splits.W1"}
    assert lineage_of(made, "propensity_model") == {
        "A": {"splits.A", *(f"splits.{name}" for name in covariates)}
    }
    hybrid = lineage_of(made, TRIPLETS)
    synthetic = {f"cart/synthetic_covariates.{name}" for name in covariates}
    assert hybrid["W1"] == {"cart/synthetic_covariates.W1"}
    assert hybrid["A"] == hybrid["__propensity"] == {"propensity_model.A", *synthetic}
    means = {"seed_estimates.mean_treated", "seed_estimates.mean_control", "outcome_model.Y"}
    assert hybrid["Y"] == {*means, *synthetic, "propensity_model.A"}
    assert hybrid["__cate"] == {*means, *synthetic}


def test_every_lineage_column_exists_upstream(made: Made) -> None:
    for asset in ASSETS:
        for origins in lineage_of(made, asset).values():
            for origin in origins:
                upstream, _, column = origin.rpartition(".")
                assert column in lineage_of(made, upstream)


def test_a_trial_draws_treatment_from_nothing() -> None:
    from dagster_project.column_lineage import column_origins
    from hybrid_assets.seed import validate_seed

    rows = DESIGNS["paper1_trial"](100, 1)
    trial = {"kind": "trial", "probability": 0.5}
    changes = {"design": trial, "assignment": "randomised", "identifiers": [], "covariates": None}
    study = StudyFile.model_validate(STUDY | changes)
    schema = validate_seed(rows, study).schema
    origins = column_origins("gan/hybrid_triplets", study, schema)
    assert origins["A"] == origins["__propensity"] == {}
    assert "propensity_model" not in origins["Y"]
    assert column_origins("propensity_model", study, schema) == {"A": {}}
    assert column_origins("gan/privacy_evaluation", study, schema) == {}
    candidate = column_origins("gan/release_candidate", study, schema)
    assert candidate == {name: {"gan/hybrid_triplets": [name]} for name in schema.names}
    shown = StudyFile.model_validate(STUDY | {"release": {"include_counterfactuals": True}})
    told = column_origins("gan/release_candidate", shown, schema)
    assert told["outcome_treated_mean"] == {"gan/hybrid_triplets": ["__outcome_treated"]}
    assert list(told) == [*schema.names, "outcome_control_mean", "outcome_treated_mean"]


@pytest.fixture(scope="module")
def events(made: Made) -> list[dict[str, Any]]:
    keyed = KeyedHash(made.home)
    return openlineage_events(
        made.storage,
        made.study,
        TRIPLETS,
        fingerprint=lambda version: keyed.of("data version", version),
    )


# What https://openlineage.io/spec/2-0-2/OpenLineage.json and the schemas of its facets below
# https://openlineage.io/spec/facets/ require, read on 2026-11-22.
REQUIRED_OF_FACET = {
    "schema": (),
    "dataSource": (),
    "version": ("datasetVersion",),
    "columnLineage": ("fields",),
    "dataQualityAssertions": ("assertions",),
    "outputStatistics": (),
    "jobType": ("processingType", "integration"),
    "sourceCodeLocation": ("type", "url"),
    "nominalTime": ("nominalStartTime",),
    "hybrid_settings": (),
}


def facets_of(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    holders = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for holder in holders:
        for word in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(word, {}).items()


def test_events_have_what_the_specification_requires(events: list[dict[str, Any]]) -> None:
    for event in events:
        assert event["eventType"] == "COMPLETE"
        assert datetime.fromisoformat(event["eventTime"]).utcoffset() is not None
        assert event["schemaURL"].endswith("/2-0-2/OpenLineage.json#/$defs/RunEvent")
        assert uuid.UUID(event["run"]["runId"]).version == 5
        for named in (event["job"], *event["inputs"], *event["outputs"]):
            assert named["namespace"] == "hybrid/traced"
            assert named["name"]
        for name, facet in facets_of(event):
            assert urlparse(facet["_producer"]).scheme == "urn"
            assert urlparse(facet["_schemaURL"]).netloc == "openlineage.io"
            assert [key for key in REQUIRED_OF_FACET[name] if key not in facet] == []
            for assertion in facet.get("assertions", []):
                assert isinstance(assertion["assertion"], str)
                assert isinstance(assertion["success"], bool)
            for field in facet.get("fields", []) if name == "columnLineage" else []:
                for origin in facet["fields"][field]["inputFields"]:
                    assert set(origin) == {"namespace", "name", "field"}
    assert json.loads(json.dumps(events)) == events


def test_openlineage_s_own_classes_accept_the_events(events: list[dict[str, Any]]) -> None:
    # pip install --no-deps openlineage-python; 1.54.0 accepts them
    base = pytest.importorskip("openlineage.client.generated.base")
    classes = facet_classes()
    for event in events:
        assert list(faults(event, base.RunEvent, "event")) == []
        for name, facet in facets_of(event):
            if name != "hybrid_settings":  # our own
                assert list(faults(facet, classes[facet["_schemaURL"]], name)) == []
    broken = {**events[-1], "eventType": "DONE", "runs": 1}
    assert list(faults(broken, base.RunEvent, "event")) == [
        "event: unknown runs",
        "event.eventType: DONE",
    ]


def test_events_hold_every_input_and_the_result_last(made: Made, events: list[Any]) -> None:
    entries = made.trail.entries()
    found = trace(entries, latest_entry(entries, TRIPLETS))
    assert len(events) == len(found.entries)
    last = events[-1]
    assert last["job"]["name"] == TRIPLETS
    assert {one["name"] for one in last["inputs"]} == {
        "cart/synthetic_covariates",
        "outcome_model",
        "propensity_model",
        "seed_estimates",
        "splits (files)",
    }
    made_before: set[tuple[str, str]] = set()
    for event in events:
        read = {(one["name"], version(one)) for one in event["inputs"]}
        assert read <= made_before
        made_before |= {(one["name"], version(one)) for one in event["outputs"]}


def version(dataset: dict[str, Any]) -> str:
    return str(dataset["facets"]["version"]["datasetVersion"])


def test_events_tell_columns_checks_and_counts(made: Made, events: list[Any]) -> None:
    (output,) = events[-1]["outputs"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 200
    names = [field["name"] for field in output["facets"]["schema"]["fields"]]
    assert names == [*Warehouse(made.home, "traced").read_table(TRIPLETS).columns]
    fields = output["facets"]["columnLineage"]["fields"]
    told = {(f["name"], f["field"]) for f in fields["W1"]["inputFields"]}
    assert told == {("cart/synthetic_covariates", "W1")}
    (covariates,) = (
        one for one in events[-1]["inputs"] if one["name"] == "cart/synthetic_covariates"
    )
    assertions = covariates["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {"assertion": "row_count", "success": True, "severity": "error"} in assertions


def test_events_tell_nothing_confidential(made: Made, events: list[Any]) -> None:
    told = json.dumps(events)
    entries = made.trail.entries()
    own = latest_entry(entries, TRIPLETS).data_version
    for entry in entries:
        assert entry.data_version == own or entry.data_version not in told
        assert entry.study_hash not in told
        assert entry.user_name not in re.findall(r"[\w.-]+", told)
    assert own in told
    assert str(made.home) not in told
    assert CANARY not in told
    seed = Warehouse(made.home, "traced").read_table("seed_table")
    assert [value for value in seed["W4"].dropna() if f"{value:.4f}" in told] == []
    counts = [one for e in events for one in e["outputs"] if "outputFacets" in one]
    assert not {"seed_table", "splits"} & {one["name"] for one in counts}
