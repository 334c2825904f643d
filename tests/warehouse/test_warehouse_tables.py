"""Tables come back exactly as they went in, and a refused write changes nothing."""

import dataclasses
import errno
import hashlib
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from warehouse import (
    AuditTrail,
    CheckRecord,
    PageStore,
    Provenance,
    StorageUnavailable,
    TableNotFound,
    Warehouse,
    WarehouseError,
    check_audit,
    data_version,
    storable_table,
)
from warehouse.errors import InvalidName, UnstorableTable

Opened = Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]
SECRET = "Jane Roe 1961"


def test_dtypes_missing_values_and_infinities_survive(
    warehouse: Warehouse, origin: Provenance
) -> None:
    seed = pd.DataFrame(
        {
            "age": np.array([41, -5, 2**62], dtype="int64"),
            "weight": [70.5, np.nan, -np.inf],
            "smoker": [True, False, True],
            "sex": pd.Categorical(["f", None, "m"]),
            "note": ["", None, "naïve 漢字 🙂"],
            "seen": pd.to_datetime(
                ["2020-01-01", None, "1999-12-31 23:59:59.123456789"], format="ISO8601"
            ),
        },
        index=[9, 4, 7],
    )
    version = warehouse.record_table("seed_table", seed, origin)
    stored = warehouse.read_table("seed_table")

    assert stored["age"].tolist() == [41, -5, 2**62]
    assert stored["weight"].tolist()[0] == 70.5
    assert np.isnan(stored["weight"][1])
    assert stored["weight"][2] == -np.inf
    assert stored["smoker"].tolist() == [True, False, True]
    assert stored["sex"].tolist() == ["f", None, "m"]
    assert stored["note"].tolist() == ["", None, "naïve 漢字 🙂"]
    assert stored["seen"].tolist() == seed["seen"].tolist()
    assert stored.index.tolist() == [0, 1, 2]
    assert [str(t) for t in stored.dtypes[["age", "weight", "smoker"]]] == [
        "int64",
        "float64",
        "bool",
    ]
    assert (version.table_name, version.n_rows, version.n_columns) == ("seed_table", 3, 6)
    assert version.waited_seconds == 0.0


def test_sql_types_are_the_plain_ones(
    warehouse: Warehouse, home: Path, origin: Provenance, reading: Opened
) -> None:
    table = pd.DataFrame({"i": [1], "x": [1.0], "b": [True], "c": pd.Categorical(["u"])})
    warehouse.record_table("gan/hybrid_triplets", table, origin)
    with reading(home) as connection:
        described = connection.execute("DESCRIBE main.gan__hybrid_triplets").fetchall()
    assert [row[:2] for row in described] == [
        ("i", "BIGINT"),
        ("x", "DOUBLE"),
        ("b", "BOOLEAN"),
        ("c", "VARCHAR"),
    ]


def test_missing_numbers_are_sql_nulls(
    warehouse: Warehouse, home: Path, origin: Provenance, reading: Opened
) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1.0, np.nan, 3.0]}), origin)
    with reading(home) as connection:
        assert connection.execute("SELECT avg(x), count(x) FROM seed_table").fetchone() == (2.0, 2)


def test_swapped_column_order_never_swaps_values(warehouse: Warehouse, origin: Provenance) -> None:
    first = pd.DataFrame({"treatment": [0, 1], "outcome": [10, 20]})
    warehouse.record_table("seed_table", first, origin)
    warehouse.record_table("seed_table", first[["outcome", "treatment"]], origin)
    stored = warehouse.read_table("seed_table")
    assert stored.columns.tolist() == ["outcome", "treatment"]
    assert stored["treatment"].tolist() == [0, 1]
    assert stored["outcome"].tolist() == [10, 20]


def test_schema_change_replaces_the_table(warehouse: Warehouse, origin: Provenance) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"a": [1], "b": [2]}), origin)
    warehouse.record_table("seed_table", pd.DataFrame({"b": ["x", "y"], "c": [1.5, 2.5]}), origin)
    assert warehouse.read_table("seed_table").to_dict("list") == {"b": ["x", "y"], "c": [1.5, 2.5]}
    assert warehouse.table_names() == ["seed_table"]


