"""A study on Kubernetes jobs: the real launcher, executor, code location and daemon of Dagster.

Only Kubernetes itself is a stand-in (`kubernetes_api`), where a job's container is a process.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PostgresServer
from tests.hosts.test_two_hosts import DRIVER, SOME
from warehouse import Warehouse

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(1800)]
pytest.importorskip("dagster_k8s", reason="pip install 'hybrid-assets[k8s]'")
pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")

from dagster_project.engines import GPU, GPU_LABEL  # noqa: E402
from tests.hosts.kubernetes_deployment import Deployment, deployed, wait_until  # noqa: E402

STUDY = """\
type: dagster_project.component.StudyComponent
attributes:
  name: tiny
  title: A small trial
  source: {kind: design, name: paper1_trial, n_rows: 300, random_seed: 5}
  treatment: A
  outcome: Y
  outcome_range: [0, 1]
  outcome_decimals: 0
  covariates:
    W1: {kind: binary}
    W2: {kind: binary}
    W3: {kind: binary}
    W4: {kind: continuous, decimals: 2, range: [-4, 4]}
    W5: {kind: continuous, decimals: 2, range: [-4, 4]}
    W6: {kind: continuous, decimals: 2, range: [-5, 5]}
  design: {kind: trial, probability: 0.5}
  assignment: randomised
  nuisance: {n_fold_draws: 1, outcome_library: [linear]}
  generators: {cart: {}, gan: {}, dp: {epsilon: 3, n_bins: 8}}
  n_synthetic: 400
  random_seed: 7
"""


@pytest.fixture(scope="module")
def deployment(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    with deployed(tmp_path_factory.mktemp("kubernetes"), postgres, STUDY) as started:
        yield started


@pytest.fixture(scope="module")
def people(deployment: Deployment) -> Deployment:
    """Read the study's people, and split them."""
    deployment.ended(deployment.launch("seed_table", "splits"), "SUCCESS")
    return deployment


def made(home: Path) -> dict[str, str]:
    """Give the last version of each table and model."""
    entries = Warehouse(home, "tiny").audit_entries()
    told = entries[entries["kind"].isin(["table", "model"])]
    versions: dict[str, str] = told.groupby("asset")["data_version"].last().to_dict()
    return versions


def test_lost_pods_cost_their_work_only(deployment: Deployment, tmp_path: Path) -> None:
    """A pod is killed, a node drained, then the run's own pod killed: the tables are the same."""
    run_id = deployment.launch(*SOME)
    deployment.at_work(run_id, "tiny__splits").signal(signal.SIGKILL)
    deployment.at_work(run_id, "tiny__cart__fitted_generator").signal(signal.SIGTERM)
    deployment.at_work(run_id, "tiny__cart__fitted_generator", tries=2)
    (worker,) = deployment.workers(run_id)
    worker.signal(signal.SIGKILL)
    deployment.ended(run_id, "SUCCESS")

    retried = [event.step_key for event in deployment.events(run_id, "STEP_UP_FOR_RETRY")]
    assert retried == ["tiny__splits", "tiny__cart__fitted_generator"]
    assert len(deployment.workers(run_id)) == 2
    assert deployment.events(run_id, "Resuming execution from failure")

    alone = tmp_path / "alone"
    key = deployment.cluster.secrets["hybrid-secrets"]["HYBRID_AUDIT_KEY"]
    own = {**os.environ, "HYBRID_HOME": str(alone), "HYBRID_AUDIT_KEY": key}
    own["HYBRID_STUDIES"] = str(deployment.folder / "home" / "studies")
    driven = [sys.executable, "-W", "ignore", "-c", DRIVER, *SOME]
    subprocess.run(driven, env=own, check=True, capture_output=True)
    spread = made(deployment.folder / "home")
    assert spread == made(alone)
    assert {"cart/hybrid_triplets", "seed_table", "outcome_model"} <= set(spread)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lost_private_fit_is_left_to_a_person(people: Deployment, number: signal.Signals) -> None:
    """It may have spent its ε."""
    pytest.importorskip("opendp", reason="pip install 'hybrid-assets[dp]'")
    run_id = people.launch("dp/fitted_generator")
    fit = people.at_work(run_id, "tiny__dp__fitted_generator")
    fit.signal(number)
    people.ended(run_id, "FAILURE")
    assert people.jobs(run_id) == [fit]
    assert not people.events(run_id, "STEP_UP_FOR_RETRY")


def test_training_waits_for_a_node_with_a_gpu(deployment: Deployment) -> None:
    run_id = deployment.launch("gan/fitted_generator")
    wait_until(lambda: any("gan" in job.step for job in deployment.jobs(run_id)))
    (training,) = [job for job in deployment.jobs(run_id) if "gan" in job.step]
    pod = training.body["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {GPU_LABEL: "true"}
    assert pod["tolerations"] == [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    (container,) = pod["containers"]
    assert container["resources"]["limits"][GPU] == "1"
    assert training.process is None


def test_no_job_tells_a_secret_or_a_cell(people: Deployment) -> None:
    """Arguments travel compressed: they are looked at as they were before."""
    told = [json.dumps(job.body) + job.arguments for job in people.cluster.posted]
    assert len(told) > 8
    seed = Warehouse(people.folder / "home", "tiny").read_table("seed_table")
    cells = [f"{value:.2f}" for value in seed["W4"] if value < -1]
    held = [value for each in people.cluster.secrets.values() for value in each.values()]
    assert len(cells) > 20
    assert all("DAGSTER_PG_PASSWORD" in text for text in told)  # its name
    assert not [value for value in [*held, *cells] if any(value in text for text in told)]
