"""Everything of a home moves to where hosts share it, and back; a killed move loses nothing."""

import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

import warehouse as package
from warehouse import (
    DecisionStore,
    KeyedHash,
    KeyNotFound,
    LakeSettings,
    ModelStore,
    PageStore,
    Provenance,
    ReleaseNotFound,
    ReleaseSlot,
    ReleaseStore,
    StorageUnavailable,
    UnfinishedParts,
    Warehouse,
    check_audit,
    lake_settings,
    migrate,
    use_storage,
)
from warehouse.databases import files_in, kept_files
from warehouse.file_migration import copy_files
from warehouse.shared_files import SharedFolder

pytestmark = pytest.mark.lake
ASSET = "cart/release_bundle"
PROGRAM = """
import sys
from pathlib import Path
from warehouse import LakeSettings, migrate

print("begun", flush=True)
migrate(Path(sys.argv[1]), LakeSettings(catalog=sys.argv[2], data_path=sys.argv[3]))
"""


@pytest.fixture(params=["new_lake", "new_bucket_lake"])
def lake(request: pytest.FixtureRequest) -> LakeSettings:
    found: LakeSettings = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def full_home(tmp_path: Path, origin: Provenance) -> Path:
    """Something of every kind, in files."""
    home = tmp_path / "home"
    warehouse = Warehouse(home, "nhefs")
    warehouse.record_table("seed_table", pd.DataFrame({"x": range(3000)}), origin)
    model = ModelStore(home).save(write_model)
    warehouse.record_model("cart/fitted_generator", model, origin)
    PageStore(home, "nhefs").record("study_report", b"<p>", origin)
    for content in (b"1", b"2"):
        DecisionStore(home, "nhefs").record("privacy_ledger", content, origin)
    ReleaseStore(home, "nhefs").write(ASSET, contents, origin)
    UnfinishedParts(home, "nhefs", "dp/fitted_generator", "k").keep_state("model", b"paid for")
    KeyedHash(home, make=True).of("subject", "x")
    return home


def write_model(folder: Path) -> None:
    (folder / "trees").mkdir()
    (folder / "trees" / "0.json").write_text("1")


def contents(slot: ReleaseSlot) -> dict[str, bytes]:
    head = f'{{"n_entries": {slot.n_entries}, "entry_hash": "{slot.entry_hash}"}}'
    return {"release.json": f'{{"audit_head": {head}}}'.encode()}


def read_from(home: Path) -> tuple[object, ...]:
    """Read everything as a user of the home would."""
    warehouse = Warehouse(home, "nhefs")
    return (
        check_audit(home, "nhefs"),
        warehouse.table_version("seed_table").data_version,
        (
            ModelStore(home).open(warehouse.model("cart/fitted_generator")) / "trees/0.json"
        ).read_text(),
        PageStore(home, "nhefs").file("study_report").read_bytes(),
        DecisionStore(home, "nhefs").contents("privacy_ledger"),
        ReleaseStore(home, "nhefs").read("cart", 1),
        UnfinishedParts(home, "nhefs", "dp/fitted_generator", "k").state("model"),
        KeyedHash(home).of("subject", "x"),
    )


def test_everything_moves_and_comes_back(
    full_home: Path, lake: LakeSettings, tmp_path: Path, origin: Provenance
) -> None:
    before = read_from(full_home)
    assert before[0].faults == ()  # type: ignore[attr-defined]
    moved = migrate(full_home, lake)
    assert (moved.studies, moved.n_tables, moved.n_files) == (("nhefs",), 1, 8)
    assert lake_settings(full_home) == lake
    assert read_from(full_home) == before
    other = tmp_path / "other"
    use_storage(other, lake)
    with pytest.raises(KeyNotFound, match="give it the key of the other hosts"):
        KeyedHash(other, make=True).of("subject", "x")
    (other / "keys").mkdir()
    (other / "keys" / "audit.key").write_bytes((full_home / "keys" / "audit.key").read_bytes())
    assert read_from(other) == before
    DecisionStore(other, "nhefs").record("privacy_ledger", b"3", origin)
    second = ReleaseStore(other, "nhefs").write(ASSET, contents, origin)
    after = read_from(other)
    assert migrate(full_home, None).n_files == 11
    assert read_from(full_home) == after
    folder = full_home / "releases" / "nhefs" / "cart" / f"{second.number:04d}"
    assert (folder.name, folder.stat().st_mode & 0o777) == ("0002", 0o500)
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o400}


def test_another_release_of_that_number_is_not_overwritten(
    full_home: Path, lake: LakeSettings
) -> None:
    there = files_in(full_home, lake)
    for name in ("release.json", "SHA256SUMS"):
        there.put(f"releases/nhefs/cart/0001/{name}", b"of another home")
    with pytest.raises(StorageUnavailable, match="another release is there already: .*/0001/"):
        migrate(full_home, lake)
    assert lake_settings(full_home) is None
    assert there.get("releases/nhefs/cart/0001/release.json") == b"of another home"
    assert check_audit(full_home, "nhefs").faults == ()


def test_a_killed_move_loses_nothing(full_home: Path, lake: LakeSettings) -> None:
    before = read_from(full_home)
    root = Path(package.__file__).parents[1]
    command = [sys.executable, "-c", PROGRAM, str(full_home), lake.catalog, lake.data_path]
    for i in range(3):
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(root)},
        ) as moving:
            assert moving.stdout is not None
            assert moving.stdout.readline() == b"begun\n"
            time.sleep(0.5 * (i + 1))
            moving.kill()
        assert read_from(full_home) == before
    if lake_settings(full_home) is None:
        migrate(full_home, lake)
    assert read_from(full_home) == before
    assert kept_files(full_home).names("releases") != []


def test_a_release_that_was_begun_is_none_after_the_move(
    full_home: Path, lake: LakeSettings, origin: Provenance
) -> None:
    begun = "releases/nhefs/cart/0002/a.csv"
    migrate(full_home, lake)
    kept_files(full_home).put(begun, b"half of a release")
    migrate(full_home, None)
    assert check_audit(full_home, "nhefs").faults == ()
    with pytest.raises(ReleaseNotFound, match="no release 2 of 'cart'"):
        ReleaseStore(full_home, "nhefs").folder("cart", 2)
    second = ReleaseStore(full_home, "nhefs").write(ASSET, contents, origin)
    assert second.number == 2
    migrate(full_home, lake)
    assert kept_files(full_home).get(begun) is None
    assert check_audit(full_home, "nhefs").faults == ()


def test_a_large_file_is_copied_in_blocks(tmp_path: Path) -> None:
    origin, copy = SharedFolder(tmp_path / "origin"), SharedFolder(tmp_path / "copy")
    origin.put("models/1/m.json", b"1" * 40_000_000)
    tracemalloc.start()
    try:
        assert copy_files(origin, copy, tmp_path / "home") == 1
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert copy.get("models/1/m.json") == origin.get("models/1/m.json")