def test_200_000_rows_keep_their_order(warehouse: Warehouse, origin: Provenance) -> None:
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "w": rng.normal(size=200_000),
            "a": rng.integers(0, 2, 200_000),
            "label": rng.choice(np.array(["low", "high", "?"], dtype=object), 200_000),
        }
    )
    recorded = warehouse.record_table("gan/hybrid_triplets", table, origin)
    stored = warehouse.read_table("gan/hybrid_triplets")
    assert_frame_equal(stored, table, check_exact=True, check_dtype=False)
    assert stored["w"].to_numpy().tobytes() == table["w"].to_numpy().tobytes()
    assert warehouse.table_version("gan/hybrid_triplets").data_version == recorded.data_version
    assert warehouse.row_count("gan/hybrid_triplets") == 200_000


@pytest.mark.parametrize(
    "name",
    ['"; DROP TABLE seed_table; --', "it's", "with space", "Größe 漢字", "rowid", "select", " "],
)
def test_any_column_name_is_only_a_name(
    warehouse: Warehouse, home: Path, origin: Provenance, name: str, reading: Opened
) -> None:
    table = pd.DataFrame({name: [1, 2], "other": [3, 4]})
    comment = "'); DROP TABLE seed_table; --"
    warehouse.record_table("seed_table", table, origin, column_comments={name: comment})
    assert warehouse.read_table("seed_table").to_dict("list") == {name: [1, 2], "other": [3, 4]}
    with reading(home) as connection:
        query = "SELECT comment FROM duckdb_columns() WHERE table_name = 'seed_table'"
        assert connection.execute(query).fetchall() == [(comment,), (None,)]


@pytest.mark.parametrize(
    "asset",
    ["../x", "/etc/passwd", "gan//x", "gan/", "A", "gan__x", "x_", "a b", "", '"; DROP TABLE', "é"],
)
def test_assets_that_could_escape_are_refused(
    warehouse: Warehouse, home: Path, origin: Provenance, asset: str
) -> None:
    for attempt in (
        lambda: warehouse.record_table(asset, pd.DataFrame({"x": [1]}), origin),
        lambda: PageStore(home, "nhefs").record(asset, b"x", origin),
        lambda: warehouse.read_table(asset),
        lambda: warehouse.model(asset),
    ):
        with pytest.raises(InvalidName, match="cannot name a table; use lower-case words"):
            attempt()
    assert {path.name for path in home.rglob("*")} <= {"storage.json"}


@pytest.mark.parametrize("study", ["", "Nhefs", "../x", "a b", "1a", "a" * 64, "a\n"])
def test_studies_that_cannot_name_a_file_are_refused(home: Path, study: str) -> None:
    with pytest.raises(WarehouseError, match="cannot name a database file"):
        Warehouse(home, study)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "column 'x' appears twice"),
        (pd.DataFrame([[1, 2]], columns=["x", "X"]), "column 'X' appears twice"),
        (pa.table([[1], [2]], names=["x", "x"]), "column 'x' appears twice"),
        (pd.DataFrame({"x": [SECRET, 1]}), "column 'x' holds mixed-integer values"),
        (pd.DataFrame({"x": [{SECRET}]}), "column 'x' holds mixed values"),
        (pd.DataFrame({"x": [[SECRET]]}), "column 'x' holds mixed values"),
        (pd.DataFrame({"x": [SECRET.encode()]}), "column 'x' holds bytes values"),
        (pd.DataFrame({"x": [SECRET + "\ud800"]}), "column 'x' holds values that Arrow cannot"),
        (pd.DataFrame({"x": [2**70]}), "column 'x' (holds values|has the type|cannot become)"),
        (pd.DataFrame({"x": [1j]}), "column 'x' holds values that Arrow cannot"),
        (pa.table({"x": [[SECRET]]}), "column 'x' has the type list"),
        (pd.DataFrame({"x": pd.Categorical([1, "1"])}), "column 'x' has categories that read"),
        (pd.DataFrame({1: [1]}), "column name 1 cannot be stored"),
        (pd.DataFrame({"": [1]}), "column name '' cannot be stored"),
        (pd.DataFrame({"\ud800": [1]}), r"column name '\\ud800' cannot be stored"),
        (pd.DataFrame(index=[1, 2]), "the table has no columns"),
    ],
)
def test_what_cannot_be_kept_is_refused_without_quoting_a_cell(
    warehouse: Warehouse, origin: Provenance, table: pd.DataFrame | pa.Table, message: str
) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    with pytest.raises(UnstorableTable, match=message) as caught:
        warehouse.record_table("seed_table", table, origin)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None
    assert warehouse.read_table("seed_table")["x"].tolist() == [1]
    assert warehouse.check_audit_log() == 1


