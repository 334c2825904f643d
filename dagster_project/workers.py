"""What a step hands its blocks to: processes of its own machine, or tasks on Ray."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from dagster_project.engines import KUBERNETES_CORES, chosen_engine, n_cores
from hybrid_assets.processes import local_processes


@contextmanager
def workers() -> Iterator[Executor]:
    """Open what the deployment's engine offers; nothing is started before there is work.

    On Kubernetes a step stays in its pod, which asks for cores of its own.
    """
    engine = chosen_engine()
    if engine == "ray":
        from dagster_project.ray_tasks import RayTasks

        with RayTasks() as tasks:
            yield tasks
        return
    with local_processes(KUBERNETES_CORES if engine == "kubernetes" else n_cores()) as processes:
        yield processes
