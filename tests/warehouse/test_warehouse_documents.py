"""Decisions as they were logged, and what a thing was made from that has moved since."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from warehouse import CorruptDocument, DecisionStore, ModelStore, Provenance, Warehouse

ROWS = pd.DataFrame({"x": [1, 2, 3]})


def test_every_decision_is_kept(home: Path, origin: Provenance) -> None:
    store = DecisionStore(home, "nhefs")
    assert store.history("cart/approval") == ()
    refused, approved = b'{"decision": "refuse"}', b'{"decision": "approve"}'
    for content in (refused, approved, refused):
        made = store.record("cart/approval", content, origin)
        assert made.file.parent == home / "decisions" / "nhefs" / "cart__approval"
    store.record("gan/approval", approved, origin)
    history = store.history("cart/approval")
    assert [decision.read() for decision in history] == [refused, approved, refused]
    assert [decision.entry.sequence for decision in history] == [1, 2, 3]
    assert made.entry == history[-1].entry
    history[1].file.write_bytes(refused)
    with pytest.raises(
        CorruptDocument, match=r"is not what was logged as cart/approval \(audit lo"
    ):
        history[1].read()
    assert [decision.is_intact for decision in history] == [True, False, True]
    history[0].file.unlink()
    assert not history[2].is_intact


@pytest.mark.file_only
def test_decisions_that_no_log_names_are_found(home: Path, origin: Provenance) -> None:
    store = DecisionStore(home, "nhefs")
    assert store.unlogged("privacy_ledger") == ()
    kept = [store.record("privacy_ledger", content, origin).file for content in (b"1", b"2")]
    store.record("cart/approval", b"3", origin)
    assert store.unlogged("privacy_ledger") == ()
    for file in (home / "warehouse").glob("nhefs.duckdb*"):
        file.unlink()
    assert store.unlogged("privacy_ledger") == tuple(sorted(kept))
    store.record("privacy_ledger", b"2", origin)
    assert store.unlogged("privacy_ledger") == (kept[0],)


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
