"""`check_audit` names what was tampered with; one test for each way of doing it."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from warehouse import (
    AuditTrail,
    CheckRecord,
    DecisionStore,
    ModelStore,
    PageStore,
    Provenance,
    SubjectSplit,
    Warehouse,
    check_audit,
)
from warehouse.audit_log import COLUMNS, entry_hash
from warehouse.connection import BoundedWait
from warehouse.databases import kept_files, study_database

BUNDLE = "gan/release_bundle"
RELEASE = "releases/nhefs/gan"
PAGE = f"pages/nhefs/study_report/{hashlib.sha256(b'<p>').hexdigest()}.html"


@pytest.fixture
def filled(warehouse: Warehouse, home: Path, origin: Provenance) -> Path:
    """A table with checks and subjects, a model, a page, and two releases that anchor the log."""
    trail = AuditTrail(home, "nhefs")
    seed = warehouse.record_table("seed_table", pd.DataFrame({"x": [1, 2]}), origin)
    passed = CheckRecord("seed_table", seed.data_version, "row_count", True, "blocking")
    trail.record_checks("seed_table", [passed], origin)
    split = SubjectSplit(seed.data_version, "5" * 64, (("id", "text"),), {"train": ("a", "b")})
    trail.record_subjects(split, origin)
    model = ModelStore(home).save(lambda folder: (folder / "g.json").write_text("{}") and None)
    warehouse.record_model("gan/fitted_generator", model, origin)
    PageStore(home, "nhefs").record("study_report", b"<p>", origin)
    for number in ("1", "2"):
        write_release(home, warehouse, origin, number)
    for content in (b'{"decision": "refuse"}', b'{"decision": "approve"}'):
        DecisionStore(home, "nhefs").record("gan/approval", content, origin)
    return home


def first_decision(home: Path) -> str:
    place = DecisionStore(home, "nhefs").history("gan/approval")[0].place
    return place.removeprefix(f"{kept_files(home).place}/")


def put(home: Path, name: str, content: str) -> None:
    kept_files(home).put(name, content.encode())


def get(home: Path, name: str) -> str:
    return (kept_files(home).get(name) or b"").decode()


def copy_release(home: Path, number: int, copy: int) -> None:
    for name in kept_files(home).names(f"{RELEASE}/{number}"):
        put(home, name.replace(f"/{number}/", f"/{copy}/"), get(home, name))


def write_release(home: Path, warehouse: Warehouse, origin: Provenance, number: str) -> None:
    last = AuditTrail(home, "nhefs").entries()[-1]
    anchor = {"audit_head": {"n_entries": last.sequence, "entry_hash": last.entry_hash}}
    put(home, f"{RELEASE}/{number}/release.json", json.dumps(anchor))
    sums = f"{hashlib.sha256(json.dumps(anchor).encode()).hexdigest()}  release.json\n"
    put(home, f"{RELEASE}/{number}/SHA256SUMS", sums)
    log_as(home, warehouse, origin, BUNDLE, hashlib.sha256(sums.encode()).hexdigest())


def log_as(home: Path, warehouse: Warehouse, origin: Provenance, asset: str, version: str) -> None:
    from warehouse.audit_log import Materialization, append_entry

    with study_database(home, "nhefs").writing(BoundedWait("it", 5), "log") as connection:
        append_entry(connection, Materialization(asset, "document", version, None, origin))


def edit(home: Path, *statements: str) -> None:
    with study_database(home, "nhefs").writing(BoundedWait("test", 5.0), "edit") as connection:
        for statement in statements:
            connection.execute(statement)


def cut_log(home: Path, n_entries: int) -> None:
    """Remove the newest entries and move the end of the chain, as an insider with the code can."""
    head = AuditTrail(home, "nhefs").entries()[n_entries - 1].entry_hash
    edit(
        home,
        f"DELETE FROM audit.log WHERE sequence > {n_entries}",
        f"UPDATE audit.chain_end SET n_entries = {n_entries}, entry_hash = '{head}'",
    )


def rewrite_log(home: Path, user: str) -> None:
    """Change who made the first entry and hash everything anew."""
    with study_database(home, "nhefs").writing(BoundedWait("test", 5.0), "edit") as connection:
        query = f"SELECT {', '.join(COLUMNS)} FROM audit.log ORDER BY sequence"
        previous = "0" * 64
        for row in connection.execute(query).fetchall():
            entry = dict(zip(COLUMNS, row, strict=True)) | {"previous_hash": previous}
            if entry["sequence"] == 1:
                entry["user_name"] = user
            previous = entry_hash(entry)
            connection.execute(
                "UPDATE audit.log SET user_name = ?, previous_hash = ?, entry_hash = ? "
                "WHERE sequence = ?",
                [entry["user_name"], entry["previous_hash"], previous, entry["sequence"]],
            )
        connection.execute("UPDATE audit.chain_end SET entry_hash = ?", [previous])


def test_an_untouched_home_has_no_fault(filled: Path) -> None:
    found = check_audit(filled, "nhefs")
    assert found.faults == ()
    counted = (found.n_entries, found.n_tables, found.n_models, found.n_documents)
    assert (*counted, found.n_releases) == (9, 1, 1, 3, 2)


def test_a_study_that_was_never_run_has_no_fault(home: Path) -> None:
    assert check_audit(home, "nhefs").faults == ()


def test_an_older_home_without_the_new_tables_is_read(filled: Path) -> None:
    edit(filled, "DROP TABLE audit.check_result", "DROP TABLE audit.subject")
    assert [fault.partition(":")[0] for fault in check_audit(filled, "nhefs").faults] == [
        "audit log entry 2",
        "audit log entry 3",
    ]
    assert AuditTrail(filled, "nhefs").check_records() == ()


def removed_release(home: Path) -> None:
    kept_files(home).remove(f"{RELEASE}/1")


def unlogged_release(home: Path) -> None:
    copy_release(home, 2, 3)
    put(home, f"{RELEASE}/3/card.json", "{}")
    sums = f"{RELEASE}/3/SHA256SUMS"
    put(home, sums, f"{hashlib.sha256(b'{}').hexdigest()}  card.json\n{get(home, sums)}")


def altered_model(home: Path) -> None:
    (name,) = (name for name in kept_files(home).names("models") if name.endswith("/g.json"))
    put(home, name, "[]")


def altered_anchor(home: Path) -> None:
    anchor = {"audit_head": {"n_entries": 3, "entry_hash": "0" * 64}}
    put(home, f"{RELEASE}/1/release.json", json.dumps(anchor))


def altered_release(home: Path) -> None:
    put(home, f"{RELEASE}/2/SHA256SUMS", "")


def sql(*statements: str) -> Callable[[Path], None]:
    return lambda home: edit(home, *statements)


TAMPERING: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "entry altered": (
        sql("UPDATE audit.log SET user_name = 'eve' WHERE sequence = 2"),
        ["audit log entry 2 was altered"],
    ),
    "entry removed from the middle": (
        sql("DELETE FROM audit.log WHERE sequence = 2"),
        [
            "audit log entry 2 is missing",
            "audit.check_result has rows of entry 2, which the log does not know",
        ],
    ),
    "last entries removed, end of the chain moved": (
        lambda home: cut_log(home, 5),
        [
            "release gan/2 was made when the audit log had 6 entries; it ends at 5 now: entry 6",
            "release gan/1 is not in the audit log",
            "release gan/2 is not in the audit log",
        ],
    ),
    "cut down to before the checks": (
        lambda home: cut_log(home, 1),
        [
            "audit.check_result has rows of entry 2",
            "audit.subject has rows of entry 3",
            "the model of gan/fitted_generator is not the one",
            "release gan/1 was made when the audit log had 5 entries; it ends at 1 now: entry 5",
        ],
    ),
    "whole log rewritten": (
        lambda home: rewrite_log(home, "eve"),
        ["release gan/1: audit log entry 5, or one before", "release gan/2: audit log entry 6"],
    ),
    "table altered": (
        sql("UPDATE seed_table SET x = 9 WHERE x = 2"),
        ["seed_table is not what was logged"],
    ),
    "table added": (sql("CREATE TABLE own AS SELECT 1 AS x"), ["'own' was added"]),
    "failed check made to pass": (
        sql("UPDATE audit.check_result SET passed = false"),
        ["audit log entry 2: the rows of seed_table (checks) are not those it sealed"],
    ),
    "person removed from the subjects": (
        sql("DELETE FROM audit.subject WHERE digest = 'a'"),
        ["audit log entry 3: the rows of splits (subjects)"],
    ),
    "model altered": (altered_model, ["has an altered file, 'g.json'"]),
    "model exchanged": (
        sql("UPDATE audit.current_model SET sha256 = repeat('0', 64)"),
        ["the model of gan/fitted_generator is not the one that was logged last"],
    ),
    "page altered": (
        lambda home: put(home, PAGE, "<b>"),
        ["audit log entry 5: the document study_report was altered"],
    ),
    "page's copy altered": (
        lambda home: (home / "reports/nhefs/study_report.html").write_text("<b>") and None,
        ["audit log entry 5: the document study_report was altered in its copy"],
    ),
    "earlier decision altered": (
        lambda home: put(home, first_decision(home), '{"decision": "approve"}'),
        ["audit log entry 8: the decision gan/approval is missing or was altered"],
    ),
    "earlier decision removed": (
        lambda home: kept_files(home).remove(first_decision(home)),
        ["audit log entry 8: the decision gan/approval is missing or was altered"],
    ),
    "page removed": (
        lambda home: kept_files(home).remove(PAGE),
        ["audit log entry 5: the document study_report is missing"],
    ),
    "anchor of a release altered": (
        altered_anchor,
        ["release gan/1: release.json is altered", "release gan/1: audit log entry 3"],
    ),
    "anchor of a release removed": (
        lambda home: kept_files(home).remove(f"{RELEASE}/1/release.json"),
        ["release gan/1: release.json is missing", "release gan/1: release.json cannot be read"],
    ),
    "file put into a release": (
        lambda home: put(home, f"{RELEASE}/2/seed.csv", "x"),
        ["release gan/2: seed.csv is not listed"],
    ),
    "writer of a release killed before logging it": (
        unlogged_release,
        ["release gan/3 is not in the audit log as it is now: its writer was killed before"],
    ),
    "release copied": (
        lambda home: copy_release(home, 2, 3),
        ["release gan/3 is not in the audit log as it is now"],
    ),
    "release removed": (
        removed_release,
        ["audit log entry 6: the release of gan that it describes is missing"],
    ),
    "release altered": (
        altered_release,
        [
            "release gan/2: release.json is not listed",
            "audit log entry 7: the release of gan",
            "release gan/2 is not in the audit log",
        ],
    ),
}


@pytest.mark.file_only
def test_a_removed_database_is_seen_from_its_releases(filled: Path) -> None:
    (filled / "warehouse" / "nhefs.duckdb").unlink()
    expected = "release gan/1 was made when the audit log had 5 entries; it ends at 0 now: entry 5"
    assert any(expected in fault for fault in check_audit(filled, "nhefs").faults)


@pytest.mark.parametrize("way", TAMPERING)
def test_tampering_is_found_and_named(filled: Path, way: str) -> None:
    tamper, expected = TAMPERING[way]
    tamper(filled)
    faults = check_audit(filled, "nhefs").faults
    for sentence in expected:
        assert any(sentence in fault for fault in faults), faults
    if way != "cut down to before the checks":
        assert len(faults) == len(expected), faults


def test_the_same_subjects_are_sealed_once(filled: Path, origin: Provenance) -> None:
    trail = AuditTrail(filled, "nhefs")
    (split,) = trail.subject_splits(["a", "b"])
    n_before = len(trail.entries())
    trail.record_subjects(split, origin)
    assert len(trail.entries()) == n_before
    trail.record_subjects(dataclasses.replace(split, seed_version="6" * 64), origin)
    assert [one.digests for one in trail.subject_splits(["a", "b"])] == [{"train": ("a", "b")}] * 2
    assert [one.digests for one in trail.subject_splits(["b", "c"])] == [{"train": ("b",)}] * 2
    assert [one.digests for one in trail.subject_splits()] == [{"train": ()}] * 2
    assert check_audit(filled, "nhefs").faults == ()
