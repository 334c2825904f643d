"""A lake: what hosts share, what a snapshot names, and moving there and back."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from warehouse import (
    AuditTrail,
    CorruptTable,
    LakeDatabase,
    LakeSettings,
    PageStore,
    Provenance,
    ReleaseSlot,
    ReleaseStore,
    StorageUnavailable,
    Warehouse,
    WarehouseBusy,
    check_audit,
    lake_settings,
    migrate,
    stored_studies,
    use_storage,
)
from warehouse.connection import BoundedWait
from warehouse.databases import study_database
from warehouse.errors import InvalidName

pytestmark = pytest.mark.lake
WAIT = BoundedWait("test", 20.0)


@pytest.fixture
def lake_home(tmp_path: Path, new_lake: LakeSettings) -> Path:
    use_storage(tmp_path / "home", new_lake)
    return tmp_path / "home"


@pytest.fixture
def file_home(tmp_path: Path, origin: Provenance) -> Path:
    """Two studies in files: tables with comments, checks, a document."""
    home = tmp_path / "home"
    for study in ("nhefs", "lalonde"):
        warehouse = Warehouse(home, study)
        table = pd.DataFrame({"x": [1.5, None, -0.0], 'it"s': ["a", "", None]})
        warehouse.record_table("seed_table", table, origin, column_comments={"x": "It's x."})
        warehouse.record_table("gan/hybrid_triplets", table.iloc[::-1], origin, label="trial")
        PageStore(home, study).record("study_report", b"<p>", origin)
    return home


def test_two_hosts_see_one_study(
    tmp_path: Path, new_lake: LakeSettings, origin: Provenance
) -> None:
    one, other = (tmp_path / name for name in ("one", "other"))
    for home in (one, other):
        use_storage(home, new_lake)
    Warehouse(one, "nhefs").record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    Warehouse(other, "nhefs").record_table("gan/x", pd.DataFrame({"x": [2]}), origin)
    assert Warehouse(one, "nhefs").table_names() == ["gan__x", "seed_table"]
    assert Warehouse(other, "nhefs").check_audit_log() == 2
    assert stored_studies(one) == ["nhefs"]


def test_a_snapshot_names_its_run_and_can_be_read_later(
    lake_home: Path, new_lake: LakeSettings, origin: Provenance
) -> None:
    warehouse, database = Warehouse(lake_home, "nhefs"), study_database(lake_home, "nhefs")
    assert database.snapshot() is None
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    first = database.snapshot()
    warehouse.record_table("seed_table", pd.DataFrame({"x": [2]}), origin)
    with database.reading(WAIT) as connection:
        old = connection.execute(f"SELECT x FROM seed_table AT (VERSION => {first})").fetchall()
        messages = connection.execute(
            "SELECT commit_message FROM ducklake_snapshots('study nhefs') "
            f"WHERE snapshot_id >= {first}"
        ).fetchall()
    assert old == [(1,)]
    assert messages == [("run-1",), ("run-1",)]


def test_a_release_names_the_snapshot_it_was_made_from(lake_home: Path, origin: Provenance) -> None:
    warehouse, slots = Warehouse(lake_home, "nhefs"), []
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    made_from = warehouse.snapshot()

    def contents(slot: ReleaseSlot) -> dict[str, bytes]:
        slots.append(slot)
        return {"a.csv": b"x\n1\n"}

    ReleaseStore(lake_home, "nhefs").write("cart/release_bundle", contents, origin)
    assert [(slot.number, slot.n_entries, slot.snapshot) for slot in slots] == [(1, 1, made_from)]
    assert warehouse.snapshot() == made_from + 1


def test_forgotten_snapshots_take_their_rows_with_them(
    lake_home: Path, new_lake: LakeSettings, origin: Provenance
) -> None:
    warehouse = Warehouse(lake_home, "nhefs")
    for rows in (5000, 4999):
        table = pd.DataFrame({"subject": [f"canary {i}" for i in range(rows)]})
        warehouse.record_table("seed_table", table, origin)
    database = LakeDatabase("nhefs", new_lake.catalog, new_lake.data_path)
    files = Path(new_lake.data_path, "tables", "nhefs", "main", "seed_table")
    assert len(list(files.iterdir())) == 2
    assert database.forget(datetime.now(UTC) - timedelta(days=1), WAIT) == 0
    assert len(list(files.iterdir())) == 2
    assert database.forget(datetime.now(UTC) + timedelta(seconds=1), WAIT) > 0
    assert len(list(files.iterdir())) == 1
    assert warehouse.row_count("seed_table") == 4999
    assert warehouse.verify_tables() == 1
    assert warehouse.check_audit_log() == 2
    assert (
        LakeDatabase("other", new_lake.catalog, new_lake.data_path).forget(datetime.now(UTC), WAIT)
        == 0
    )


def test_rows_keep_their_order_in_many_files(lake_home: Path, origin: Provenance) -> None:
    table = pd.DataFrame({"x": range(600_000)}).sample(frac=1.0, random_state=1)
    Warehouse(lake_home, "nhefs").record_table("seed_table", table, origin)
    assert Warehouse(lake_home, "nhefs").verify_tables() == 1


def test_a_reader_keeps_its_snapshot_while_others_write(
    lake_home: Path, origin: Provenance
) -> None:
    warehouse = Warehouse(lake_home, "nhefs")
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    with study_database(lake_home, "nhefs").reading(WAIT) as connection:
        assert connection.execute("FROM seed_table").fetchall() == [(1,)]
        warehouse.record_table("seed_table", pd.DataFrame({"x": [2]}), origin)
        assert connection.execute("FROM seed_table").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM audit.log").fetchall() == [(1,)]
    assert warehouse.read_table("seed_table")["x"].tolist() == [2]


def test_writers_of_one_study_take_turns_and_of_two_do_not(
    lake_home: Path, origin: Provenance
) -> None:
    with study_database(lake_home, "nhefs").writing(WAIT, "long"):
        impatient = Warehouse(lake_home, "nhefs", wait_seconds=0.3)
        with pytest.raises(WarehouseBusy, match="study 'nhefs' was in use"):
            impatient.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
        other = Warehouse(lake_home, "lalonde", wait_seconds=5.0)
        other.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    impatient.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)


def test_a_catalog_out_of_reach_is_reported_without_a_password(
    lake_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    away = LakeSettings(catalog="host=127.0.0.1 port=1 dbname=x", data_path=str(lake_home))
    use_storage(lake_home, away)
    with pytest.raises(StorageUnavailable, match="the lake's catalog cannot be reached") as refused:
        Warehouse(lake_home, "nhefs")
    assert "s3cret" not in str(refused.value)
    with pytest.raises(StorageUnavailable, match="the lake refused while using study 'nhefs'"):
        LakeDatabase("nhefs", away.catalog, away.data_path).snapshot()
    with pytest.raises(StorageUnavailable, match="the lake's catalog cannot be reached"):
        stored_studies(lake_home)


def test_sessions_that_the_server_ended_are_opened_again(
    lake_home: Path, postgres: object, origin: Provenance
) -> None:
    warehouse = Warehouse(lake_home, "nhefs")
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    postgres.run(  # type: ignore[attr-defined]
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'lake_%'"
    )
    try:
        warehouse.record_table("seed_table", pd.DataFrame({"x": [2]}), origin)
    except StorageUnavailable:
        assert warehouse.read_table("seed_table")["x"].tolist() == [1]
        warehouse.record_table("seed_table", pd.DataFrame({"x": [2]}), origin)
    assert warehouse.read_table("seed_table")["x"].tolist() == [2]
    assert warehouse.check_audit_log() >= 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"catalog": "postgresql://u:secret@h/db", "data_path": "/d"}', "no password and no URI"),
        ('{"catalog": "host=x sslpassword=secret", "data_path": "/d"}', "no password"),
        ('{"catalog": "host=x password=secret", "data_path": "/d"}', "with no password"),
        ('{"catalog": "host=x"}', "data_path"),
        ("[", "Invalid JSON"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "storage.json").write_text(content)
    with pytest.raises(StorageUnavailable, match=fault) as refused:
        Warehouse(tmp_path, "nhefs")
    assert "secret" not in str(refused.value)


def test_a_name_that_the_catalog_would_cut_is_refused() -> None:
    with pytest.raises(InvalidName, match="use at most 56 characters"):
        LakeDatabase("s" * 57, "host=x", "/d")


def test_studies_move_to_a_lake_and_back(file_home: Path, new_lake: LakeSettings) -> None:
    before = content_of(file_home)
    moved = migrate(file_home, new_lake)
    assert (moved.studies, moved.n_tables, moved.n_entries) == (("lalonde", "nhefs"), 4, 6)
    assert lake_settings(file_home) == new_lake
    assert content_of(file_home) == before
    assert sorted(path.name for path in (file_home / "warehouse").glob("*.moved")) == [
        "lalonde.duckdb.moved",
        "nhefs.duckdb.moved",
    ]
    back = migrate(file_home, None)
    assert back == moved
    assert content_of(file_home) == before
    assert check_audit(file_home, "nhefs").faults == ()


def content_of(home: Path) -> dict[str, object]:
    told = {}
    for study in ("lalonde", "nhefs"):
        with study_database(home, study).reading(WAIT) as connection:
            comments = connection.execute(
                "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE "
                "database_name = current_database() AND schema_name = 'main' ORDER BY ALL"
            ).fetchall()
        warehouse = Warehouse(home, study)
        versions = [warehouse.table_version(a) for a in ("seed_table", "gan/hybrid_triplets")]
        told[study] = (
            [(v.data_version, v.n_rows) for v in versions],
            AuditTrail(home, study).entries(),
            comments,
        )
    return told


def test_an_altered_study_is_not_moved(file_home: Path, new_lake: LakeSettings) -> None:
    with closing(duckdb.connect(str(file_home / "warehouse" / "nhefs.duckdb"))) as connection:
        connection.execute("UPDATE seed_table SET x = 2")
    with pytest.raises(CorruptTable, match="seed_table is not what was logged"):
        migrate(file_home, new_lake)
    assert lake_settings(file_home) is None
    assert Warehouse(file_home, "lalonde").verify_tables() == 2


def test_a_move_goes_over_what_one_that_was_cut_off_left(
    file_home: Path, new_lake: LakeSettings, origin: Provenance
) -> None:
    migrate(file_home, new_lake)
    for moved in (file_home / "warehouse").glob("*.moved"):
        moved.rename(moved.with_suffix(""))
    use_storage(file_home, None)
    Warehouse(file_home, "nhefs").record_table("seed_table", pd.DataFrame({"x": [7]}), origin)
    before = content_of(file_home)
    assert migrate(file_home, new_lake).n_entries == 7
    assert content_of(file_home) == before


def test_a_writer_that_waited_while_the_home_moved_is_refused(
    file_home: Path, new_lake: LakeSettings, origin: Provenance
) -> None:
    waiting = Warehouse(file_home, "nhefs")
    migrate(file_home, new_lake)
    with pytest.raises(StorageUnavailable, match="keeps its studies elsewhere"):
        waiting.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    waiting = Warehouse(file_home, "nhefs")
    migrate(file_home, None)
    with pytest.raises(StorageUnavailable, match="keeps its studies elsewhere"):
        waiting.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    assert Warehouse(file_home, "nhefs").check_audit_log() == 3


def test_a_lost_turn_commits_nothing(lake_home: Path, postgres: object, origin: Provenance) -> None:
    warehouse = Warehouse(lake_home, "nhefs")
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"

    def write() -> None:
        with study_database(lake_home, "nhefs").writing(WAIT, "loses its turn") as connection:
            connection.execute("CREATE OR REPLACE TABLE main.seed_table AS SELECT 2 AS x")
            postgres.run(query)  # type: ignore[attr-defined]

    with pytest.raises(StorageUnavailable, match="the lake refused"):
        write()
    assert warehouse.read_table("seed_table")["x"].tolist() == [1]


def test_a_study_that_is_there_already_is_not_overwritten(
    file_home: Path, new_lake: LakeSettings, tmp_path: Path, origin: Provenance
) -> None:
    use_storage(tmp_path / "other", new_lake)
    Warehouse(tmp_path / "other", "nhefs").record_table(
        "seed_table", pd.DataFrame({"x": [9]}), origin
    )
    with pytest.raises(StorageUnavailable, match="another study 'nhefs' is there already"):
        migrate(file_home, new_lake)
    assert lake_settings(file_home) is None
    assert Warehouse(tmp_path / "other", "nhefs").read_table("seed_table")["x"].tolist() == [9]
