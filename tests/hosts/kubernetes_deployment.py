"""What Dagster's chart would start, of the values in deploy/, on a stand-in of Kubernetes."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_project.heartbeat import ON_HOST
from dagster_project.instance import SETTINGS
from dagster_project.private_errors import SILENT
from tests.conftest import PostgresServer, free_port, marked, wait_until_ready
from tests.dagster_project import test_kubernetes as rendered
from tests.hosts.kubernetes_api import Job, Kubernetes, served
from warehouse import LakeSettings
from warehouse.databases import use_storage

VALUES, LOCATION = rendered.VALUES, rendered.LOCATION
SCRIPT = "import sys; from dagster_graphql.cli import main; sys.exit(main())"
HOME = LOCATION["volumeMounts"][0]["mountPath"]
MOST_SECONDS = 900
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True)
class Deployment:
    """What the chart would have started, and the cluster that it runs on."""

    folder: Path
    cluster: Kubernetes
    instance: dg.DagsterInstance
    environment: dict[str, str]

    def launch(self, *assets: str) -> str:
        """Ask for a run of some assets, as the page does; give its id."""
        selection = [{"path": ["tiny", *asset.split("/")]} for asset in assets]
        selector: dict[str, Any] = {"jobName": "refresh_tiny", "assetSelection": selection}
        selector["repositoryLocationName"] = LOCATION["name"]
        selector["repositoryName"] = "__repository__"
        asked = json.dumps({"executionParams": {"selector": selector, "mode": "default"}})
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, "-w", self.workspace]
        command += ["-p", "launchPipelineExecution", "-v", asked]
        told = subprocess.run(command, env=self.environment, capture_output=True, check=True)
        launched = json.loads(told.stdout.decode().strip().splitlines()[-1])
        return str(launched["data"]["launchPipelineExecution"]["run"]["runId"])

    @property
    def workspace(self) -> str:
        return str(self.folder / "workspace.yaml")

    def events(self, run_id: str, word: str) -> list[dg.DagsterEvent]:
        records = self.instance.all_logs(run_id)
        events = [record.dagster_event for record in records if record.dagster_event]
        return [event for event in events if word in f"{event.event_type_value} {event.message}"]

    def status(self, run_id: str) -> str:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return str(run.status.value)

    def ended(self, run_id: str, status: str) -> None:
        """Wait for a run's end, which is to be this one."""
        wait_until(lambda: self.status(run_id) in ENDED)
        failures = [event.message for event in self.events(run_id, "FAILURE")]
        assert self.status(run_id) == status, failures

    def jobs(self, run_id: str) -> list[Job]:
        """Give the jobs of a run's steps, in order."""
        return [job for job in self.cluster.posted if job.run_id == run_id and job.step]

    def workers(self, run_id: str) -> list[Job]:
        """Give the jobs of a run itself, in order."""
        return [job for job in self.cluster.posted if job.run_id == run_id and not job.step]

    def at_work(self, run_id: str, step: str, tries: int = 1) -> Job:
        """Wait until a try of a step is at work; give its job."""

        def begun() -> int:
            assert self.status(run_id) not in ENDED, self.events(run_id, "FAILURE")
            told = self.events(run_id, ON_HOST)
            return len([event for event in told if event.step_key == step])

        wait_until(lambda: begun() == tries)
        return [job for job in self.jobs(run_id) if job.step == step][-1]


