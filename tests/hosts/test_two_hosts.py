"""Hosts are lost under a study: its tables, pages and release are those of a single machine."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import yaml

from dagster_project.abandoned_runs import end_abandoned_runs
from dagster_project.heartbeat import ON_HOST
from hybrid_assets.release.bundle import CARD, LINEAGE
from tests.hosts.conftest import Cluster
from tests.hosts.hosts import Host
from warehouse import CHECKSUMS, PageStore, ReleaseStore, Warehouse, check_audit

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(3600)]

# Some of the study, as the command line runs all of it.
DRIVER = """
import sys
from dagster_project.instance import prepare_instance
prepare_instance()
from dagster_project.study_run import run_study
ended = run_study("tiny", "refresh", lambda event: None, assets=sys.argv[1:])
sys.exit(", ".join(ended.failures) or not ended.success)
"""
SOME = ["seed_table", "splits", "seed_estimates", "propensity_model", "outcome_model"]
SOME += [f"cart/{n}" for n in ("fitted_generator", "synthetic_covariates", "hybrid_triplets")]
# What the button of the page sends.
BUTTON = """
import json, sys, time
from urllib.error import URLError
from urllib.request import Request, urlopen
query = '''mutation ($job: String!) { launchRun(executionParams: {selector: {jobName: $job,
    repositoryLocationName: "hybrid-assets", repositoryName: "__repository__"}})
    { __typename ... on PythonError { message } } }'''
body = json.dumps({"query": query, "variables": {"job": sys.argv[1]}}).encode()
told = None
while told != "LaunchRunSuccess":  # until the page is there, and knows the studies
    time.sleep(1)
    try:
        asked = Request("http://127.0.0.1:3000/graphql", body, {"Content-Type": "application/json"})
        told = json.load(urlopen(asked))["data"]["launchRun"]["__typename"]
    except URLError:
        pass
"""
PYTHON = [sys.executable, "-W", "ignore"]
HYBRID = [*PYTHON, "-m", "dagster_project.command_line"]
RELEASE = ["release", "tiny", "--generator", "cart"]
APPROVE = ["approve", "tiny", "--generator", "cart", "--reviewer", "Grace Hopper"]
APPROVE += ["--reason", "read it all"]
NOBODY_APPROVED = 3
TAKEN_UP = "Launching a new run worker to resume run"
MOST_SECONDS = 1500
# Files of a release that name the log's entries: their times, and the hash of the last.
OF_ITS_LOG = {CHECKSUMS, CARD, "card.html", LINEAGE, "release.json"}


@dataclass(frozen=True)
class History:
    """What the runs say of their steps: the hosts of each, what was tried again, what ended."""

    runs: list[str]
    hosts: dict[str, list[str]]
    retried: list[str]
    ended: list[str]
    n_taken_up: int

    def under_way(self, host: Host) -> str:
        """Name a step that is at work on a host, if there is one."""
        at_work = (s for s, hosts in self.hosts.items() if hosts[-1] == host.name)
        return next((step for step in at_work if step not in self.ended), "")


def history(cluster: Cluster) -> History:
    settings = cluster.home(1) / "dagster"
    if not (settings / "dagster.yaml").is_file():
        return History([], {}, [], [], 0)
    hosts: dict[str, list[str]] = {}
    retried, ended, n_taken_up = [], [], 0
    with dg.DagsterInstance.from_config(str(settings)) as instance:
        runs = instance.get_runs()
        records = [record for run in runs for record in instance.all_logs(run.run_id)]
    for event in (record.dagster_event for record in records):
        if event is None:
            continue
        n_taken_up += event.message == TAKEN_UP
        if event.step_key is None:
            continue
        if (event.message or "").startswith(ON_HOST):
            host = str(event.message).removeprefix(ON_HOST).partition(",")[0]
            hosts.setdefault(event.step_key, []).append(host)
        retried += [event.step_key] if event.is_step_up_for_retry else []
        ended += [event.step_key] if event.is_step_success else []
    return History([run.status.value for run in runs], hosts, retried, ended, n_taken_up)


def has_ended(cluster: Cluster) -> bool:
    with dg.DagsterInstance.from_config(str(cluster.home(1) / "dagster")) as instance:
        return all(run.is_finished for run in instance.get_runs())


def wait_for(what: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + MOST_SECONDS
    while not (found := what()):
        assert time.monotonic() < give_up
        time.sleep(0.5)
    return found


def lose_at_work(cluster: Cluster, host: Host) -> str:
    """Cut a host's power while a step is at work on it; name the step."""
    step = str(wait_for(lambda: history(cluster).under_way(host)))
    host.lose()
    return step