def test_a_label_opens_the_tables_comment(
    warehouse: Warehouse, home: Path, origin: Provenance, reading: Opened
) -> None:
    table = pd.DataFrame({"x": [1]})
    warehouse.record_table("gan/hybrid_triplets", table, origin, label="not for release")
    warehouse.record_table("seed_table", table, origin)
    with reading(home) as connection:
        query = "SELECT comment FROM duckdb_tables() WHERE table_name = ?"
        labelled, plain = (
            connection.execute(query, [name]).fetchall()[0][0]
            for name in ("gan__hybrid_triplets", "seed_table")
        )
    assert labelled.startswith("Not for release. Asset gan/hybrid_triplets, data version ")
    assert plain.startswith("Asset seed_table, data version ")


def test_comment_on_an_unknown_column_is_refused(warehouse: Warehouse, origin: Provenance) -> None:
    with pytest.raises(UnstorableTable, match=r"comments name no column of 'seed_table': \['y'\]"):
        warehouse.record_table(
            "seed_table", pd.DataFrame({"x": [1]}), origin, column_comments={"y": "no"}
        )


def test_a_failure_inside_the_transaction_keeps_table_and_log(
    warehouse: Warehouse, home: Path, origin: Provenance, writing: Opened
) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    with writing(home) as connection:
        connection.execute("ALTER TABLE audit.log RENAME COLUMN user_name TO nobody")
    with pytest.raises(duckdb.Error, match="user_name"):
        warehouse.record_table("seed_table", pd.DataFrame({"x": [2]}), origin)
    assert warehouse.read_table("seed_table")["x"].tolist() == [1]


def test_a_study_never_written_reads_as_empty(warehouse: Warehouse, home: Path) -> None:
    assert warehouse.table_names() == []
    assert len(warehouse.audit_entries()) == 0
    assert warehouse.check_audit_log() == 0
    assert warehouse.verify_tables() == 0
    with pytest.raises(TableNotFound, match="materialize that asset first. Tables so far: none"):
        warehouse.read_table("seed_table")
    assert not (home / "warehouse").exists()


def test_missing_table_names_those_there_are(warehouse: Warehouse, origin: Provenance) -> None:
    warehouse.record_table("gan/hybrid_triplets", pd.DataFrame({"x": [1]}), origin)
    with pytest.raises(TableNotFound, match="no table of 'seed_table'.*: gan__hybrid_triplets"):
        warehouse.table_version("seed_table")


