"""Jobs as Dagster would send them to Kubernetes, from the real tags, against Kubernetes' schema."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_project.engines import ENGINE_VARIABLE, GPU, GPU_LABEL, engine_executor
from dagster_project.factory import study_definitions
from dagster_project.private_errors import SILENT
from dagster_project.resources import RESOURCES
from dagster_project.study_file import StudyFile

DEPLOY = Path(__file__).parents[2] / "deploy"
VALUES = yaml.safe_load((DEPLOY / "values.yaml").read_text())
LOCATION = VALUES["dagster-user-deployments"]["deployments"][0]
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
KUBERNETES = "1.31"


def snake(value: Any) -> Any:
    """Name keys as Dagster's own configuration does; Kubernetes' are camel in both."""
    if not isinstance(value, dict):
        return value
    return {re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower(): inner for key, inner in value.items()}


@pytest.fixture
def jobs(
    small_study: Callable[..., StudyFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, Any]]:
    """Render the job of every step of a refresh and a simulation, by step."""
    pytest.importorskip("dagster_k8s", reason="pip install 'hybrid-assets[k8s]'")
    monkeypatch.setenv(ENGINE_VARIABLE, "kubernetes")
    monkeypatch.delenv("HYBRID_DEVICE", raising=False)
    definitions = dg.Definitions.merge(
        study_definitions(small_study(generators=["cart", "gan"]), tmp_path),
        dg.Definitions(resources=RESOURCES),
    )
    nodes = [
        node
        for word in ("refresh", "simulate")
        for node in definitions.resolve_job_def(f"{word}_small").graph.nodes
    ]
    return {node.name: rendered(node.name, node.definition.tags) for node in nodes}


def location_context() -> dict[str, Any]:
    """Give what the chart hands on of a code location to its runs (test_chart.py)."""
    included = ("env", "envSecrets", "volumes", "volumeMounts", "resources")
    told: dict[str, Any] = snake({key: LOCATION[key] for key in included})
    return told | {"env_secrets": [secret["name"] for secret in told["env_secrets"]]}


def executor_settings() -> dict[str, Any]:
    """Give what the executor itself is configured with."""
    executor = engine_executor("kubernetes")
    resolved = executor.apply_config_mapping({"config": {}}).value
    assert resolved is not None
    settings: dict[str, Any] = resolved["config"]
    return settings


def rendered(step: str, tags: dict[str, str]) -> dict[str, Any]:
    """Make a step's job as dagster-k8s does: launcher, code location and step, in this order."""
    import kubernetes.client
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import (
        DagsterK8sJobConfig,
        construct_dagster_k8s_job,
        get_user_defined_k8s_config,
    )

    context = K8sContainerContext.create_from_config(
        {"k8s": {"run_k8s_config": snake(LAUNCHER["runK8sConfig"])}}
    )
    context = context.merge(K8sContainerContext.create_from_config({"k8s": location_context()}))
    context = context.merge(K8sContainerContext(env_vars=executor_settings()["env_vars"]))
    context = context.merge(K8sContainerContext(run_k8s_config=get_user_defined_k8s_config(tags)))
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(
            job_image="{repository}:{tag}".format(**LOCATION["image"]),
            dagster_home="/opt/dagster/dagster_home",
            instance_config_map="dagster-instance",
            postgres_password_secret=VALUES["global"]["postgresqlSecretName"],
        ),
        ["dagster", "api", "execute_step"],
        job_name=f"dagster-step-{abs(hash(step)):032x}"[:45],
        component="step_worker",
        user_defined_k8s_config=context.run_k8s_config,
    )
    told: dict[str, Any] = kubernetes.client.ApiClient().sanitize_for_serialization(job)
    return told


def test_every_step_is_a_job_that_kubernetes_knows(jobs: dict[str, dict[str, Any]]) -> None:
    schema = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    assert len(jobs) > 25
    for job in jobs.values():
        schema.validate(job, KUBERNETES, strict=True)
    with pytest.raises(schema.ValidationError):
        schema.validate(jobs["small__splits"] | {"spec": {"tries": 3}}, KUBERNETES, strict=True)


def test_steps_ask_for_the_room_of_their_pool(jobs: dict[str, dict[str, Any]]) -> None:
    pods = {step: job["spec"]["template"]["spec"] for step, job in jobs.items()}
    asked = {step: pod["containers"][0]["resources"] for step, pod in pods.items()}
    limit = {"memory": "16Gi"}
    assert asked["small__splits"] == {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": limit}
    fitted = asked["small__gan__fitted_generator"]
    assert fitted == {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": limit | {GPU: "1"}}
    assert asked["small__cart__estimator_benchmark"]["requests"]["cpu"] == "4"
    on_gpu_nodes = {step for step, pod in pods.items() if pod.get("nodeSelector")}
    assert "small__gan__fitted_generator" in on_gpu_nodes
    assert all(pods[step]["nodeSelector"] == {GPU_LABEL: "true"} for step in on_gpu_nodes)
    assert not [step for step in on_gpu_nodes if "cart" in step]


def test_no_step_is_root_or_carries_a_secret(jobs: dict[str, dict[str, Any]]) -> None:
    for job in jobs.values():
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        by_value = {each["name"]: each.get("value") for each in container["env"]}
        assert SILENT.items() <= by_value.items()
        assert by_value["DAGSTER_PG_PASSWORD"] is None  # from a Secret
        assert {"secretRef": {"name": "hybrid-secrets"}} in container["envFrom"]
        assert (job["spec"]["backoffLimit"], pod["restartPolicy"]) == (
            0,
            "Never",
        )  # ε is spent once
        assert container["volumeMounts"][-1]["mountPath"] == "/var/lib/hybrid"


def test_the_image_is_pinned_and_nobody_is_root() -> None:
    recipe = (DEPLOY / "Containerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", recipe, flags=re.MULTILINE)
    assert set(" ".join(copied).split()) == {
        "deploy/requirements.lock",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "hybrid_assets",
        "warehouse",
        "dagster_project",
    }
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert {".hybrid", ".venv", ".git"} <= set(ignored)
    assert "pip install --require-hashes --no-deps -r $lock" in recipe
    assert recipe.rstrip().endswith("USER 10001:10001")
    for name, value in SILENT.items():
        assert f"{name}={value}" in recipe
