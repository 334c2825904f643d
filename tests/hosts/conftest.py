"""Hosts that share a PostgreSQL server, a bucket or a folder, and a key; and run a Ray cluster."""

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

from tests.conftest import PostgresServer, postgres_server, started_object_store
from tests.hosts.hosts import NETWORK, OUTSIDE, Host, host, network, why_no_hosts
from warehouse import LakeSettings, migrate

STUDY = """\
type: dagster_project.component.StudyComponent
attributes:
  name: tiny
  title: A small trial
  source: {kind: design, name: paper1_trial, n_rows: 300, random_seed: 5}
  treatment: A
  outcome: Y
  design: {kind: trial, probability: 0.5}
  assignment: randomised
  nuisance: {n_fold_draws: 1, outcome_library: [linear]}
  generators: [cart]
  n_synthetic: 400
  benchmark: {n_replicates: 150, sample_sizes: [100], dials: [{}]}
  random_seed: 7
  gates:
    overrides:
      - {generator: cart, gate: privacy_verdict, person: Ada Lovelace, reason: a test of hosts}
  release: {license: CC-BY-4.0, descriptions: {W4: standard normal}}
"""


@dataclass(frozen=True)
class Cluster:
    """Hosts with one lake.

    Parameters
    ----------
    folder : Path
        What each host sees of the disk's state, its own; this machine sees it as ``host1/``, …
    add_host : callable
        Starts another one, and its part of Ray, with a number of cores; the first is the head.
        Without cores it has no room for a run's process either.
    environment : dict
        Of every process on every host.
    secrets : tuple of str
        Those of the environment that no file may hold.
    """

    folder: Path
    add_host: Callable[[int], Host]
    environment: dict[str, str]
    secrets: tuple[str, ...]

    def home(self, number: int) -> Path:
        """Give a host's home, as this machine sees it."""
        return self.folder / f"host{number}" / "home"


@pytest.fixture
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Start no host yet: the test says when. Parametrised by what their data path is."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    if importlib.util.find_spec("dagster_ray") is None:
        pytest.skip("pip install 'hybrid-assets[ray]'")
    folder = Path(tempfile.mkdtemp(prefix="hx"))  # short: names of Unix sockets are
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        bridge = stack.enter_context(network())
        server = stack.enter_context(postgres_server(NETWORK))
        data_path = tempfile.mkdtemp(prefix="hx")
        stack.callback(shutil.rmtree, data_path)
        password, token, key = (secrets.token_hex(32) for _ in range(3))
        server.run(f"ALTER ROLE hybrid PASSWORD '{password}'")
        server.run("CREATE DATABASE dagster")
        server.run("CREATE DATABASE lake")
        environment = _environment(folder, server)
        environment |= {"PGPASSWORD": password, "RAY_AUTH_TOKEN": token, "HYBRID_AUDIT_KEY": key}
        told = [password, key]
        if request.param == "bucket":
            store = stack.enter_context(started_object_store(OUTSIDE))
            data_path = store.new_bucket()
            environment |= store.environment
            told.append(environment["AWS_SECRET_ACCESS_KEY"])
        for name in {"PGPASSWORD", "HYBRID_POSTGRES", "HYBRID_AUDIT_KEY", "RAY_ADDRESS"} | {
            name for name in environment if name.startswith("AWS_")
        }:
            monkeypatch.setenv(name, environment[name])
        catalog = f"host={OUTSIDE} port={server.port} user=hybrid dbname=lake"
        lake = LakeSettings(catalog=catalog, data_path=data_path)
        started: list[Host] = []

        def add_host(n_cores: int) -> Host:
            own = _own_folders(folder, len(started) + 1, lake)
            added = stack.enter_context(host(bridge, len(started) + 1, own))
            started.append(added)
            _join_ray(added, started[0], n_cores, environment)
            return added

        yield Cluster(folder, add_host, environment, tuple(told))


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
        "RAY_JOB_START_TIMEOUT_SECONDS": "604800",
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
    }


def _own_folders(folder: Path, number: int, lake: LakeSettings) -> list[tuple[Path, Path]]:
    """Make what a host sees in place of `folder`, and its own /tmp/ray: no file of another's."""
    own, first = folder / f"host{number}", folder / "host1"
    for made in (own / "home", own / "ray", own / "studies" / "tiny", Path("/tmp/ray")):
        made.mkdir(parents=True, exist_ok=True)
    (own / "studies" / "tiny" / "defs.yaml").write_text(STUDY)
    if own == first:
        migrate(first / "home", lake)
    else:
        shutil.copy(first / "home" / "storage.json", own / "home")
    return [(own / "ray", Path("/tmp/ray")), (own, folder)]


def _join_ray(added: Host, head: Host, n_cores: int, environment: dict[str, str]) -> None:
    joins = ["--address", f"{head.address}:6379"]
    if added is head:
        joins = ["--head", "--port", "6379", "--dashboard-host", "0.0.0.0", "--disable-usage-stats"]
    room = ["--num-cpus", str(n_cores), "--object-store-memory", "200000000"]
    room += [] if n_cores else ["--memory", "300000000"]
    added.run("ray", "start", *joins, "--node-ip-address", added.address, *room, env=environment)
