"""What hosts share beside tables: two homes that have one ``storage.json`` in common."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import warehouse as package
from tests.conftest import SECRET, ObjectStore, PostgresServer, started_object_store
from warehouse import (
    CorruptModel,
    CorruptRelease,
    DecisionStore,
    KeyedHash,
    KeyNotFound,
    LakeSettings,
    ModelNotFound,
    ModelStore,
    ModelVersion,
    PageStore,
    Provenance,
    ReleaseNotFound,
    ReleaseSlot,
    ReleaseStore,
    StorageUnavailable,
    UnfinishedParts,
    Warehouse,
    check_audit,
    checksums,
    mark_home,
    use_storage,
)
from warehouse.bucket import SharedBucket
from warehouse.connection import BoundedWait
from warehouse.databases import kept_files, shared_files, study_database
from warehouse.errors import InvalidName
from warehouse.shared_files import SharedFiles, SharedFolder

ASSET, NAME = "cart/release_bundle", "releases/nhefs/cart/0001"
ROWS = pd.DataFrame({"x": range(3000)})


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.lake)])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> SharedFiles:
    if request.param == "folder":
        return SharedFolder(tmp_path / "shared")
    store: ObjectStore = request.getfixturevalue("object_store")
    store.enter(request.getfixturevalue("monkeypatch"))
    return SharedBucket(store.new_bucket())


def test_a_place_keeps_whole_files_by_name(files: SharedFiles, tmp_path: Path) -> None:
    assert (files.get("a/x"), files.names("a"), files.names("")) == (None, [], [])
    files.put("a/x", b"1")
    files.put("a/x", b"2")
    (tmp_path / "file").write_bytes(b"large")
    files.put_file("a/b/y", tmp_path / "file")
    files.put("ab/z", b"")
    assert files.get("a/x") == b"2"
    assert files.get("a/b/y") == b"large"
    assert files.get("ab/z") == b""
    assert files.get("a") is None
    assert files.get_file("a/b/y", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"large"
    assert not files.get_file("a/b/z", tmp_path / "none")
    assert files.names("a") == ["a/b/y", "a/x"]
    files.remove("a/x")
    files.remove("a/x")
    assert files.names("a") == ["a/b/y"]
    files.remove("a")
    assert files.names("") == ["ab/z"]


def test_a_new_file_is_new_for_one_writer_only(files: SharedFiles, tmp_path: Path) -> None:
    assert files.put_new("a/x", b"1")
    assert not files.put_new("a/x", b"2")
    (tmp_path / "file").write_bytes(b"3")
    assert not files.put_new_file("a/x", tmp_path / "file")
    assert files.put_new_file("a/z", tmp_path / "file")
    assert (files.get("a/x"), files.get("a/z")) == (b"1", b"3")
    won: list[bytes] = []

    def write(content: bytes) -> None:
        if files.put_new("a/y", content):
            won.append(content)

    writers = [threading.Thread(target=write, args=(bytes([i]),)) for i in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [files.get("a/y")] == won


def test_a_shared_folder_is_its_owners_alone(tmp_path: Path) -> None:
    SharedFolder(tmp_path / "shared").put("a/x", b"1")
    modes = [path.stat().st_mode & 0o777 for path in sorted((tmp_path / "shared").rglob("*"))]
    assert modes == [0o700, 0o700, 0o600]
    with pytest.raises(StorageUnavailable, match="refuses .*check that it is mounted"):
        SharedFolder(tmp_path / "shared" / "a" / "x").put("y", b"1")


def test_what_killed_writers_left_unfinished_is_swept(tmp_path: Path) -> None:
    fresh, old = (tmp_path / ".writing" / name for name in ("fresh", "old"))
    fresh.parent.mkdir()
    for file in (fresh, old):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    SharedFolder(tmp_path).put("a/x", b"1")
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".writing", "a", "fresh", "x"]


KILLED = """
import os, pathlib, signal, sys
from warehouse.shared_files import SharedFolder

pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
SharedFolder(pathlib.Path(sys.argv[1])).put("models/1/m.json", b"half")
"""


def test_a_killed_writer_leaves_nothing_in_the_folder_of_a_model(tmp_path: Path) -> None:
    command, root = [sys.executable, "-c", KILLED, str(tmp_path)], Path(package.__file__).parents[1]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(root)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list((tmp_path / "models" / "1").iterdir()) == []
    assert SharedFolder(tmp_path).names("") == []


def test_a_link_whose_answer_was_lost_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def repeated(origin: Path, place: Path) -> None:
        """Do as NFS may: make the link, lose the answer, ask again."""
        link(origin, place)
        link(origin, place)

    monkeypatch.setattr(os, "link", repeated)
    files = SharedFolder(tmp_path)
    assert files.put_new("a/x", b"1")
    assert not files.put_new("a/x", b"1")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a//x", ".x", "a/.x", "a/"])
def test_names_that_leave_the_place_are_refused(files: SharedFiles, name: str) -> None:
    for attempt in (lambda: files.put(name, b"1"), lambda: files.get(name)):
        with pytest.raises(InvalidName, match="cannot name a shared file"):
            attempt()
    assert files.names("") == []


LAKES = {"folder": "new_lake", "bucket": "new_bucket_lake"}


@pytest.fixture(params=LAKES)
def homes(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Two hosts."""
    one, other = tmp_path / "one", tmp_path / "other"
    for home in (one, other):
        use_storage(home, request.getfixturevalue(LAKES[request.param]))
    return one, other


def write_model(folder: Path) -> None:
    (folder / "trees").mkdir()
    (folder / "trees" / "0.json").write_text("1")
    (folder / "m.json").write_text("2")


def contents(slot: ReleaseSlot) -> dict[str, bytes]:
    return {"a.csv": b"x\n1\n", "release.json": f"{slot.number}".encode()}


def alter(name: str) -> Callable[[SharedFiles, str], None]:
    return lambda shared, folder: shared.put(f"{folder}/{name}", b"[]")


def lose(name: str) -> Callable[[SharedFiles, str], None]:
    return lambda shared, folder: shared.remove(f"{folder}/{name}")


@pytest.mark.lake
def test_a_model_is_fetched_by_another_host_and_mended(homes: tuple[Path, Path]) -> None:
    one, other = homes
    saved = ModelStore(one).save(write_model)
    folder = ModelStore(other).open(saved)
    assert folder == other / "models" / saved.sha256
    assert (folder / "trees" / "0.json").read_text() == "1"
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "m.json").write_text("3")
    assert (ModelStore(other).open(saved) / "m.json").read_text() == "2"


@pytest.mark.lake
@pytest.mark.parametrize(
    ("tamper", "error", "fault"),
    [
        (alter("m.json"), CorruptModel, r"has an altered file, 'm\.json' in "),
        (lose("m.json"), CorruptModel, r"has a missing or added file, 'm\.json' in "),
        (alter("manifest.json"), CorruptModel, r"has an altered manifest\.json in "),
        (lose("manifest.json"), ModelNotFound, "materialize the asset that fits it"),
    ],
)
def test_an_altered_or_half_written_model_is_not_taken_for_one(
    homes: tuple[Path, Path],
    tamper: Callable[[SharedFiles, str], None],
    error: type[Exception],
    fault: str,
) -> None:
    one, other = homes
    saved: ModelVersion = ModelStore(one).save(write_model)
    tamper(shared_files(one), f"models/{saved.sha256}")
    with pytest.raises(error, match=fault):
        ModelStore(other).open(saved)
    assert list((other / "models").glob("*")) == []
    ModelStore(one).save(write_model)
    assert (ModelStore(other).open(saved) / "m.json").read_text() == "2"


@pytest.mark.lake
def test_releases_are_numbered_across_hosts_and_read_by_all(
    homes: tuple[Path, Path], origin: Provenance
) -> None:
    one, other = (ReleaseStore(home, "nhefs") for home in homes)
    first = one.write(ASSET, contents, origin)
    shared_files(homes[0]).put("releases/nhefs/cart/0002/a.csv", b"half of a release")
    second = other.write(ASSET, contents, origin)
    assert (first.number, second.number) == (1, 3)
    told = [(each.number, each.sha256) for each in one.releases()]
    assert told == [(each.number, each.sha256) for each in other.releases("cart")]
    assert told == [(1, first.sha256), (3, second.sha256)]
    assert other.read("cart", 1)["release.json"] == b"1"
    assert other.folder("cart", 1).stat().st_mode & 0o777 == 0o500
    with pytest.raises(ReleaseNotFound, match="no release 2 of 'cart'"):
        other.read("cart", 2)


