"""What `dagster` loads: the studies of this package and of ``$HYBRID_STUDIES``."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from dagster_project.abandoned_runs import abandoned_runs
from dagster_project.automation import step_executor
from dagster_project.factory import study_definitions
from dagster_project.instance import keep_files_private
from dagster_project.notifications import SENSORS, Notifier
from dagster_project.private_errors import keep_errors_private, keep_output_private
from dagster_project.resources import IN_CHECKOUT, RESOURCES
from dagster_project.study_file import read_study_file
from dagster_project.study_folders import packaged_study_files, user_study_files

# Here, since every process that runs a step or serves code imports this.
keep_errors_private()
keep_output_private()
keep_files_private()


def loaded(files: Iterable[Path]) -> list[dg.Definitions]:
    """Load study files, without the components that dg finds in a project only."""
    return [study_definitions(read_study_file(file), file.parent) for file in files]


def packaged_studies() -> list[dg.Definitions]:
    """Load the studies of this package: as dg's components, where there is a project around it."""
    if IN_CHECKOUT:
        return [dg.load_from_defs_folder(path_within_project=Path(__file__).parent)]
    return loaded(packaged_study_files())


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Keep the garbage collector from walking, again and again, through what is there to stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # steps are forked from this process and share its memory
        gc.enable()


@dg.definitions
@nothing_collected()
def defs() -> dg.Definitions:
    """Every study, with the resources and the executor they share."""
    shared = dg.Definitions(
        resources={**RESOURCES, "notifier": Notifier()},
        sensors=[*SENSORS, abandoned_runs],
        executor=step_executor(),
    )
    return dg.Definitions.merge(*packaged_studies(), *loaded(user_study_files()), shared)
