"""What a step hands its blocks to: processes of its own machine, or tasks on Ray."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial

from dagster_project.core_turns import core_turn, cores_of_this_host
from dagster_project.engines import KUBERNETES_CORES, chosen_engine, n_cores
from dagster_project.study_file import StudyFile
from hybrid_assets.processes import LocalProcesses

MANY_ROWS = 100_000


def fits_hand_out(study: StudyFile) -> bool:
    """Whether fits to a study's people may go to others, where they are many.

    On a cluster a step asks for its cores before its people are counted: a study counts as large
    by the synthetic rows that it wants. One machine need not be asked.
    """
    return chosen_engine() == "processes" or study.n_synthetic > MANY_ROWS


@contextmanager
def workers(hands_out: bool) -> Iterator[Executor | None]:
    """Open what the deployment's engine offers; nothing is started before there is work.

    A step that has not said that it `hands_out` gets None: it would wait with a core of its own.
    On Kubernetes a step stays in its pod, which asks for cores of its own. On one machine as many
    blocks as it has cores are at work at once, however many steps hand out.
    """
    engine = chosen_engine()
    if not hands_out:
        yield None
        return
    if engine == "ray":
        from dagster_project.ray_tasks import RayTasks

        with RayTasks() as tasks:
            yield tasks
        return
    if engine == "kubernetes":
        with LocalProcesses(KUBERNETES_CORES) as processes:
            yield processes
        return
    turn = partial(core_turn, cores_of_this_host(), n_cores())
    with LocalProcesses(n_cores(), turn) as processes:
        yield processes