@pytest.mark.lake
@pytest.mark.parametrize(
    ("tamper", "error", "fault"),
    [
        (alter("a.csv"), CorruptRelease, "a.csv is altered; do not hand it out"),
        (lose("a.csv"), CorruptRelease, "a.csv is missing"),
        (alter("extra.csv"), CorruptRelease, "extra.csv is not listed"),
        (lose("SHA256SUMS"), ReleaseNotFound, "no release 1"),
    ],
)
def test_an_altered_release_is_not_fetched(
    homes: tuple[Path, Path],
    origin: Provenance,
    tamper: Callable[[SharedFiles, str], None],
    error: type[Exception],
    fault: str,
) -> None:
    ReleaseStore(homes[0], "nhefs").write(ASSET, contents, origin)
    tamper(shared_files(homes[0]), NAME)
    with pytest.raises(error, match=fault):
        ReleaseStore(homes[1], "nhefs").read("cart", 1)
    assert not (homes[1] / NAME).exists()
    assert check_audit(homes[0], "nhefs").faults != ()


@pytest.mark.lake
def test_a_release_that_the_log_does_not_know_is_none(
    homes: tuple[Path, Path], origin: Provenance
) -> None:
    one, other = (ReleaseStore(home, "nhefs") for home in homes)
    one.write(ASSET, contents, origin)
    shared, folder = shared_files(homes[0]), "releases/nhefs/cart"
    shared.put(f"{folder}/0002/a.csv", b"x\n2\n")
    shared.put(
        f"{folder}/0002/SHA256SUMS", checksums({"a.csv": hashlib.sha256(b"x\n2\n").hexdigest()})
    )
    shared.put(f"{folder}/README", b"")
    assert [each.number for each in other.releases()] == [1]
    with pytest.raises(ReleaseNotFound, match="no release 2"):
        other.read("cart", 2)
    faults = check_audit(homes[1], "nhefs").faults
    unknown = "release cart/0002 is not in the audit log as it is now"
    assert [fault.startswith(unknown) for fault in faults].count(True) == 1
    assert other.write(ASSET, contents, origin).number == 3
    (homes[0] / folder / "0001").chmod(0o700)
    (homes[0] / folder / "0001" / "SHA256SUMS").chmod(0o600)
    (homes[0] / folder / "0001" / "SHA256SUMS").write_bytes(b"altered")
    assert one.read("cart", 1) == other.read("cart", 1)


@pytest.mark.lake
def test_a_refused_commit_quotes_no_cell(
    tmp_path: Path, new_lake: LakeSettings, postgres: PostgresServer, origin: Provenance
) -> None:
    use_storage(tmp_path, new_lake)
    warehouse = Warehouse(tmp_path, "nhefs")
    warehouse.record_table("seed_table", ROWS, origin)
    refusing = (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'refused'; END $$; CREATE TRIGGER refusing BEFORE INSERT ON "
        "hybrid_nhefs.ducklake_data_file EXECUTE FUNCTION refuse()"
    )
    psql = [postgres.programs / "psql", "-q", new_lake.catalog, "-c", refusing]
    subprocess.run(psql, check=True, capture_output=True)
    table = pd.DataFrame({"name": [f"canary {i}" for i in range(3000)], "x": 748_291_733})
    with pytest.raises(StorageUnavailable, match=r"the lake refused .*Exception\)") as refused:
        warehouse.record_table("gan/x", table, origin)
    told = "".join(traceback.format_exception(refused.value))
    assert "canary" not in str(refused.value)
    assert "748291733" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert "canary" not in told
    assert warehouse.table_names() == ["seed_table"]


@pytest.mark.lake
def test_two_hosts_cannot_both_spend_what_is_left(
    homes: tuple[Path, Path], origin: Provenance
) -> None:
    at_once, refused = threading.Barrier(2), []

    def permit(fits: Sequence[bytes]) -> None:
        if fits:
            raise ValueError("nothing is left")

    def spend(home: Path) -> None:
        store = DecisionStore(home, "nhefs", wait_seconds=60.0)
        at_once.wait()
        try:
            store.record("privacy_ledger", str(home).encode(), origin, permit=permit)
        except ValueError as error:
            refused.append(str(error))

    hosts = [threading.Thread(target=spend, args=(home,)) for home in homes]
    for host in hosts:
        host.start()
    for host in hosts:
        host.join()
    assert refused == ["nothing is left"]
    spent = [DecisionStore(home, "nhefs").contents("privacy_ledger") for home in homes]
    assert spent[0] == spent[1]
    assert len(spent[0]) == 1


