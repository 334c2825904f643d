"""A study on two hosts, one of which is lost: the tables are those of a single machine."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import yaml

from dagster_project.abandoned_runs import end_abandoned_runs
from dagster_project.heartbeat import ON_HOST
from tests.hosts.conftest import Cluster
from tests.hosts.hosts import Host
from warehouse import Warehouse

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(3600)]

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
# Some of the study, as the command line runs all of it.
DRIVER = """
import sys
from dagster_project.instance import prepare_instance
prepare_instance()
from dagster_project.study_run import run_study
ended = run_study("tiny", sys.argv[1], lambda event: None, assets=sys.argv[2:])
sys.exit(", ".join(ended.failures) or not ended.success)
"""
REFRESH = ["refresh", "seed_table", "splits", "seed_estimates", "propensity_model", "outcome_model"]
REFRESH += [f"cart/{n}" for n in ("fitted_generator", "synthetic_covariates", "hybrid_triplets")]
SIMULATE = ["simulate", "cart/estimator_benchmark"]
MOST_SECONDS = 1500  # a minute or two on two cores of one's own


@dataclass(frozen=True)
class History:
    """What the runs say of their steps: the hosts of each, what was tried again, what ended."""

    runs: list[str]
    hosts: dict[str, list[str]]
    retried: list[str]
    ended: list[str]


def settings_of(cluster: Cluster) -> str:
    return str(cluster.folder / "host1" / "home" / "dagster")


def history(cluster: Cluster) -> History:
    if not Path(settings_of(cluster), "dagster.yaml").is_file():
        return History([], {}, [], [])
    hosts: dict[str, list[str]] = {}
    retried, ended = [], []
    with dg.DagsterInstance.from_config(settings_of(cluster)) as instance:
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
    command = host.command(sys.executable, "-W", "ignore", "-c", DRIVER, *words)
    with (cluster.folder / "run.log").open("ab") as log:
        return subprocess.Popen(command, env=cluster.environment, stdout=log, stderr=log)


def step_under_way(cluster: Cluster, host: Host) -> str:
    """Wait until a step is at work on a host."""
    end = time.monotonic() + MOST_SECONDS
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
    refresh = start(cluster, first, *REFRESH)
    lost_step = step_under_way(cluster, second)
    with dg.DagsterInstance.from_config(settings_of(cluster)) as instance:
        assert end_abandoned_runs(instance) == []  # this machine is a host like any other
    second.lose()
    assert refresh.wait(MOST_SECONDS) == 0, (cluster.folder / "run.log").read_text()[-4000:]

    told = history(cluster)
    assert told.runs == ["SUCCESS"]
    assert told.retried == [lost_step]
    assert told.hosts[lost_step] == [second.name, first.name]
    assert set().union(*told.hosts.values()) == {first.name, second.name}

    settings = yaml.safe_load(Path(settings_of(cluster), "dagster.yaml").read_text())
    assert settings["storage"]["postgres"]["postgres_url"] == {"env": "HYBRID_POSTGRES"}
    assert settings["run_launcher"]["class"] == "RayRunLauncher"

    third = cluster.add_host()
    simulate = start(cluster, third, *SIMULATE)
    assert simulate.wait(MOST_SECONDS) == 0, (cluster.folder / "run.log").read_text()[-4000:]

    alone = tmp_path / "alone"
    monkeypatch.undo()
    own = {**os.environ, "HYBRID_HOME": str(alone), "HYBRID_STUDIES": str(study.parent)}
    for words in (REFRESH, SIMULATE):
        driven = [sys.executable, "-W", "ignore", "-c", DRIVER, *words]
        subprocess.run(driven, env=own, check=True, capture_output=True)
    for name in ("PGPASSWORD", "HYBRID_AUDIT_KEY"):
        monkeypatch.setenv(name, cluster.environment[name])
    spread = versions(cluster.folder / "host1" / "home")
    assert spread == versions(alone)
    assert {"cart/hybrid_triplets", "cart/estimator_benchmark", "seed_table"} <= set(spread)
    written = [file for file in cluster.folder.rglob("*") if file.is_file()]
    password = cluster.environment["PGPASSWORD"]
    assert not [f for f in written if password.encode() in f.read_bytes()]