def wait_until(holds: Callable[[], bool], seconds: float = MOST_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


@contextmanager
def deployed(folder: Path, postgres: PostgresServer, study: str) -> Iterator[Deployment]:
    """Start a code location with one study, and the daemon."""
    home = folder / "home"
    (home / "studies" / "tiny").mkdir(parents=True)
    (home / "studies" / "tiny" / "defs.yaml").write_text(study)
    password = secrets.token_hex(8)
    held = {
        "hybrid-postgres": {"postgresql-password": password},
        "hybrid-secrets": {"PGPASSWORD": password, "HYBRID_AUDIT_KEY": secrets.token_hex(32)},
    }
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    image = {"PATH": programs, "PYTHONPATH": str(Path.cwd()), "HYBRID_HOME": HOME, **SILENT}
    cluster = Kubernetes(folder, held, image, {HOME: str(home)})
    with ExitStack() as stack:
        catalog = stack.enter_context(postgres.new_database())
        runs = stack.enter_context(postgres.new_database()).rpartition("=")[2]
        lake = marked(LakeSettings(catalog=catalog, data_path=str(folder / "lake")))
        use_storage(home, lake)
        client = stack.enter_context(served(cluster))
        settings = instance_settings(client, folder, postgres.port, runs)
        (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))
        address = {"host": "127.0.0.1", "port": free_port(), "location_name": LOCATION["name"]}
        workspace = {"load_from": [{"grpc_server": address}]}
        (folder / "workspace.yaml").write_text(yaml.safe_dump(workspace))
        environment = image | {"DAGSTER_HOME": str(folder), "DAGSTER_PG_PASSWORD": password}
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("DAGSTER_PG_PASSWORD", password)
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(folder)))
        started = Deployment(folder, cluster, instance, environment)
        server = cluster.run(code_location(address["port"]), "location")
        stack.callback(end, server)
        wait_until_ready(address["port"])
        daemon = ["-m", "dagster._daemon", "run", "-w", started.workspace]
        with (folder / "daemon.log").open("ab") as log:
            command = [sys.executable, "-W", "ignore", *daemon]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        stack.callback(end, process)
        yield started


def end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(60)


def instance_settings(client: Path, folder: Path, port: int, database: str) -> dict[str, Any]:
    """Give what the chart writes into dagster.yaml, for a client outside and an impatient test."""
    launcher = {
        "load_incluster_config": False,
        "kubeconfig_file": str(client),
        "job_namespace": "hybrid",
        "service_account_name": "hybrid-dagster",
        "dagster_home": str(folder),
        "instance_config_map": "hybrid-dagster-instance",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
        "run_k8s_config": rendered.snake(rendered.LAUNCHER["runK8sConfig"]),
    }
    place: dict[str, Any] = {
        "hostname": "127.0.0.1",
        "port": port,
        "username": "hybrid",
        "db_name": database,
    }
    place |= {"password": {"env": "DAGSTER_PG_PASSWORD"}}
    place |= {"scheme": VALUES["postgresql"]["postgresqlScheme"]}
    monitoring = rendered.snake(VALUES["dagsterDaemon"]["runMonitoring"]) | {
        "poll_interval_seconds": 2
    }
    ours: dict[str, Any] = yaml.safe_load(SETTINGS.read_text())
    return ours | {
        "storage": {"postgres": {"postgres_db": place}},
        "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher},
        "run_monitoring": monitoring | {"poll_interval_seconds": 2},
    }


def code_location(port: int) -> dict[str, Any]:
    """Give the container that the chart starts for the code location."""
    handed = rendered.location_context() | {"namespace": "hybrid", "service_account_name": "hybrid"}
    own = {
        "DAGSTER_CURRENT_IMAGE": "{repository}:{tag}".format(**LOCATION["image"]),
        "DAGSTER_CLI_API_GRPC_CONTAINER_CONTEXT": json.dumps({"k8s": handed}),
    }
    variables: list[dict[str, Any]] = [{"name": name, "value": own[name]} for name in own]
    password = {"name": VALUES["global"]["postgresqlSecretName"], "key": "postgresql-password"}
    variables += [{"name": "DAGSTER_PG_PASSWORD", "valueFrom": {"secretKeyRef": password}}]
    args = ["dagster", "api", "grpc", "-h", "127.0.0.1", "-p", str(port)]
    secret = [{"secretRef": {"name": each["name"]}} for each in LOCATION["envSecrets"]]
    return {
        "args": [*args, *LOCATION["dagsterApiGrpcArgs"]],
        "env": [*variables, *LOCATION["env"]],
        "envFrom": secret,
    }
