"""A place of shared files that is not the catalog's own is refused, before anything is done."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from socket import gethostname

import pandas as pd
import pytest

from tests.conftest import PostgresServer
from tests.warehouse.conftest import Opened
from warehouse import (
    DecisionStore,
    KeyedHash,
    LakeSettings,
    ModelStore,
    PageStore,
    Provenance,
    ReleaseStore,
    StorageUnavailable,
    UnfinishedParts,
    Warehouse,
    mark_home,
    migrate,
    use_storage,
)
from warehouse.home_marker import MARKER, hold_home, shared_place
from warehouse.lake_instances import catalog_rows, lent_instance
from warehouse.shared_files import SharedFolder

pytestmark = pytest.mark.lake
LAKES = {"folder": "new_lake", "bucket": "new_bucket_lake"}
OPENING: list[Callable[[Path], object]] = [
    lambda home: Warehouse(home, "nhefs"),
    lambda home: DecisionStore(home, "nhefs"),
    lambda home: PageStore(home, "nhefs"),
    lambda home: ReleaseStore(home, "nhefs"),
    lambda home: ModelStore(home),
    lambda home: KeyedHash(home),
    lambda home: UnfinishedParts(home, "nhefs", "gan/x", "k"),
]


@pytest.fixture(params=LAKES)
def lake(request: pytest.FixtureRequest) -> LakeSettings:
    found: LakeSettings = request.getfixturevalue(LAKES[request.param])
    return found


def refused(home: Path, fault: str) -> None:
    for opening in OPENING:
        with pytest.raises(StorageUnavailable, match=fault):
            opening(home)


def test_a_place_that_is_not_mounted_is_refused(
    lake: LakeSettings, tmp_path: Path, origin: Provenance
) -> None:
    use_storage(tmp_path / "home", lake)
    shared_place(lake.data_path).remove(MARKER)
    refused(tmp_path / "home", f"holds no {MARKER}: it is not mounted here; mount it")
    assert shared_place(lake.data_path).names("") == []
    mark_home(lake.catalog, lake.data_path)  # mounted
    rows = pd.DataFrame({"x": [1]})
    assert Warehouse(tmp_path / "home", "nhefs").record_table("seed_table", rows, origin)


def test_another_deployments_place_is_refused(
    lake: LakeSettings, postgres: PostgresServer, tmp_path: Path
) -> None:
    place = shared_place(lake.data_path)
    marked = place.get(MARKER)
    uuid.UUID(json.loads(marked or b"")["catalog"])
    with postgres.new_database() as catalog:
        use_storage(tmp_path / "home", LakeSettings(catalog=catalog, data_path=lake.data_path))
        refused(tmp_path / "home", "the catalog belongs to no place of files yet")
        use_storage(tmp_path / "home", None)
        other = LakeSettings(catalog=catalog, data_path=lake.data_path)
        with pytest.raises(StorageUnavailable, match="belongs to another catalog, by its hybrid"):
            migrate(tmp_path / "home", other)
        assert not (tmp_path / "home" / "storage.json").exists()
    assert place.get(MARKER) == marked


def test_a_move_marks_the_place_once(lake: LakeSettings, tmp_path: Path) -> None:
    place = shared_place(lake.data_path)
    before = place.get(MARKER)
    for home in (tmp_path / "one", tmp_path / "other"):
        migrate(home, lake)
    assert place.get(MARKER) == before
    place.remove(MARKER)
    migrate(tmp_path / "third", lake)
    assert place.get(MARKER) == before  # the identity is the catalog's
    assert place.names("") == [MARKER]


ROWS = pd.DataFrame({"x": range(5000)})


def test_a_folder_that_goes_away_is_not_written_to(
    new_lake: LakeSettings, tmp_path: Path, origin: Provenance
) -> None:
    use_storage(tmp_path / "home", new_lake)
    warehouse = Warehouse(tmp_path / "home", "nhefs")
    decisions = DecisionStore(tmp_path / "home", "nhefs")
    pages, models = PageStore(tmp_path / "home", "nhefs"), ModelStore(tmp_path / "home")
    before = warehouse.record_table("seed_table", ROWS, origin).data_version
    folder, away = Path(new_lake.data_path), tmp_path / "away"
    folder.rename(away)
    for there in ("no folder", "the empty folder below a mount"):
        for write in (
            lambda: warehouse.record_table("seed_table", ROWS + 1, origin),
            lambda: decisions.record("privacy_ledger", b"1", origin),
            lambda: pages.record("study_report", b"<p>", origin),
            lambda: models.save(lambda unsaved: (unsaved / "m.json").write_text("1")),
        ):
            with pytest.raises(StorageUnavailable, match="it is not mounted here|is mounted, its"):
                write()
        assert not folder.exists() or list(folder.iterdir()) == [], there
        folder.mkdir(exist_ok=True)
    folder.rmdir()
    away.rename(folder)
    assert warehouse.table_version("seed_table").data_version == before
    decisions.record("privacy_ledger", b"1", origin)
    assert decisions.contents("privacy_ledger") == (b"1",)


def test_a_folder_that_goes_away_during_a_write_commits_nothing(
    new_lake: LakeSettings, tmp_path: Path, writing: Opened, origin: Provenance
) -> None:
    use_storage(tmp_path / "home", new_lake)
    Warehouse(tmp_path / "home", "nhefs").record_table("seed_table", ROWS, origin)
    refusal = pytest.raises(StorageUnavailable, match="it is not mounted here")
    with refusal, writing(tmp_path / "home") as connection:
        connection.execute("DELETE FROM main.seed_table")
        shared_place(new_lake.data_path).remove(MARKER)
    mark = json.dumps({"catalog": identity_of(new_lake)}).encode()
    shared_place(new_lake.data_path).put(MARKER, mark)
    assert len(Warehouse(tmp_path / "home", "nhefs").read_table("seed_table")) == len(ROWS)


def identity_of(lake: LakeSettings) -> str:
    with lent_instance(lake.catalog) as instance:
        return str(catalog_rows(instance, "SELECT identity::text FROM hybrid.home")[0][0])


def test_studies_have_one_place(lake: LakeSettings, tmp_path: Path, origin: Provenance) -> None:
    use_storage(tmp_path / "home", lake)
    Warehouse(tmp_path / "home", "nhefs").record_table("seed_table", ROWS, origin)
    elsewhere = LakeSettings(catalog=lake.catalog, data_path=f"{lake.data_path}-2")
    fault = f"keeps its files in {lake.data_path}, got {elsewhere.data_path}; name that place"
    with pytest.raises(StorageUnavailable, match=fault):
        migrate(tmp_path / "other", elsewhere)
    assert not (tmp_path / "lake-2").exists()
    shared_place(lake.data_path).remove(MARKER)  # not mounted on the other host
    with pytest.raises(StorageUnavailable, match=f"holds no {MARKER}: it is not mounted here"):
        migrate(tmp_path / "other", lake)
    assert shared_place(lake.data_path).get(MARKER) is None


def test_what_moved_to_files_is_closed_to_other_hosts(
    lake: LakeSettings, tmp_path: Path, origin: Provenance
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for home in (one, other):
        use_storage(home, lake)
    decisions = DecisionStore(other, "nhefs")
    decisions.record("privacy_ledger", b"1", origin)
    migrate(one, None)
    with pytest.raises(StorageUnavailable, match="is held by a home that moves .*/one"):
        decisions.record("privacy_ledger", b"2", origin)  # a step that was at work
    refused(other, "is held by a home that moves its studies to files, or did")
    with pytest.raises(StorageUnavailable, match="is held by a home"):
        migrate(tmp_path / "third", lake)
    DecisionStore(one, "nhefs").record("privacy_ledger", b"2", origin)
    migrate(one, lake)
    assert decisions.contents("privacy_ledger") == (b"1", b"2")


def test_a_move_to_files_that_was_cut_off_is_finished_or_undone(
    lake: LakeSettings, tmp_path: Path, origin: Provenance
) -> None:
    home = tmp_path / "home"
    use_storage(home, lake)
    DecisionStore(home, "nhefs").record("privacy_ledger", b"1", origin)
    hold_home(lake.catalog, lake.data_path, f"{gethostname()}:{home}")  # what a killed one leaves
    refused(home, "migrate --to-files finishes a move that was cut off, and migrate --catalog")
    assert migrate(home, lake).studies == ()
    DecisionStore(home, "nhefs").record("privacy_ledger", b"2", origin)
    hold_home(lake.catalog, lake.data_path, f"{gethostname()}:{home}")
    assert migrate(home, None).studies == ("nhefs",)
    assert DecisionStore(home, "nhefs").contents("privacy_ledger") == (b"1", b"2")


def test_a_move_to_files_that_fails_leaves_the_lake_open(
    lake: LakeSettings, tmp_path: Path, origin: Provenance
) -> None:
    home, release = tmp_path / "home", "releases/nhefs/cart/0001/SHA256SUMS"
    use_storage(home, lake)
    decisions = DecisionStore(home, "nhefs")
    decisions.record("privacy_ledger", b"1", origin)
    shared_place(lake.data_path).put(release, b"of the lake")
    SharedFolder(home).put(release, b"of another home")
    with pytest.raises(StorageUnavailable, match="another release is there already"):
        migrate(home, None)
    decisions.record("privacy_ledger", b"2", origin)
