"""Decisions as they were logged, and what a thing was made from that has moved since."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from warehouse import (
    CorruptDocument,
    Decision,
    DecisionStore,
    ModelStore,
    Provenance,
    Warehouse,
)
from warehouse.databases import kept_files

ROWS = pd.DataFrame({"x": [1, 2, 3]})


def test_every_decision_is_kept(home: Path, origin: Provenance) -> None:
    store = DecisionStore(home, "nhefs")
    assert store.history("cart/approval") == ()
    refused, approved = b'{"decision": "refuse"}', b'{"decision": "approve"}'
    for content in (refused, approved, refused):
        made = store.record("cart/approval", content, origin)
        folder, version = made.place.rsplit("/", 1)
        assert folder == f"{kept_files(home).place}/decisions/nhefs/cart__approval"
        assert version == f"{hashlib.sha256(content).hexdigest()}.json"
    store.record("gan/approval", approved, origin)
    history = store.history("cart/approval")
    assert [decision.read() for decision in history] == [refused, approved, refused]
    assert [decision.entry.sequence for decision in history] == [1, 2, 3]
    assert made.entry == history[-1].entry
    put(home, history[1], refused)
    history = store.history("cart/approval")
    with pytest.raises(
        CorruptDocument, match=r"is not what was logged as cart/approval \(audit lo"
    ):
        history[1].read()
    assert [decision.is_intact for decision in history] == [True, False, True]
    kept_files(home).remove(name_of(home, history[0]))
    assert not store.history("cart/approval")[2].is_intact


def name_of(home: Path, decision: Decision) -> str:
    return decision.place.removeprefix(f"{kept_files(home).place}/")


def put(home: Path, decision: Decision, content: bytes) -> None:
    kept_files(home).put(name_of(home, decision), content)


@pytest.mark.file_only
def test_decisions_that_no_log_names_are_found(home: Path, origin: Provenance) -> None:
    store = DecisionStore(home, "nhefs")
    assert store.contents("privacy_ledger") == ()
    for content in (b"1", b"2"):
        kept = store.record("privacy_ledger", content, origin)
    store.record("cart/approval", b"3", origin)
    assert store.contents("privacy_ledger") == (b"1", b"2")
    for file in (home / "warehouse").glob("nhefs.duckdb*"):
        file.unlink()
    assert set(store.contents("privacy_ledger")) == {b"1", b"2"}
    store.record("privacy_ledger", b"2", origin)
    assert store.contents("privacy_ledger") == (b"1", b"2")  # no entry names the first
    store.record("privacy_ledger", b"0", origin)
    assert store.contents("privacy_ledger") == (b"1", b"2", b"0")
    put(home, kept, b"1")
    with pytest.raises(CorruptDocument, match="is not what was logged as privacy_ledger"):
        store.contents("privacy_ledger")


def test_what_is_not_permitted_is_not_decided(home: Path, origin: Provenance) -> None:
    store, seen = DecisionStore(home, "nhefs"), []

    def permit(contents: Sequence[bytes]) -> None:
        seen.append(tuple(contents))
        if len(contents) == 2:
            raise ValueError("two are enough")

    store.record("privacy_ledger", b"1", origin, permit=permit)
    store.record("privacy_ledger", b"2", origin, permit=permit)
    with pytest.raises(ValueError, match="two are enough"):
        store.record("privacy_ledger", b"3", origin, permit=permit)
    assert seen == [(), (b"1",), (b"1", b"2")]
    assert store.contents("privacy_ledger") == (b"1", b"2")


def made_from(warehouse: Warehouse, origin: Provenance, *assets: str) -> Provenance:
    found = {asset: warehouse.table_version(asset).data_version for asset in assets}
    return replace(origin, upstream=found)


def test_what_moved_is_found_at_any_distance(
    warehouse: Warehouse, home: Path, origin: Provenance
) -> None:
    warehouse.record_table("seed_table", ROWS, replace(origin, upstream={"holdout (source)": "0"}))
    warehouse.record_table("splits", ROWS, made_from(warehouse, origin, "seed_table"))
    model = ModelStore(home).save(lambda folder: (folder / "m.json").write_text("1") and None)
    warehouse.record_model("outcome_model", model, made_from(warehouse, origin, "splits"))
    fitted = replace(origin, upstream={"outcome_model (files)": model.sha256})
    warehouse.record_table("cart/hybrid_triplets", ROWS, fitted)
    assert warehouse.moved_upstream("cart/hybrid_triplets") == []
    assert warehouse.moved_upstream("never_made") == []

    warehouse.record_table("splits", ROWS, made_from(warehouse, origin, "seed_table"))
    assert warehouse.moved_upstream("cart/hybrid_triplets") == []  # the same rows again

    warehouse.record_table("seed_table", ROWS.assign(x=0), replace(origin, upstream={}))
    assert warehouse.moved_upstream("cart/hybrid_triplets") == ["seed_table"]
    other = ModelStore(home).save(lambda folder: (folder / "m.json").write_text("2") and None)
    warehouse.record_model("outcome_model", other, made_from(warehouse, origin, "splits"))
    moved = ["outcome_model (files)", "seed_table"]
    assert warehouse.moved_upstream("cart/hybrid_triplets") == moved