@contextmanager
def started(cluster: Cluster, host: Host, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (cluster.folder / "run.log").open("ab") as log:
        process = subprocess.Popen(
            host.command(*command), env=cluster.environment, stdout=log, stderr=log
        )
    with process:
        yield process
        process.kill()


def run_alone(cluster: Cluster, home: Path, *command: str, code: int = 0) -> None:
    """Do the same on a single machine, with the same key."""
    shared = ("HYBRID_POSTGRES", "HYBRID_EXECUTOR", "PGPASSWORD", "AWS_", "RAY_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(shared)}
    own |= {"HYBRID_HOME": str(home), "HYBRID_STUDIES": str(cluster.folder / "host1" / "studies")}
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr


def versions(home: Path) -> pd.Series:
    """Give the last version of everything that the log names."""
    entries = Warehouse(home, "tiny").audit_entries()
    last: pd.Series = entries.groupby(["asset", "kind"])["data_version"].last()
    return last


def assert_no_secret_is_kept(cluster: Cluster) -> None:
    for file in filter(Path.is_file, cluster.folder.rglob("*")):
        content = file.read_bytes()
        assert not [secret for secret in cluster.secrets if secret.encode() in content], file


def host_of_run(cluster: Cluster, hosts: Sequence[Host]) -> Host | None:
    """Give the host of the run's process, once all have had a step."""
    if len(set().union(*history(cluster).hosts.values())) < len(hosts):
        return None
    return next((host for host in hosts if host.has_process("api execute_run")), None)


@pytest.mark.parametrize("cluster", ["folder"], indirect=True)
def test_a_lost_host_costs_its_steps_only(cluster: Cluster, tmp_path: Path) -> None:
    first, second = cluster.add_host(1), cluster.add_host(1)
    settings = cluster.home(1) / "dagster"
    with started(cluster, first, *PYTHON, "-c", DRIVER, *SOME) as refresh:
        lost_step = lose_at_work(cluster, second)
        with dg.DagsterInstance.from_config(str(settings)) as instance:
            assert end_abandoned_runs(instance) == []  # this machine is a host like any other
        assert refresh.wait(MOST_SECONDS) == 0, (cluster.folder / "run.log").read_text()[-4000:]

    told = history(cluster)
    assert told.runs == ["SUCCESS"]
    assert told.retried == [lost_step]
    assert told.hosts[lost_step] == [second.name, first.name]
    assert set().union(*told.hosts.values()) == {first.name, second.name}
    chosen = yaml.safe_load((settings / "dagster.yaml").read_text())
    assert chosen["storage"]["postgres"]["postgres_url"] == {"env": "HYBRID_POSTGRES"}
    assert chosen["run_launcher"]["class"] == "RayRuns"

    run_alone(cluster, tmp_path / "alone", *PYTHON, "-c", DRIVER, *SOME)
    pd.testing.assert_series_equal(versions(cluster.home(1)), versions(tmp_path / "alone"))
    assert_no_secret_is_kept(cluster)


@pytest.mark.parametrize("cluster", ["bucket"], indirect=True)
def test_a_whole_study_outlives_the_host_of_its_run(cluster: Cluster, tmp_path: Path) -> None:
    head, *others = cluster.add_host(0), cluster.add_host(1), cluster.add_host(1)
    with started(cluster, head, *HYBRID, "ui"):
        head.run(*PYTHON, "-c", BUTTON, "refresh_tiny", env=cluster.environment)
        lost = wait_for(lambda: host_of_run(cluster, others))
        (kept,) = (host for host in others if host is not lost)
        lost_step = lose_at_work(cluster, lost)
        wait_for(lambda: has_ended(cluster))
        told = history(cluster)
        assert (told.runs, told.n_taken_up) == (["SUCCESS"], 1)
        # steps that waited in the lost host's queue are tried again too, and no other
        assert lost_step in told.retried
        assert {step: at for step, at in told.hosts.items() if len(at) > 1} == {
            lost_step: [lost.name, kept.name]
        }

        # the daemon leaves these to the hosts that they were typed on
        kept.run(*HYBRID, "simulate", "tiny", env=cluster.environment)
        kept.run(*HYBRID, *RELEASE, env=cluster.environment, code=NOBODY_APPROVED)
        head.run(*HYBRID, *APPROVE, env=cluster.environment)
        head.run(*HYBRID, *RELEASE, env=cluster.environment)
        told = history(cluster)
        assert (set(told.runs), told.n_taken_up) == ({"SUCCESS"}, 1)

    alone = tmp_path / "alone"
    for words in (["run", "tiny"], ["simulate", "tiny"]):
        run_alone(cluster, alone, *HYBRID, *words)
    run_alone(cluster, alone, *HYBRID, *RELEASE, code=NOBODY_APPROVED)
    for words in (APPROVE, RELEASE):
        run_alone(cluster, alone, *HYBRID, *words)
    assert_same_study(cluster.home(1), alone)
    number = {host.name: n for n, host in enumerate([head, *others], start=1)}[kept.name]
    assert check_audit(cluster.home(number), "tiny").faults == ()
    assert_no_secret_is_kept(cluster)


def assert_same_study(home: Path, alone: Path) -> None:
    found, expected = versions(home), versions(alone)
    assert list(found.index) == list(expected.index)
    differing = {asset for asset, _ in found.index[found != expected]}
    assert differing == {"study_report", "cart/release_bundle"}
    assert page_without_times(home) == page_without_times(alone)
    released, there = (ReleaseStore(each, "tiny").read("cart", 1) for each in (home, alone))
    assert released.keys() == there.keys()
    assert {name for name in released if released[name] != there[name]} == OF_ITS_LOG


def page_without_times(home: Path) -> str:
    page = PageStore(home, "tiny").file("study_report").read_text()
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "", page)
