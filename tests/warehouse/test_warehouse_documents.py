"""Documents as they were logged, and what a thing was made from that has moved since."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from warehouse import CorruptDocument, DocumentNotFound, ModelStore, Provenance, Warehouse

ROWS = pd.DataFrame({"x": [1, 2, 3]})


def test_a_document_is_read_as_it_was_logged(
    warehouse: Warehouse, home: Path, origin: Provenance
) -> None:
    with pytest.raises(DocumentNotFound, match="study 'nhefs' has no document 'cart/approval'"):
        warehouse.read_document("cart/approval", suffix=".json")
    for content in (b"{}", b'{"decision": "refuse"}'):
        path = warehouse.record_document("cart/approval", content, origin, suffix=".json")
        assert warehouse.read_document("cart/approval", suffix=".json") == content
    path.write_bytes(b'{"decision": "approve"}')
    with pytest.raises(CorruptDocument, match="cart__approval.json is not what was logged"):
        warehouse.read_document("cart/approval", suffix=".json")
    path.unlink()
    with pytest.raises(CorruptDocument, match="cart__approval.json is not what was logged"):
        warehouse.read_document("cart/approval", suffix=".json")


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
