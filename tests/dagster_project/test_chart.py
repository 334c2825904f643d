"""Values of Dagster's Helm chart, against what the chart takes; rendered, where the chart is.

Nothing of the chart is here. Where it is, with ``helm pull dagster/dagster --version 1.13.27
--untar`` and ``pip install helm-python-sdk``, ``HYBRID_DAGSTER_CHART`` names its folder.
"""

import copy
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from dagster._config import process_config
from dagster._config.field import resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config_schema

from dagster_project.instance import SETTINGS
from tests.dagster_project.test_kubernetes import (
    KUBERNETES,
    LAUNCHER,
    LOCATION,
    VALUES,
    location_context,
    snake,
)

SCHEMA = yaml.safe_load(Path(__file__).with_name("chart_values.yaml").read_text())
CHART = os.environ.get("HYBRID_DAGSTER_CHART", "")
OURS = yaml.safe_load(SETTINGS.read_text())


def changed(path: str, value: Any) -> dict[str, Any]:
    """Give the values with one of them changed."""
    values = copy.deepcopy(VALUES)
    *inner, last = path.split("/")
    place = values
    for key in inner:
        place = place[int(key)] if key.isdigit() else place[key]
    place[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("computeLogs", {}, "'computeLogs' was unexpected"),
        ("dagsterDaemon/runMonitoring/maxResumeAttempts", 3, "'maxResumeAttempts' was unexpected"),
        ("runLauncher/config/k8sRunLauncher/runK8sConfig/jobSpec", {}, "'jobSpec' was unexpected"),
        ("postgresql/postgresqlPassword", "x", "'postgresqlPassword' was unexpected"),
        ("dagster-user-deployments/deployments/0/envSecret", [], "'envSecret' was unexpected"),
        ("dagsterWebserver/readinessProbe/httpGet/port", 80, "8080 was expected"),
        ("concurrency/runs/max_concurrent_runs", 4, "'max_concurrent_runs' was unexpected"),
    ],
)
def test_what_the_chart_does_not_take_is_refused(path: str, value: Any, told: str) -> None:
    jsonschema.validate(VALUES, SCHEMA)
    with pytest.raises(jsonschema.ValidationError, match=told):
        jsonschema.validate(changed(path, value), SCHEMA)


def test_runs_are_limited_as_on_one_machine() -> None:
    """The chart writes dagster.yaml itself, so its values say again what ours does."""
    runs, pools = VALUES["concurrency"]["runs"], VALUES["concurrency"]["pools"]
    assert runs["maxConcurrentRuns"] == OURS["concurrency"]["runs"]["max_concurrent_runs"]
    assert runs["tagConcurrencyLimits"] == OURS["concurrency"]["runs"]["tag_concurrency_limits"]
    assert snake(pools) == OURS["concurrency"]["pools"]
    queue = VALUES["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    ours = OURS["run_coordinator"]
    assert (queue["module"], queue["class"]) == (ours["module"], ours["class"])
    assert ours["config"].items() <= queue["config"].items()
    assert VALUES["computeLogManager"]["type"] == OURS["compute_logs"]["class"]
    assert VALUES["additionalInstanceConfig"]["nux"] == OURS["nux"]
    monitoring = snake(VALUES["dagsterDaemon"]["runMonitoring"])
    assert OURS["run_monitoring"].items() <= monitoring.items()


@pytest.mark.parametrize("part", ["dagsterWebserver", "dagsterDaemon", "location"])
def test_page_daemon_and_location_are_pods_of_one_image_and_nobody(part: str) -> None:
    schema = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    told = LOCATION if part == "location" else VALUES[part]
    container = {key: told[key] for key in ("securityContext", "resources", "env", "volumeMounts")
                 if key in told}  # fmt: skip
    container |= {"name": "it", "image": "{repository}:{tag}".format(**told["image"])}
    pod = {"securityContext": told["podSecurityContext"], "containers": [container]}
    pod |= {"volumes": told["volumes"]} if "volumes" in told else {}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it"}, "spec": pod}
    schema.validate(manifest, KUBERNETES, strict=True)
    assert told["image"] == LOCATION["image"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.fixture(scope="module")
def objects() -> dict[str, dict[str, Any]]:
    """Render the chart with our values: its objects, by kind and name."""
    helm = pytest.importorskip("helm_python", reason="pip install helm-python-sdk")
    if not CHART:
        pytest.skip("HYBRID_DAGSTER_CHART names no chart: helm pull dagster/dagster --untar")
    with helm.Chart.load(CHART) as chart:
        files = chart.render(VALUES, name="hybrid", namespace="hybrid")
    texts = [text for name, text in files.items() if name.endswith(".yaml")]  # not NOTES.txt
    told = [made for text in texts for made in yaml.safe_load_all(text) if made]
    return {f"{made['kind']} {made['metadata']['name']}": _without_nulls(made) for made in told}


def _without_nulls(value: Any) -> Any:
    """Drop what the chart leaves empty, as Kubernetes does."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_what_the_chart_renders_is_known_to_kubernetes(objects: dict[str, dict[str, Any]]) -> None:
    schema = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for made in objects.values():
        schema.validate(made, KUBERNETES, strict=True)
    pods = [made["spec"]["template"]["spec"] for made in objects.values() if "Dep" in made["kind"]]
    assert len(pods) == 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        images = {container["image"] for container in pod["containers"]}
        assert images == {"{repository}:{tag}".format(**LOCATION["image"])}


def test_dagster_takes_what_the_chart_renders(objects: dict[str, dict[str, Any]]) -> None:
    k8s = pytest.importorskip("dagster_k8s", reason="pip install 'hybrid-assets[k8s]'")
    settings = yaml.safe_load(objects["ConfigMap hybrid-dagster-instance"]["data"]["dagster.yaml"])
    taken = process_config(resolve_to_config_type(dagster_instance_config_schema()), settings)
    assert taken.success, taken.errors
    launcher = settings["run_launcher"]["config"]
    known = resolve_to_config_type(k8s.K8sRunLauncher.config_type())
    assert process_config(known, launcher).success
    assert launcher["run_k8s_config"] == snake(LAUNCHER["runK8sConfig"])
    for section in ("nux", "concurrency", "telemetry", "python_logs"):
        assert settings[section] == OURS[section]
    assert settings["run_coordinator"]["class"] == "QueuedRunCoordinator"
    assert OURS["run_monitoring"].items() <= settings["run_monitoring"].items()
    assert settings["run_monitoring"]["max_resume_run_attempts"] == 3


def test_the_chart_hands_on_what_the_steps_tests_assume(objects: dict[str, dict[str, Any]]) -> None:
    name = f"Deployment hybrid-dagster-user-deployments-{LOCATION['name']}"
    (container,) = objects[name]["spec"]["template"]["spec"]["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    handed = json.loads(variables["DAGSTER_CLI_API_GRPC_CONTAINER_CONTEXT"])["k8s"]
    ours = location_context()
    assert {key: handed[key] for key in ours} == ours
