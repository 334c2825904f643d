"""Releases are numbered, whole, unalterable, and coreutils agrees with every byte."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import warehouse as package
from warehouse import (
    CorruptRelease,
    Provenance,
    ReleaseNotFound,
    ReleaseSlot,
    ReleaseStore,
    Warehouse,
    altered,
    checksums,
    folder_digests,
)
from warehouse.databases import shared_files
from warehouse.errors import InvalidName

ASSET = "cart/release_bundle"
PROGRAM = """
import sys, time
from pathlib import Path
from warehouse import Provenance, ReleaseStore

home, writer, n_writes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = ReleaseStore(home, "nhefs", wait_seconds=50)
origin = Provenance(writer, "1", "h", 1, {}, 0.1, "ada", "2026-01-31T12:00:00+00:00")
for i in range(n_writes):
    def make(slot):
        print(slot.number, flush=True)
        return {f"{k}.txt": f"{writer} {slot.number}".encode() * 20_000 for k in range(20)}
    store.write("cart/release_bundle", make, origin)
"""


def contents(slot: ReleaseSlot) -> dict[str, bytes]:
    return {"a.csv": b"x\n1\n", "release.json": f"{slot.number} {slot.entry_hash}".encode()}


@pytest.fixture
def store(home: Path) -> ReleaseStore:
    return ReleaseStore(home, "nhefs", wait_seconds=20.0)


def test_a_release_is_numbered_logged_and_anchored(
    store: ReleaseStore, warehouse: Warehouse, origin: Provenance, home: Path
) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    before = warehouse.audit_entries()["entry_hash"].iloc[-1]
    first = store.write(ASSET, contents, origin)
    assert first.folder == home / "releases" / "nhefs" / "cart" / "0001"
    assert store.read("cart", 1)["release.json"] == f"1 {before}".encode()
    entry = warehouse.audit_entries().iloc[-1]
    assert (entry["asset"], entry["kind"], entry["data_version"]) == (
        ASSET,
        "document",
        first.sha256,
    )
    assert first.sha256 == hashlib.sha256((first.folder / "SHA256SUMS").read_bytes()).hexdigest()
    second = store.write(ASSET, contents, origin)
    other = store.write("gan/release_bundle", contents, origin)
    assert store.releases() == [first, second, other]
    assert store.releases("gan") == [other]
    assert [second.number, other.number] == [2, 1]
    assert warehouse.check_audit_log() == 4


def test_a_large_file_is_copied_from_its_start(
    store: ReleaseStore, warehouse: Warehouse, origin: Provenance
) -> None:
    rows = b"0123456789" * 250_000
    with warehouse.unnamed_file() as large:
        large.write(rows)
        folder = store.write(ASSET, lambda slot: {"a.csv": large, "b": b"x"}, origin).folder
    assert store.read("cart", 1)["a.csv"] == rows
    listed = hashlib.sha256(rows).hexdigest().encode()
    assert (folder / "SHA256SUMS").read_bytes().startswith(listed + b"  a.csv\n")


def test_nobody_can_write_to_a_release(store: ReleaseStore, origin: Provenance) -> None:
    folder = store.write(ASSET, contents, origin).folder
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes == {"0001": 0o500, "a.csv": 0o400, "release.json": 0o400, "SHA256SUMS": 0o400}


def test_a_number_is_never_given_twice(store: ReleaseStore, origin: Provenance) -> None:
    for _ in range(2):
        last = store.write(ASSET, contents, origin)
    last.folder.chmod(0o700)
    last.folder.rename(last.folder.parents[3] / "handed_out")
    assert store.write(ASSET, contents, origin).number == 3


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_coreutils_verifies_the_list(store: ReleaseStore, origin: Provenance) -> None:
    folder = store.write(ASSET, contents, origin).folder

    def check() -> subprocess.CompletedProcess[str]:
        command = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert (check().returncode, check().stdout) == (0, "a.csv: OK\nrelease.json: OK\n")
    (folder / "a.csv").chmod(0o600)
    (folder / "a.csv").write_bytes(b"x\n2\n")
    assert check().returncode == 1


def test_the_list_is_written_as_coreutils_writes_it() -> None:
    empty = hashlib.sha256(b"").hexdigest()
    assert checksums({"b": empty, "a.csv": empty}) == f"{empty}  a.csv\n{empty}  b\n".encode()
    for name in ("a b", "../a", "", "SHA256SUMS", "a\n", "a\\b", ".hidden"):
        with pytest.raises(InvalidName, match="use letters, digits, '.', '-' and '_'"):
            checksums({name: empty})


def alter(folder: Path) -> None:
    (folder / "a.csv").write_bytes(b"x\n2\n")


def remove(folder: Path) -> None:
    (folder / "a.csv").unlink()


def add(folder: Path) -> None:
    (folder / "extra").touch()


def space(folder: Path) -> None:
    listed = (folder / "SHA256SUMS").read_bytes()
    (folder / "SHA256SUMS").write_bytes(listed + b"\n")


def remove_list(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (alter, "a.csv is altered"),
        (remove, "a.csv is missing"),
        (add, "extra is not listed"),
        (lambda folder: (folder / "sub").mkdir(), "'sub' is not a plain file"),
        (lambda folder: (folder / "l").symlink_to("a.csv"), "'l' is not a plain file"),
    ],
)
def test_whatever_was_done_to_a_release_is_found(
    store: ReleaseStore, origin: Provenance, tamper: Callable[[Path], None], fault: str
) -> None:
    assert_found(store, origin, tamper, fault)


@pytest.mark.file_only  # what hosts share is fetched again: test_warehouse_shared_files
@pytest.mark.parametrize(
    ("tamper", "fault"),
    [(space, "SHA256SUMS is altered"), (remove_list, "SHA256SUMS is missing")],
)
def test_whatever_was_done_to_the_list_of_a_release_is_found(
    store: ReleaseStore, origin: Provenance, tamper: Callable[[Path], None], fault: str
) -> None:
    assert_found(store, origin, tamper, fault)


def assert_found(
    store: ReleaseStore, origin: Provenance, tamper: Callable[[Path], None], fault: str
) -> None:
    folder = store.write(ASSET, contents, origin).folder
    assert altered(folder, folder_digests(folder)) == []
    for path in (folder, *folder.iterdir()):
        path.chmod(0o700)
    tamper(folder)
    with pytest.raises(CorruptRelease, match=fault):
        store.read("cart", 1)


def test_what_is_not_there(store: ReleaseStore, home: Path) -> None:
    with pytest.raises(ReleaseNotFound, match="no release 7 of 'cart'; hybrid release"):
        store.read("cart", 7)
    with pytest.raises(CorruptRelease, match="there is no such folder"):
        folder_digests(home / "nowhere")
    assert store.releases() == []


def test_a_release_that_cannot_be_made_leaves_nothing(
    store: ReleaseStore, origin: Provenance, home: Path
) -> None:
    def fail(slot: ReleaseSlot) -> dict[str, bytes]:
        raise RuntimeError("no card")

    with pytest.raises(RuntimeError, match="no card"):
        store.write(ASSET, fail, origin)
    with pytest.raises(InvalidName, match="release file 'a/b'"):
        store.write(ASSET, lambda slot: {"a/b": b""}, origin)
    assert list((home / "releases" / "nhefs" / "cart").iterdir()) == []
    assert store.write(ASSET, contents, origin).number == 1


def start(*arguments: object) -> subprocess.Popen[str]:
    root = Path(package.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def test_writers_at_once_take_different_numbers(
    home: Path, store: ReleaseStore, warehouse: Warehouse
) -> None:
    writers = [start(home, writer, 4) for writer in ("one", "two", "three")]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert [each.number for each in store.releases("cart")] == list(range(1, 13))
    assert all(len(store.read("cart", number)) == 21 for number in range(1, 13))
    assert warehouse.check_audit_log() == 12


def test_killed_writers_leave_whole_releases_only(home: Path, store: ReleaseStore) -> None:
    for i in range(4):
        with start(home, "victim", 100_000) as process:
            assert process.stdout is not None
            for _ in range(3):
                process.stdout.readline()
            time.sleep(0.007 * i)
            process.kill()
        for release in store.releases("cart"):
            assert len(store.read("cart", release.number)) == 21
    origin = Provenance("after", "1", "h", 1, {}, 0.1, "ada", "2026-01-31T12:00:00+00:00")
    numbers = [each.number for each in store.releases("cart")]
    folder = "releases/nhefs/cart"
    begun = [int(name.split("/")[3]) for name in shared_files(home).names(folder)]
    taken = {*numbers, *begun, *(int(each.name) for each in (home / folder).glob("[0-9]*"))}
    assert store.write(ASSET, contents, origin).number == max(taken) + 1
    assert taken == set(range(1, max(taken) + 1))
    left = list((home / folder).iterdir())
    assert not [folder for folder in left if folder.name.startswith(".")]
