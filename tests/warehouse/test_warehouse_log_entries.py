"""Tracing back from an entry, against a log small enough to read."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from warehouse import (
    AuditTrail,
    ModelStore,
    Provenance,
    TableNotFound,
    Warehouse,
    latest_entry,
    trace,
)


@pytest.fixture
def trail(warehouse: Warehouse, home: Path, origin: Provenance) -> AuditTrail:
    """Seed twice; a generator of the first seed; rows of it; then the same rows again."""

    def made_from(**upstream: str) -> Provenance:
        return dataclasses.replace(origin, upstream=upstream)

    def seed(*values: int) -> str:
        return warehouse.record_table("seed", pd.DataFrame({"x": values}), made_from()).data_version

    first = seed(1)
    model = ModelStore(home).save(lambda folder: (folder / "m.json").write_text("{}") and None)
    warehouse.record_model("gan/model", model, made_from(seed=first))
    second = seed(1, 2)
    upstream = {"gan/model (files)": model.sha256, "seed": second, "donor (source)": "d" * 64}
    rows = pd.DataFrame({"x": [7]})
    warehouse.record_table("gan/rows", rows, dataclasses.replace(origin, upstream=upstream))
    seed(1)
    warehouse.record_table("gan/rows", rows, made_from(seed=first))
    return AuditTrail(home, "nhefs")


def test_a_trace_holds_the_versions_that_were_read_and_no_others(trail: AuditTrail) -> None:
    entries = trail.entries()
    found = trace(entries, latest_entry(entries, "gan/rows", last=4))
    assert [(entry.sequence, entry.asset) for entry in found.entries] == [
        (1, "seed"),
        (2, "gan/model"),
        (3, "seed"),
        (4, "gan/rows"),
    ]
    assert [parent.sequence for parent in found.parents[4]] == [2, 3]
    assert [parent.sequence for parent in found.parents[2]] == [1]
    assert found.sources == {1: {}, 2: {}, 3: {}, 4: {"donor (source)": "d" * 64}}
    assert [entry.n_rows for entry in found.versions_of("seed")] == [1, 2]


def test_a_version_that_came_back_is_the_newest_before_its_use(trail: AuditTrail) -> None:
    entries = trail.entries()
    found = trace(entries, latest_entry(entries, "gan/rows"))
    assert [entry.sequence for entry in found.entries] == [5, 6]


def test_an_entry_is_found_by_version_and_position(trail: AuditTrail) -> None:
    entries = trail.entries()
    assert latest_entry(entries, "seed").sequence == 5
    assert latest_entry(entries, "seed", last=4).sequence == 3
    version = entries[0].data_version
    assert latest_entry(entries, "seed", data_version=version).sequence == 5
    with pytest.raises(TableNotFound, match="no entry of 'seed' of data version 0"):
        latest_entry(entries, "seed", data_version="0")
    with pytest.raises(TableNotFound, match="no entry of 'cart/rows'; materialize"):
        latest_entry(entries, "cart/rows")


def test_entries_are_the_rows_of_the_log(trail: AuditTrail, warehouse: Warehouse) -> None:
    table = warehouse.audit_entries()
    for name in ("sequence", "asset", "entry_hash", "recorded_at", "seconds", "user_name"):
        assert [getattr(entry, name) for entry in trail.entries()] == table[name].tolist()
