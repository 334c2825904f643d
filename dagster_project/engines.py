"""What runs the steps of every study: processes of this machine, Ray, or Kubernetes.

A deployment chooses by ``$HYBRID_EXECUTOR``; no study does. What an engine needs is imported only
where it is chosen.
"""

import importlib.util
import os
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import dagster as dg

from dagster_project.private_errors import SILENT
from dagster_project.resources import DEVICE_VARIABLE
from hybrid_assets.errors import HybridAssetsError

ENGINE_VARIABLE = "HYBRID_EXECUTOR"
Engine = Literal["processes", "ray", "kubernetes"]
PACKAGES = {"ray": ("dagster_ray", "ray"), "kubernetes": ("dagster_k8s", "k8s")}
GPU, GPU_LABEL = "nvidia.com/gpu", "nvidia.com/gpu.present"  # of NVIDIA's device plugin
KUBERNETES_CORES = 4  # for a step in a pod that hands out to its own processes


class EngineUnavailable(HybridAssetsError):
    """The engine that this deployment chose is unknown, or not installed."""


@dataclass(frozen=True)
class StepNeeds:
    """What a step asks an engine for.

    Parameters
    ----------
    n_cores : float
    gibibytes : int
        Of memory; measured for packaged studies in docs/operating.md, Limits, and rounded up.
    n_gpus : int
    """

    n_cores: float = 1.0
    gibibytes: int = 1
    n_gpus: int = 0


def chosen_engine() -> Engine:
    """Read which engine this deployment chose: processes, unless it says otherwise.

    Raises
    ------
    EngineUnavailable
        If there is no such engine, or its packages are not installed.
    """
    word = os.environ.get(ENGINE_VARIABLE) or "processes"
    if word not in get_args(Engine):
        raise EngineUnavailable(
            f"{ENGINE_VARIABLE}: expected {', '.join(get_args(Engine))}; got {word!r}"
        )
    package, extra = PACKAGES.get(word, ("dagster", ""))
    if importlib.util.find_spec(package) is None:
        raise EngineUnavailable(
            f"{ENGINE_VARIABLE}={word}: expected the package {package}, which is not installed: "
            f"pip install 'hybrid-assets[{extra}]'"
        )
    return word  # type: ignore[return-value]


def n_cores() -> int:
    """Count the cores that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def step_needs(engine: Engine, pool: str | None, *, hands_out: bool) -> StepNeeds:
    """Say what a step of a pool needs; ``HYBRID_DEVICE=cpu`` trains networks without a GPU.

    A step on Ray that hands its work out waits for it elsewhere: if it took any of a core for that,
    as many of them as there are cores would wait for each other for ever, and one, for a core that
    is whole, where there is but one.
    """
    cores = (0.0 if engine == "ray" else KUBERNETES_CORES) if hands_out else 1.0
    if pool != "gpu":
        return StepNeeds(cores)
    has_gpus = os.environ.get(DEVICE_VARIABLE) != "cpu"
    return StepNeeds(cores, gibibytes=2, n_gpus=int(has_gpus))


@dataclass(frozen=True)
class StepSettings:
    """Where the steps of an op queue, and what they need of the chosen engine.

    Parameters
    ----------
    pool : str, optional
    tags : dict
        In the engine's words: what a step needs; nothing of processes of one machine.
    retry_policy : RetryPolicy, optional
        For a step whose host or process was lost.
    """

    pool: str | None = None
    tags: dict[str, Any] = field(default_factory=dict)
    retry_policy: dg.RetryPolicy | None = None


def step_settings(
    pool: str | None = None, *, hands_out: bool = False, once: bool = False
) -> StepSettings:
    """Say what the steps of an op need of the chosen engine.

    A step whose host or process was lost is tried again elsewhere. Not so on one machine: there it
    died of what this machine lacks, and would again. Nor where it is to be done `once`: a lost step
    may have spent ε, or made a release, and a person decides.
    """
    engine = chosen_engine()
    if engine == "processes":
        return StepSettings(pool)
    needs = step_needs(engine, pool, hands_out=hands_out)
    tags = _ray_tags(needs) if engine == "ray" else _kubernetes_tags(needs)
    # at once: Dagster 1.13.27 takes no run up again in which a step has waited for its next try
    policy = dg.RetryPolicy(max_retries=3)
    return StepSettings(pool, tags, None if once else policy)


def _ray_tags(needs: StepNeeds) -> dict[str, Any]:
    asked = {"num_cpus": needs.n_cores, "memory": needs.gibibytes * 2**30}
    return {"dagster-ray/config": asked | ({"num_gpus": needs.n_gpus} if needs.n_gpus else {})}


def _kubernetes_tags(needs: StepNeeds) -> dict[str, Any]:
    requests = {"cpu": f"{needs.n_cores:g}", "memory": f"{needs.gibibytes}Gi"}
    resources: dict[str, Any] = {"requests": requests}
    pod: dict[str, Any] = {}
    if needs.n_gpus:
        resources["limits"] = {GPU: str(needs.n_gpus)}
        pod["node_selector"] = {GPU_LABEL: "true"}
        pod["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    config = {"container_config": {"resources": resources}, "pod_spec_config": pod}
    return {"dagster-k8s/config": config}


def require_launcher(instance: dg.DagsterInstance) -> None:
    """Refuse a run typed in a pod whose steps would be Kubernetes jobs.

    Such a job is made of what Dagster's chart tells the launcher: image, secrets, volumes.

    Raises
    ------
    EngineUnavailable
        If this instance does not launch runs on Kubernetes.
    """
    if chosen_engine() != "kubernetes":
        return
    from dagster_k8s import K8sRunLauncher

    if not isinstance(instance.run_launcher, K8sRunLauncher):
        raise EngineUnavailable(
            f"{ENGINE_VARIABLE}=kubernetes: expected a run that the page or the daemon launches; "
            f"got one typed here: launch it there, or set {ENGINE_VARIABLE}=processes for this one"
        )


def engine_executor(engine: Engine) -> dg.ExecutorDefinition:
    """Run each step as a job of its own on Ray or on Kubernetes, wherever there is room for it."""
    executor: dg.ExecutorDefinition
    if engine == "ray":
        from dagster_project.ray_runs import ray_executor

        executor = ray_executor
    else:
        from dagster_k8s import k8s_job_executor

        silent = [f"{name}={value}" for name, value in SILENT.items()]
        executor = k8s_job_executor.configured({"env_vars": silent})
    return executor
