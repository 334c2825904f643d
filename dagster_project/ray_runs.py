"""Runs and steps on Ray that are taken up again when the host that they were on is lost.

dagster-ray (0.4.8) starts both and says how they are. Here is what it leaves open for that.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.base import Executor
from dagster._core.executor.init import InitExecutorContext
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandlerContext,
)
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster_ray import RayRunLauncher
from dagster_ray.core.executor import RayStepHandler

from dagster_project.private_errors import SILENT

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

LAUNCHED_TAG = "hybrid/launched"


class RayRuns(RayRunLauncher):  # type: ignore[misc]
    """Starts runs as Ray jobs, and judges no others.

    `hybrid run` is a process of the host that it was typed on. Ray knows no job of it, which
    Dagster would take for a lost one, and execute the run a second time beside it.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start a run, and say that it is ours."""
        self._instance.add_run_tags(context.dagster_run.run_id, {LAUNCHED_TAG: "ray"})
        super().launch_run(context)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Say how a run of ours is; of others that all is well."""
        if LAUNCHED_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return super().check_run_worker_health(run)  # type: ignore[no-any-return]


class RaySteps(RayStepHandler):  # type: ignore[misc]
    """Steps as Ray jobs.

    A run that is taken up asks at once how the steps are that another process started, to start the
    lost ones anew: under the name that Ray has for them, which it refuses, and as a first try,
    which a step that was begun refuses. So they are well at first; the next look, 20 seconds
    later, tries a lost step again as its retry policy says, or not at all.
    """

    def __init__(self, client: "JobSubmissionClient") -> None:
        silent = [f"{name}={value}" for name, value in SILENT.items()]
        none: dict[str, Any] = dict.fromkeys(
            ("runtime_env", "num_cpus", "num_gpus", "memory", "resources")
        )
        super().__init__(client, env_vars=silent, **none)
        self._seen: set[str] = set()

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Start a step."""
        self._seen.add(self._get_step_key(step_handler_context))
        yield from super().launch_step(step_handler_context)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Say how a step is; of another process's, from the second look on."""
        step = self._get_step_key(step_handler_context)
        if step not in self._seen:
            self._seen.add(step)
            return CheckStepHealthResult.healthy()
        return super().check_step_health(step_handler_context)  # type: ignore[no-any-return]


@dg.executor(name="ray", requirements=multiple_process_executor_requirements())
def ray_executor(context: InitExecutorContext) -> Executor:
    """Run each step as a Ray job of its own, on whichever host has room for it."""
    from ray.job_submission import JobSubmissionClient

    launcher = context.instance.run_launcher
    client = launcher.client if isinstance(launcher, RayRuns) else JobSubmissionClient()
    return StepDelegatingExecutor(
        RaySteps(client), retries=RetryMode.ENABLED, should_verify_step=True
    )