@pytest.mark.lake
def test_a_step_goes_on_on_another_host(homes: tuple[Path, Path]) -> None:
    one, other = (UnfinishedParts(home, "nhefs", "gan/fitted_generator", "k1") for home in homes)
    one.keep("a", ROWS)
    one.keep_state("training", b"step 100")
    other.keep_state("training", b"step 300")
    assert one.state("training") == b"step 300"
    pd.testing.assert_frame_equal(other.read(), ROWS)
    other.remove()
    assert one.state("training") is None
    assert one.read() is None
    assert list(homes[0].rglob("unfinished")) == []


@pytest.mark.lake
def test_hosts_hash_under_one_key_or_are_refused(
    homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = homes
    told = KeyedHash(one, make=True).of("subject", "x")
    with pytest.raises(KeyNotFound, match="or give it the key of the other hosts"):
        KeyedHash(other, make=True).of("subject", "x")
    assert not (other / "keys").exists()
    monkeypatch.setenv("HYBRID_AUDIT_KEY", "0f" * 32)
    with pytest.raises(StorageUnavailable, match="hashed under the key of another host; give"):
        KeyedHash(other).of("subject", "x")
    monkeypatch.setenv("HYBRID_AUDIT_KEY", (one / "keys" / "audit.key").read_bytes().hex())
    assert KeyedHash(other, make=True).of("subject", "x") == told
    (shared,) = shared_files(one).names("keys")
    assert shared_files(one).get(shared) == KeyedHash(one).key_name[len("hmac-sha256:") :].encode()
    monkeypatch.setenv("HYBRID_AUDIT_KEY", "secret")
    with pytest.raises(StorageUnavailable, match="expected 64 hexadecimal digits") as refused:
        KeyedHash(other).of("subject", "x")
    assert "secret" not in str(refused.value).partition("expected")[2]


@pytest.mark.lake
def test_a_whole_study_is_whole_on_a_second_host(
    homes: tuple[Path, Path], origin: Provenance
) -> None:
    one, other = homes
    warehouse = Warehouse(one, "nhefs")
    warehouse.record_table("seed_table", ROWS, origin)
    warehouse.record_model("cart/fitted_generator", ModelStore(one).save(write_model), origin)
    PageStore(one, "nhefs").record("study_report", b"<p>", origin)
    DecisionStore(one, "nhefs").record("cart/approval", b"{}", origin)
    head = warehouse.audit_entries().iloc[-1]
    anchor = f'{{"audit_head": {{"n_entries": 4, "entry_hash": "{head["entry_hash"]}"}}}}'
    released = {"release.json": anchor.encode()}
    ReleaseStore(one, "nhefs").write(ASSET, lambda slot: released, origin)
    found = check_audit(other, "nhefs")
    counted = (found.n_tables, found.n_models, found.n_documents, found.n_releases)
    assert (found.faults, counted) == ((), (1, 1, 2, 1))
    assert [path.name for path in other.iterdir()] == ["storage.json"]


def greppable(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file())


@pytest.mark.lake
def test_a_secret_is_written_nowhere(
    tmp_path: Path, new_bucket_lake: LakeSettings, postgres: PostgresServer, origin: Provenance
) -> None:
    use_storage(tmp_path / "home", new_bucket_lake)
    warehouse = Warehouse(tmp_path / "home", "nhefs")
    warehouse.record_table("seed_table", ROWS, origin)
    warehouse.record_model("gan/m", ModelStore(tmp_path / "home").save(write_model), origin)
    wait = BoundedWait("test", 5.0)
    with study_database(tmp_path / "home", "nhefs").reading(wait) as connection:
        told = connection.execute("FROM duckdb_secrets()").fetchall()
        assert "redacted" in str(told)
        assert SECRET not in str(told)
        for place in ("http://127.0.0.1/x.csv", "hf://datasets/x/x.csv"):
            with pytest.raises(duckdb.PermissionException, match="disabled by configuration"):
                connection.execute(f"FROM '{place}'")
    name = dict(pair.split("=") for pair in new_bucket_lake.catalog.split())["dbname"]
    dump = [postgres.programs / "pg_dump", f"{postgres.host} dbname={name}"]
    catalog = subprocess.run(dump, check=True, capture_output=True).stdout
    assert b"seed_table" in catalog
    assert SECRET.encode() not in catalog
    assert [f for f in greppable(tmp_path) if SECRET.encode() in f.read_bytes()] == []
    shared = kept_files(tmp_path / "home")
    assert shared.names("tables/nhefs") != []
    assert [name for name in shared.names("") if SECRET.encode() in (shared.get(name) or b"")] == []


class Refusing(BaseHTTPRequestHandler):
    """A store that knows no such key and repeats what it was sent."""

    def answer(self) -> None:
        body = (
            "<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code>"
            f"<Message>no such key, {SECRET}</Message></Error>"
        ).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.mark.lake
def test_wrong_credentials_are_told_and_not_quoted(
    tmp_path: Path,
    new_bucket_lake: LakeSettings,
    origin: Provenance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    use_storage(home, new_bucket_lake)
    Warehouse(home, "nhefs").record_table("seed_table", ROWS, origin)
    tries: list[Callable[[], object]] = [
        lambda: Warehouse(home, "nhefs").record_table("gan/x", ROWS, origin),
        lambda: ModelStore(home).save(write_model),
        lambda: ModelStore(home).open("0" * 64),
        lambda: DecisionStore(home, "nhefs").record("cart/approval", b"{}", origin),
        lambda: ReleaseStore(home, "nhefs").write(ASSET, contents, origin),
        lambda: UnfinishedParts(home, "nhefs", "gan/x", "k").keep_state("s", b""),
    ]
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with monkeypatch.context() as wrong:
            wrong.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
            for attempt in tries:
                with pytest.raises(StorageUnavailable, match="refuse") as refused:
                    attempt()
                assert SECRET not in str(refused.value)
        server.shutdown()
    with monkeypatch.context() as wrong:
        wrong.setenv("AWS_ENDPOINT_URL_S3", "minio:9000")
        with pytest.raises(StorageUnavailable, match="expected https://host or http://host:port"):
            tries[1]()
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for attempt in tries:
        with pytest.raises(StorageUnavailable, match="needs AWS_SECRET_ACCESS_KEY in the env"):
            attempt()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert Warehouse(home, "nhefs").check_audit_log() == 1
    assert Warehouse(home, "nhefs").verify_tables() == 1
    assert shared_files(home).names("models") == []


@pytest.mark.lake
def test_a_store_that_vanishes_in_the_middle_leaves_what_was_there(
    tmp_path: Path, postgres: PostgresServer, origin: Provenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    with started_object_store() as store, postgres.new_database() as catalog:
        store.enter(monkeypatch)
        lake = LakeSettings(catalog=catalog, data_path=store.new_bucket())
        mark_home(lake.catalog, lake.data_path)
        use_storage(home, lake)
        warehouse = Warehouse(home, "nhefs")
        warehouse.record_table("seed_table", ROWS, origin)

        def vanish(slot: ReleaseSlot) -> dict[str, bytes]:
            store.process.kill()
            return contents(slot)

        with pytest.raises(StorageUnavailable, match="the object store s3://.* refuses"):
            ReleaseStore(home, "nhefs").write(ASSET, vanish, origin)
        assert list((home / "releases" / "nhefs" / "cart").iterdir()) == []
        with pytest.raises(StorageUnavailable, match="the object store s3://.* refuses"):
            warehouse.record_table("seed_table", ROWS.iloc[::-1], origin)
        assert warehouse.check_audit_log() == 1  # the log is in the catalog, as it was


@pytest.mark.lake
def test_a_bucket_that_is_not_there_is_not_an_empty_one(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    object_store.enter(monkeypatch)
    missing = SharedBucket("s3://no-such-bucket/x")
    for ask in (lambda: missing.get("a"), lambda: missing.names("a")):
        with pytest.raises(StorageUnavailable, match="s3://no-such-bucket/x refuses"):
            ask()


@pytest.mark.parametrize(
    "data_path",
    [
        "lake",
        "s3://",
        "s3://b",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?secret=y",
        "gs://bucket",
    ],
)
def test_places_that_are_none_are_refused(data_path: str) -> None:
    with pytest.raises(ValueError, match="expected a folder from the root on, or s3:") as refused:
        LakeSettings(catalog="host=x", data_path=data_path)
    assert not re.search("secret", str(refused.value))
