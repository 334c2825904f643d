"""The audit log says what was made from what, and any edit of it is found."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from warehouse import (
    CorruptAuditLog,
    CorruptTable,
    PageStore,
    Provenance,
    Warehouse,
    WarehouseError,
    lake_settings,
)
from warehouse.audit_log import COLUMNS, entry_hash
from warehouse.connection import BoundedWait
from warehouse.databases import study_database
from warehouse.errors import InvalidProvenance

SEED_VERSION = "5eed" * 16


@pytest.fixture
def filled(warehouse: Warehouse, home: Path, origin: Provenance) -> Warehouse:
    """Four entries: a table twice, another table, a document."""
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1, 2]}), origin)
    warehouse.record_table("gan/hybrid_triplets", pd.DataFrame({"y": [0.5]}), origin)
    PageStore(home, "nhefs").record("study_report", b"<p>", origin)
    return warehouse


def edit(home: Path, *statements: str) -> None:
    with study_database(home, "nhefs").writing(BoundedWait("test", 5.0), "edit") as connection:
        for statement in statements:
            connection.execute(statement)


def query(home: Path, sql: str) -> list[tuple[object, ...]]:
    with study_database(home, "nhefs").reading(BoundedWait("test", 5.0)) as connection:
        return connection.execute(sql).fetchall()


def test_entries_hold_the_provenance(filled: Warehouse) -> None:
    entries = filled.audit_entries()
    assert entries["sequence"].tolist() == [1, 2, 3, 4]
    assert entries["kind"].tolist() == ["table", "table", "table", "document"]
    assert entries["n_rows"].tolist()[:3] == [1, 2, 1]
    assert entries["n_rows"].isna().tolist() == [False, False, False, True]
    last = entries.iloc[-1]
    assert (last["run_id"], last["code_version"], last["study_hash"]) == ("run-1", "1.2.3", "abc")
    assert (last["random_seed"], last["seconds"], last["user_name"]) == (7, 1.5, "ada")
    assert last["upstream"] == f'{{"seed_table": "{SEED_VERSION}"}}'
    assert last["started_at"] == pd.Timestamp("2026-01-31T12:00:00Z")
    assert abs(pd.Timestamp.now("UTC") - last["recorded_at"]) < pd.Timedelta(minutes=10)
    assert entries["previous_hash"].tolist() == ["0" * 64, *entries["entry_hash"].tolist()[:-1]]


def test_an_untouched_log_and_its_tables_check(filled: Warehouse) -> None:
    assert filled.check_audit_log() == 4
    assert filled.verify_tables() == 2


@pytest.mark.parametrize(
    "assignment",
    [
        "data_version = repeat('0', 64)",
        "random_seed = 8",
        "seconds = seconds + 1e-9",
        "upstream = '{}'",
        "n_rows = NULL",
        "recorded_at = recorded_at - INTERVAL 1 MICROSECOND",
        "user_name = 'eve'",
        "entry_hash = repeat('0', 64)",
    ],
)
def test_an_altered_entry_is_found(filled: Warehouse, home: Path, assignment: str) -> None:
    edit(home, f"UPDATE audit.log SET {assignment} WHERE sequence = 2")
    with pytest.raises(CorruptAuditLog, match="audit log entry 2 was altered") as caught:
        filled.check_audit_log()
    assert caught.value.sequence == 2


@pytest.mark.parametrize(("deleted", "first"), [("= 1", 1), ("= 3", 3), ("= 4", 4), ("> 0", 1)])
def test_deleted_entries_are_found_even_after_new_ones(
    filled: Warehouse, home: Path, origin: Provenance, deleted: str, first: int
) -> None:
    edit(home, f"DELETE FROM audit.log WHERE sequence {deleted}")
    with pytest.raises(CorruptAuditLog, match=f"audit log entry {first} is missing"):
        filled.check_audit_log()
    filled.record_table("seed_table", pd.DataFrame({"x": [3]}), origin)
    with pytest.raises(CorruptAuditLog, match=f"audit log entry {first} is missing"):
        filled.check_audit_log()


def test_reordered_entries_are_found(filled: Warehouse, home: Path) -> None:
    edit(home, "UPDATE audit.log SET sequence = 5 - sequence WHERE sequence IN (2, 3)")
    with pytest.raises(CorruptAuditLog, match="audit log entry 2 does not continue"):
        filled.check_audit_log()


def test_a_rehashed_entry_breaks_the_next_one(filled: Warehouse, home: Path) -> None:
    row = query(home, f"SELECT {', '.join(COLUMNS)} FROM audit.log WHERE sequence = 2")[0]
    forged = dict(zip(COLUMNS, row, strict=True)) | {"user_name": "eve"}
    edit(
        home,
        f"UPDATE audit.log SET user_name = 'eve', entry_hash = '{entry_hash(forged)}' "
        "WHERE sequence = 2",
    )
    with pytest.raises(CorruptAuditLog, match="audit log entry 3 does not continue"):
        filled.check_audit_log()


def test_a_copied_entry_is_found(filled: Warehouse, home: Path) -> None:
    edit(home, "INSERT INTO audit.log SELECT * FROM audit.log WHERE sequence = 2")
    with pytest.raises(CorruptAuditLog, match="audit log entry 3 is missing, or not where"):
        filled.check_audit_log()


def test_a_lost_end_of_the_chain_is_found(filled: Warehouse, home: Path) -> None:
    edit(home, "UPDATE audit.chain_end SET entry_hash = repeat('0', 64)")
    with pytest.raises(CorruptAuditLog, match="audit log entry 4 is not the last one"):
        filled.check_audit_log()


def test_tables_changed_behind_the_log_are_found(filled: Warehouse, home: Path) -> None:
    edit(
        home,
        "UPDATE seed_table SET x = 9 WHERE x = 2",
        "DROP TABLE gan__hybrid_triplets",
        'CREATE TABLE "my\'own" AS SELECT 1 AS x',
    )
    assert filled.check_audit_log() == 4
    with pytest.raises(CorruptTable, match="added by another program") as caught:
        filled.verify_tables()
    assert "seed_table is not what was logged" in str(caught.value)
    assert "gan__hybrid_triplets is logged but missing" in str(caught.value)


def test_current_versions_and_lineage(filled: Warehouse, home: Path, origin: Provenance) -> None:
    odd = dataclasses.replace(origin, upstream={"gan/x": "a" * 64, 'we"ird\\': "b" * 64})
    filled.record_table("seed_table", pd.DataFrame({"x": [1, 2, 3]}), odd)
    assert query(
        home, "SELECT asset, sequence, n_rows FROM audit.current_versions ORDER BY asset"
    ) == [("gan/hybrid_triplets", 3, 1), ("seed_table", 5, 3), ("study_report", 4, None)]
    assert query(
        home,
        "SELECT asset, upstream_asset, upstream_version FROM audit.lineage "
        "WHERE sequence >= 4 ORDER BY ALL",
    ) == [
        ("seed_table", "gan/x", "a" * 64),
        ("seed_table", 'we"ird\\', "b" * 64),
        ("study_report", "seed_table", SEED_VERSION),
    ]


def test_everything_in_the_audit_schema_is_described(filled: Warehouse, home: Path) -> None:
    # a lake has no comments on the columns of views
    views = "SELECT view_name FROM duckdb_views()" if lake_settings(home) else "SELECT ''"
    undescribed = query(
        home,
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'audit' "
        f"AND comment IS NULL AND table_name NOT IN ({views})",
    )
    relations = "(SELECT * FROM duckdb_tables() UNION ALL BY NAME SELECT * FROM duckdb_views())"
    undescribed += query(
        home,
        f"SELECT schema_name FROM {relations} WHERE schema_name = 'audit' AND comment IS NULL",
    )
    assert undescribed == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seconds", float("nan"), "seconds must be finite"),
        ("seconds", -1.0, "seconds must be finite"),
        ("random_seed", 2**63, "random_seed must fit in 64 bits"),
        ("started_at", "yesterday", "started_at 'yesterday' is not a UTC time"),
        ("started_at", "2026-01-31T12:00:00", "is not a UTC time"),
        ("started_at", "2026-01-31T12:00:00+01:00", "is not a UTC time"),
    ],
)
def test_a_provenance_that_cannot_be_logged_is_refused(
    origin: Provenance, field: str, value: object, message: str
) -> None:
    with pytest.raises(InvalidProvenance, match=message) as caught:
        dataclasses.replace(origin, **{field: value})
    assert isinstance(caught.value, WarehouseError)
