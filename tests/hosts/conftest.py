"""Two hosts that share a PostgreSQL server and a folder, and run a Ray cluster."""

import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PostgresServer, postgres_server
from tests.hosts.hosts import NETWORK, OUTSIDE, Host, host, network, why_no_hosts
from warehouse import LakeSettings
from warehouse.databases import use_storage


@dataclass(frozen=True)
class Cluster:
    """Hosts with one lake.

    Parameters
    ----------
    folder : Path
        Where this machine sees each host's home, by its name.
    add_host : callable
        Starts another one, and its part of Ray; the first is the head.
    environment : dict
        Of every process on every host.
    """

    folder: Path
    add_host: Callable[[], Host]
    environment: dict[str, str]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Start no host yet: the test says when."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    if importlib.util.find_spec("dagster_ray") is None:
        pytest.skip("pip install 'hybrid-assets[ray]'")
    folder = Path(tempfile.mkdtemp(prefix="hx"))  # short: names of Unix sockets are
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        bridge = stack.enter_context(network())
        server = stack.enter_context(postgres_server(NETWORK))
        password = secrets.token_hex(8)
        server.run(f"ALTER ROLE hybrid PASSWORD '{password}'")
        server.run("CREATE DATABASE dagster")
        server.run("CREATE DATABASE lake")
        environment = _environment(folder, server) | {"PGPASSWORD": password}
        environment["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        environment["HYBRID_AUDIT_KEY"] = secrets.token_hex(32)
        started: list[Host] = []

        def add_host() -> Host:
            number = len(started) + 1
            own = _own_folders(folder, number, server)
            added = stack.enter_context(host(bridge, number, own))
            started.append(added)
            _join_ray(added, started[0], environment)
            return added

        yield Cluster(folder, add_host, environment)


def _environment(folder: Path, server: PostgresServer) -> dict[str, str]:
    programs = Path(sys.executable).parent
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path.cwd()),
        "HOME": "/root",
        "HYBRID_HOME": str(folder / "home"),
        "HYBRID_STUDIES": str(folder / "studies"),
        "HYBRID_EXECUTOR": "ray",
        "HYBRID_POSTGRES": f"postgresql+psycopg2://hybrid@{OUTSIDE}:{server.port}/dagster",
        "RAY_ADDRESS": f"{NETWORK}.2:6379",
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
    }


def _own_folders(folder: Path, number: int, server: PostgresServer) -> list[tuple[Path, Path]]:
    """Make a host's own home, seen at the same place as on the others, and its own /tmp/ray."""
    own = folder / f"host{number}"
    home, ray = own / "home", own / "ray"
    for made in (home, ray, folder / "home", Path("/tmp/ray")):
        made.mkdir(parents=True, exist_ok=True)
    catalog = f"host={OUTSIDE} port={server.port} user=hybrid dbname=lake"
    use_storage(home, LakeSettings(catalog=catalog, data_path=str(folder / "lake")))
    return [(home, folder / "home"), (ray, Path("/tmp/ray"))]


def _join_ray(added: Host, head: Host, environment: dict[str, str]) -> None:
    joins = ["--address", f"{head.address}:6379"]
    if added is head:
        joins = ["--head", "--port", "6379", "--dashboard-host", "0.0.0.0", "--disable-usage-stats"]
    room = ["--num-cpus", "1", "--object-store-memory", "200000000"]
    added.run("ray", "start", *joins, "--node-ip-address", added.address, *room, env=environment)