@pytest.mark.file_only
def test_a_file_that_is_no_database_is_reported(
    warehouse: Warehouse, home: Path, origin: Provenance
) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    (home / "warehouse" / "nhefs.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageUnavailable, match="cannot be opened; check its permissions"):
        warehouse.read_table("seed_table")


@pytest.mark.file_only
def test_a_refusal_is_told_without_the_words_of_a_library(home: Path, writing: Opened) -> None:
    fault = r"storage refused while using .*nhefs\.duckdb.*\(No space left on device\)"
    with pytest.raises(StorageUnavailable, match=fault) as refused, writing(home):
        raise OSError(errno.ENOSPC, "cannot write 'Jane Roe'")
    assert "Jane" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_studies_do_not_share_tables(home: Path, origin: Provenance) -> None:
    for study, value in (("s1", 1), ("s2", 2)):
        Warehouse(home, study).record_table("gan/x", pd.DataFrame({"x": [value]}), origin)
    assert Warehouse(home, "s1").read_table("gan/x")["x"].tolist() == [1]
    assert Warehouse(home, "s2").read_table("gan/x")["x"].tolist() == [2]


@pytest.mark.file_only
def test_a_table_and_its_checks_appear_together_or_not_at_all(
    warehouse: Warehouse, home: Path, origin: Provenance
) -> None:
    trail, rows = AuditTrail(home, "nhefs"), pd.DataFrame({"x": [1]})
    failed = CheckRecord("gan/x", data_version(storable_table(rows)), "gate", False, "blocking")
    unwritable = dataclasses.replace(failed, severity=None)  # the column refuses it
    with pytest.raises(duckdb.ConstraintException, match="severity"):
        warehouse.record_table("gan/x", rows, origin, checks=[unwritable])
    assert warehouse.table_names() == []
    assert trail.entries() == ()
    made = warehouse.record_table("gan/x", rows, origin, checks=[failed])
    (record,) = trail.check_records()
    assert record == dataclasses.replace(failed, sequence=2)
    assert record.checked_version == made.data_version
    assert check_audit(home, "nhefs").faults == ()


@pytest.mark.file_only
def test_only_the_owner_can_read(warehouse: Warehouse, home: Path, origin: Provenance) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    PageStore(home, "nhefs").record("study_report", b"x", origin)
    paths = [home.parent, home, *home.rglob("*")]
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in paths}
    assert modes == {
        "project": 0o700,
        "hybrid": 0o700,
        "warehouse": 0o700,
        "nhefs.duckdb": 0o600,
        "nhefs.duckdb.lock": 0o600,
        "nhefs.duckdb.queue": 0o600,
        "reports": 0o700,
        "pages": 0o700,
        ".writing": 0o700,
        "nhefs": 0o700,
        "study_report": 0o700,
        f"{hashlib.sha256(b'x').hexdigest()}.html": 0o600,
        "study_report.html": 0o600,
    }


def test_the_network_and_extensions_are_out_of_reach(
    warehouse: Warehouse, home: Path, origin: Provenance, reading: Opened
) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    with reading(home) as connection:
        names = "'autoinstall_known_extensions', 'autoload_known_extensions'"
        query = f"SELECT value FROM duckdb_settings() WHERE name IN ({names})"
        assert connection.execute(query).fetchall() == [("false",), ("false",)]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COLUMN = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=True, allow_infinity=True),
    "bool": st.booleans(),
    "object": TEXT,
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    n_rows = draw(st.integers(0, 5))
    names = draw(
        st.lists(
            TEXT.filter(lambda name: name and "\0" not in name),
            min_size=1,
            max_size=4,
            unique_by=lambda name: name.casefold(),
        )
    )
    columns = {}
    for name in names:
        kind = draw(st.sampled_from(sorted(COLUMN)))
        values = draw(st.lists(COLUMN[kind], min_size=n_rows, max_size=n_rows))
        columns[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def shared_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(tmp_path_factory.mktemp("home"), "nhefs")


@settings(max_examples=40, deadline=None)
@given(table=frames())
def test_small_frames_round_trip(
    shared_warehouse: Warehouse, origin: Provenance, table: pd.DataFrame
) -> None:
    recorded = shared_warehouse.record_table("seed_table", table, origin)
    stored = shared_warehouse.read_table("seed_table")
    assert_frame_equal(stored, table, check_exact=True)
    assert shared_warehouse.table_version("seed_table").data_version == recorded.data_version
    assert shared_warehouse.verify_tables() == 1


def test_content_and_version_are_read_together(warehouse: Warehouse, origin: Provenance) -> None:
    written = warehouse.record_table("splits", pd.DataFrame({"x": [1, 2]}), origin)
    table, version = warehouse.read_versioned("splits")
    assert table["x"].tolist() == [1, 2]
    assert version == written.data_version
