"""Processes that meet wait for each other; a killed one leaves the last complete version."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

import warehouse as package
from warehouse import Provenance, Warehouse, WarehouseBusy

PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from warehouse import Provenance, Warehouse

home, writer, n_writes, n_rows = Path(sys.argv[1]), int(sys.argv[2]), *map(int, sys.argv[3:])
warehouse = Warehouse(home, "nhefs", wait_seconds=50)
for i in range(n_writes):
    value = 1000 * writer + i
    table = pd.DataFrame({"x": [value] * n_rows, "label": [str(value)] * n_rows})
    origin = Provenance(
        f"{writer}-{i}", "1", "h", 1, {}, 0.1, "ada", "2026-01-31T12:00:00+00:00"
    )
    version = warehouse.record_table("seed_table", table, origin)
    assert 0 <= version.waited_seconds < 50
    print(value, flush=True)
"""
N_WRITERS = 8
HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    root = Path(package.__file__).parents[1]
    python_path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": python_path},
    )


def release_once_waited_for(holder: subprocess.Popen[str], home: Path) -> None:
    """End the holder when a writer has the study's lock, and so waits for DuckDB's."""
    assert holder.stdin is not None
    with (home / "warehouse" / "nhefs.duckdb.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                break
            fcntl.flock(lock, fcntl.LOCK_UN)
            time.sleep(0.01)
    time.sleep(0.5)
    holder.stdin.close()


def assert_one_complete_version(table: pd.DataFrame, n_rows: int) -> None:
    assert len(table) == n_rows
    assert table["x"].nunique() == 1
    assert table["label"].unique().tolist() == [str(table["x"][0])]


def test_writers_and_readers_together(home: Path, warehouse: Warehouse) -> None:
    writers = [start(PROGRAM, home, writer, 5, 2000) for writer in range(N_WRITERS)]
    n_reads = 0
    while any(writer.poll() is None for writer in writers):
        if warehouse.table_names():
            assert_one_complete_version(warehouse.read_table("seed_table"), 2000)
            n_reads += 1
    for writer in writers:
        _, errors = writer.communicate()
        assert (writer.returncode, errors) == (0, "")
    assert n_reads > 0
    assert warehouse.check_audit_log() == 5 * N_WRITERS
    assert warehouse.verify_tables() == 1
    assert set(warehouse.audit_entries()["run_id"]) == {
        f"{writer}-{i}" for writer in range(N_WRITERS) for i in range(5)
    }


def test_killed_writers_leave_the_last_complete_version(home: Path, warehouse: Warehouse) -> None:
    n_killed = 4
    for writer in range(n_killed):
        process = start(PROGRAM, home, writer, 100_000, 30_000)
        with process:
            assert process.stdout is not None
            for _ in range(3):
                process.stdout.readline()
            time.sleep(0.013 * writer)
            process.kill()
        assert_one_complete_version(warehouse.read_table("seed_table"), 30_000)
        n_entries = warehouse.check_audit_log()
        assert n_entries >= 3 * (writer + 1)
        assert warehouse.verify_tables() == 1
        last_run = warehouse.audit_entries()["run_id"].iloc[-1]
        killed, i = map(int, last_run.split("-"))
        assert warehouse.read_table("seed_table")["x"][0] == 1000 * killed + i


@pytest.mark.file_only
def test_another_program_that_holds_the_file_is_waited_for(
    home: Path, warehouse: Warehouse, origin: Provenance
) -> None:
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    holder = start(HOLD, home / "warehouse" / "nhefs.duckdb")
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        impatient = Warehouse(home, "nhefs", wait_seconds=0.4)
        started = time.monotonic()
        with pytest.raises(WarehouseBusy, match=r"study 'nhefs' was in use .* whole 0\.4 s"):
            impatient.record_table("seed_table", pd.DataFrame({"x": [2]}), origin)
        with pytest.raises(WarehouseBusy, match=r"study 'nhefs' was in use .* whole 0\.4 s"):
            impatient.read_table("seed_table")
        assert time.monotonic() - started >= 0.8
        threading.Thread(target=release_once_waited_for, args=(holder, home)).start()
        version = warehouse.record_table("seed_table", pd.DataFrame({"x": [3]}), origin)
        assert 0.0 < version.waited_seconds < warehouse.wait_seconds
    assert warehouse.read_table("seed_table")["x"].tolist() == [3]


@pytest.mark.file_only
def test_a_lock_that_is_never_released_ends_the_wait(home: Path, origin: Provenance) -> None:
    impatient = Warehouse(home, "nhefs", wait_seconds=0.3)
    impatient.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    with (home / "warehouse" / "nhefs.duckdb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert impatient.read_table("seed_table")["x"].tolist() == [1]
        with pytest.raises(WarehouseBusy, match="close programs that hold it open"):
            impatient.record_table("seed_table", pd.DataFrame({"x": [2]}), origin)
        assert impatient.read_table("seed_table")["x"].tolist() == [1]


def test_overlapping_readers_do_not_keep_a_writer_out(home: Path, origin: Provenance) -> None:
    warehouse = Warehouse(home, "nhefs", wait_seconds=240.0)  # out for ever, without the queue
    table = pd.DataFrame({"x": range(20_000)})
    warehouse.record_table("seed_table", table, origin)
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            warehouse.read_table("seed_table")

    readers = [threading.Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    try:
        waits = [
            warehouse.record_table("seed_table", table, origin).waited_seconds for _ in range(5)
        ]
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert max(waits) < 60.0
    assert warehouse.check_audit_log() == 6


@pytest.mark.file_only
def test_an_unfinished_first_creation_is_forgotten(
    home: Path, warehouse: Warehouse, origin: Provenance
) -> None:
    (home / "warehouse").mkdir(parents=True)
    (home / "warehouse" / ".nhefs.duckdb.unfinished").write_bytes(b"half a database")
    (home / "warehouse" / ".nhefs.duckdb.unfinished.wal").write_bytes(b"half a log")
    warehouse.record_table("seed_table", pd.DataFrame({"x": [1]}), origin)
    assert warehouse.read_table("seed_table")["x"].tolist() == [1]
