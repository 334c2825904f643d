"""The engine is the deployment's choice: no study says it, and every engine gets the same steps."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from dagster_project.automation import step_executor
from dagster_project.engines import (
    ENGINE_VARIABLE,
    EngineUnavailable,
    StepNeeds,
    StepSettings,
    chosen_engine,
    require_launcher,
    step_needs,
    step_settings,
)
from dagster_project.factory import study_definitions
from dagster_project.resources import RESOURCES
from dagster_project.study_file import StudyFile
from dagster_project.workers import workers

GIBIBYTE = 2**30


def needs_extra(package: str, extra: str) -> pytest.MarkDecorator:
    is_absent = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(is_absent, reason=f"pip install 'hybrid-assets[{extra}]'")


def test_processes_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("", "processes"):
        monkeypatch.setenv(ENGINE_VARIABLE, word)
        assert chosen_engine() == "processes"
    assert step_executor().name == "multiprocess"
    assert step_settings("gpu") == StepSettings("gpu")


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, "dask")
    said = "HYBRID_EXECUTOR: expected processes, ray, kubernetes; got 'dask'"
    with pytest.raises(EngineUnavailable, match=said):
        step_executor()


@pytest.mark.parametrize(
    ("word", "package", "extra"),
    [("ray", "dagster_ray", "ray"), ("kubernetes", "dagster_k8s", "k8s")],
)
def test_an_absent_engine_says_what_to_install(
    word: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    monkeypatch.setenv(ENGINE_VARIABLE, word)
    said = f"HYBRID_EXECUTOR={word}: expected the package {package}, .*hybrid-assets\\[{extra}\\]"
    with pytest.raises(EngineUnavailable, match=said):
        chosen_engine()


def test_what_a_step_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYBRID_DEVICE", raising=False)
    assert step_needs("ray", None, hands_out=False) == StepNeeds(n_cores=1, gibibytes=1)
    assert step_needs("ray", "gpu", hands_out=False) == StepNeeds(1, 2, n_gpus=1)
    # a core for each that waits: two of them on two cores would wait for ever
    assert step_needs("ray", "memory", hands_out=True).n_cores < 0.5
    assert step_needs("kubernetes", None, hands_out=True).n_cores == 4
    assert step_needs("ray", "gpu", hands_out=True) == StepNeeds(0.0, 2, n_gpus=1)
    monkeypatch.setenv("HYBRID_DEVICE", "cpu")
    assert step_needs("kubernetes", "gpu", hands_out=False).n_gpus == 0


@needs_extra("dagster_ray", "ray")
def test_steps_on_ray(
    small_study: Callable[..., StudyFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step asks Ray for its room, and is tried again where its host is lost."""
    monkeypatch.setenv(ENGINE_VARIABLE, "ray")
    monkeypatch.delenv("HYBRID_DEVICE", raising=False)
    study = small_study(generators=["cart", "gan"])
    definitions = dg.Definitions.merge(
        study_definitions(study, tmp_path), dg.Definitions(resources=RESOURCES)
    )
    refresh = definitions.resolve_job_def("refresh_small")
    assert refresh.executor_def.name == "ray"
    asked = {
        node.name: json.loads(node.definition.tags["dagster-ray/config"])
        for node in refresh.graph.nodes
    }
    assert asked["small__splits"] == {"num_cpus": 1.0, "memory": GIBIBYTE}
    assert asked["small__gan__fitted_generator"] == {
        "num_cpus": 1.0,
        "memory": 2 * GIBIBYTE,
        "num_gpus": 1,
    }
    assert asked["suite_small_seed_table"]["num_cpus"] == 1.0
    spends = definitions.resolve_job_def("release_small").graph.node_named(
        "small__cart__release_bundle"
    )
    assert spends.definition.retry_policy is None  # a lost one may have made its release
    policies = {node.definition.retry_policy for node in refresh.graph.nodes}
    assert policies == {dg.RetryPolicy(max_retries=3)}
    simulate = definitions.resolve_job_def("simulate_small")
    (benchmark,) = (n for n in simulate.graph.nodes if n.name.endswith("cart__estimator_benchmark"))
    assert json.loads(benchmark.definition.tags["dagster-ray/config"])["num_cpus"] == 0.0


@needs_extra("dagster_k8s", "k8s")
def test_a_run_typed_in_a_pod_is_told_where_to_launch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        require_launcher(instance)
        monkeypatch.setenv(ENGINE_VARIABLE, "kubernetes")
        with pytest.raises(EngineUnavailable, match="the daemon launches; got one typed here"):
            require_launcher(instance)


@needs_extra("dagster_ray", "ray")
def test_a_run_that_ray_did_not_start_is_not_judged() -> None:
    """Its process is alive on some host: taken for lost, it would be executed twice."""
    from dagster_project.ray_runs import RayRuns

    run = dg.DagsterRun(job_name="refresh_small", status=dg.DagsterRunStatus.STARTED)
    launcher = RayRuns(address="http://127.0.0.1:1")
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_workers_of_one_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYBRID_HOME", str(tmp_path))
    with workers(hands_out=True) as pool:
        assert pool is not None
        assert list(pool.map(abs, [-1, 2, -3])) == [1, 2, 3]
    with workers(hands_out=False) as pool:
        assert pool is None


@needs_extra("dagster_ray", "ray")
def test_who_draws_much_says_that_it_hands_out(
    small_study: Callable[..., StudyFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, "ray")
    monkeypatch.setenv("HYBRID_DEVICE", "cpu")
    study = small_study(generators=["cart", "llm"], n_synthetic=1_100_000)
    graph = dg.Definitions.merge(
        study_definitions(study, tmp_path), dg.Definitions(resources=RESOURCES)
    )
    nodes = graph.resolve_job_def("refresh_small").graph.nodes
    cores = {n.name: json.loads(n.definition.tags["dagster-ray/config"])["num_cpus"] for n in nodes}
    assert cores["small__cart__synthetic_covariates"] == 0.0
    assert cores["small__cart__full_synthetic"] == 0.0
    assert cores["small__llm__synthetic_covariates"] == 0.0
    assert cores["small__llm__full_synthetic"] == 1.0  # its fit is its own
