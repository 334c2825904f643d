import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest

from warehouse import LakeSettings, Provenance, Warehouse, use_storage
from warehouse.connection import BoundedWait
from warehouse.databases import study_database

SEED_VERSION = "5eed" * 16
Opened: TypeAlias = Callable[[Path], AbstractContextManager[duckdb.DuckDBPyConnection]]


@pytest.fixture(params=["file", pytest.param("lake", marks=pytest.mark.lake)])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a home that keeps its studies in files, and one that keeps them in a lake."""
    home = tmp_path / "project" / "hybrid"
    if request.param == "lake":
        if request.node.get_closest_marker("file_only"):
            pytest.skip("about files")
        use_storage(home, request.getfixturevalue("new_lake"))
    return home


@pytest.fixture
def warehouse(home: Path) -> Warehouse:
    return Warehouse(home, "nhefs", wait_seconds=20.0)


@pytest.fixture
def reading() -> Opened:
    """Look past the warehouse into the database of the study nhefs."""
    return lambda home: study_database(home, "nhefs").reading(BoundedWait("test", 5.0))


@pytest.fixture
def writing() -> Opened:
    """Write past the warehouse into the database of the study nhefs."""
    return lambda home: study_database(home, "nhefs").writing(BoundedWait("test", 5.0), "past it")


@pytest.fixture(scope="session")
def origin() -> Provenance:
    return Provenance(
        run_id="run-1",
        code_version="1.2.3",
        study_hash="abc",
        random_seed=7,
        upstream={"seed_table": SEED_VERSION},
        seconds=1.5,
        user="ada",
        started_at="2026-01-31T12:00:00+00:00",
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator["PostgresServer"]:
    """Start a PostgreSQL server of our own."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        pytest.skip("no PostgreSQL server here; Debian: apt-get install postgresql")
    pytest.importorskip("duckdb_extension_ducklake", reason="pip install 'hybrid-assets[lake]'")
    # PostgreSQL refuses to run as root, and its own user cannot enter pytest's folders
    user = "postgres" if os.geteuid() == 0 else None
    folder, port = Path(tempfile.mkdtemp(prefix="hybrid-postgres-")), free_port()
    if user:
        shutil.chown(folder, user)
    data = str(folder / "data")
    subprocess.run(
        [programs / "initdb", "-D", data, "-A", "trust", "-U", "hybrid", "--no-sync"],
        check=True,
        capture_output=True,
        user=user,
    )
    place = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *place, "-c", "fsync=off"],
            stdout=log,
            stderr=log,
            user=user,
        )
    try:
        wait_until_ready(port)
        yield PostgresServer(programs, port)
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder)


@pytest.fixture
def new_lake(postgres: "PostgresServer", tmp_path: Path) -> Iterator[LakeSettings]:
    """Make an empty lake."""
    name = f"lake_{uuid.uuid4().hex}"
    postgres.run(f"CREATE DATABASE {name}")
    yield LakeSettings(catalog=f"{postgres.host} dbname={name}", data_path=str(tmp_path / "lake"))
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class PostgresServer:
    programs: Path
    port: int

    @property
    def host(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=hybrid"

    def run(self, statement: str) -> None:
        psql = [self.programs / "psql", "-q", f"{self.host} dbname=postgres", "-c", statement]
        subprocess.run(psql, check=True, capture_output=True)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_until_ready(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("PostgreSQL did not start")
