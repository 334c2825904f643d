"""A study on two hosts, one of which is lost: the tables are those of a single machine."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.heartbeat import ON_HOST
from tests.hosts.conftest import Cluster
from tests.hosts.hosts import Host
from warehouse import Warehouse

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(1500)]

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
"""
HYBRID = ["-W", "ignore", "-c", "from dagster_project.command_line import app; app()"]


@dataclass(frozen=True)
class History:
    """What the runs say of their steps: the hosts of each, what was tried again, what ended."""

    runs: list[str]
    hosts: dict[str, list[str]]
    retried: list[str]
    ended: list[str]


def history(cluster: Cluster) -> History:
    settings = cluster.folder / "host1/home/dagster"
    if not (settings / "dagster.yaml").is_file():
        return History([], {}, [], [])
    hosts: dict[str, list[str]] = {}
    retried, ended = [], []
    with dg.DagsterInstance.from_config(str(settings)) as instance:
        runs = instance.get_runs()
        records = [record for run in runs for record in instance.all_logs(run.run_id)]
    for record in records:
        event = record.dagster_event
        if event is None or event.step_key is None:
            continue
        if (event.message or "").startswith(ON_HOST):
            host = str(event.message).removeprefix(ON_HOST).partition(",")[0]
            hosts.setdefault(event.step_key, []).append(host)
        retried += [event.step_key] if event.is_step_up_for_retry else []
        ended += [event.step_key] if event.is_step_success else []
    return History([run.status.value for run in runs], hosts, retried, ended)


def start(cluster: Cluster, host: Host, *words: str) -> "subprocess.Popen[bytes]":
    command = host.command(sys.executable, *HYBRID, *words)
    with (cluster.folder / "run.log").open("ab") as log:
        return subprocess.Popen(command, env=cluster.environment, stdout=log, stderr=log)


def step_under_way(cluster: Cluster, host: Host) -> str:
    """Wait until a step is at work on a host."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        time.sleep(0.5)
        told = history(cluster)
        for step, hosts in told.hosts.items():
            if hosts[-1] == host.name and step not in told.ended:
                return step
    raise TimeoutError(f"no step on {host.name}")


def versions(home: Path) -> dict[str, str]:
    entries = Warehouse(home, "tiny").audit_entries()
    made = entries[entries["kind"].isin(["table", "model"])]
    return made.groupby("asset")["data_version"].last().to_dict()


def test_a_lost_host_costs_its_steps_only(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    study = cluster.folder / "studies" / "tiny"
    study.mkdir(parents=True)
    (study / "defs.yaml").write_text(STUDY)
    first, second = cluster.add_host(), cluster.add_host()

    for name in ("PGPASSWORD", "HYBRID_POSTGRES", "RAY_ADDRESS"):
        monkeypatch.setenv(name, cluster.environment[name])
    refresh = start(cluster, first, "run", "tiny")
    lost_step = step_under_way(cluster, second)
    second.lose()
    assert refresh.wait(900) == 0, (cluster.folder / "run.log").read_text()[-4000:]

    told = history(cluster)
    print(told)
    assert told.runs == ["SUCCESS"]
    assert told.retried == [lost_step]
    assert told.hosts[lost_step] == [second.name, first.name]
    assert set().union(*told.hosts.values()) == {first.name, second.name}

    third = cluster.add_host()
    simulate = start(cluster, third, "simulate", "tiny")
    assert simulate.wait(600) == 0, (cluster.folder / "run.log").read_text()[-4000:]

    alone = tmp_path / "alone"
    own = {**os.environ, "HYBRID_HOME": str(alone), "HYBRID_STUDIES": str(study.parent)}
    for words in (("run", "tiny"), ("simulate", "tiny")):
        subprocess.run([sys.executable, *HYBRID, *words], env=own, check=True, capture_output=True)
    spread = versions(cluster.folder / "host1" / "home")
    assert spread == versions(alone)
    assert {"cart/hybrid_triplets", "cart/estimator_benchmark", "seed_table"} <= set(spread)
    written = [file for file in cluster.folder.rglob("*") if file.is_file()]
    password = cluster.environment["PGPASSWORD"]
    assert not [f for f in written if password.encode() in f.read_bytes()]
