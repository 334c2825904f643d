"""What `dagster` loads: the studies of this package and of ``$HYBRID_STUDIES``."""

import os
from pathlib import Path

import dagster as dg

from dagster_project.automation import step_executor
from dagster_project.factory import study_definitions
from dagster_project.private_errors import keep_errors_private
from dagster_project.resources import RESOURCES
from dagster_project.study_file import read_study_file
from hybrid_assets.errors import StudyError

STUDIES_VARIABLE = "HYBRID_STUDIES"

keep_errors_private()  # here, since every process that runs a step or serves code imports this


def user_studies() -> list[dg.Definitions]:
    """Load ``<folder>/<study>/defs.yaml`` for each folder that ``$HYBRID_STUDIES`` names.

    Raises
    ------
    StudyError
        If there is no such folder.
    """
    folders = [Path(p) for p in os.environ.get(STUDIES_VARIABLE, "").split(os.pathsep) if p]
    for folder in folders:
        if not folder.is_dir():
            raise StudyError(f"{STUDIES_VARIABLE}: expected a folder at {folder}; got none")
    files = [file for folder in folders for file in sorted(folder.glob("*/defs.yaml"))]
    return [study_definitions(read_study_file(file), file.parent) for file in files]


@dg.definitions
def defs() -> dg.Definitions:
    """Every study, with the resources and the executor they share."""
    shared = dg.Definitions(resources=RESOURCES, executor=step_executor())
    packaged = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(packaged, *user_studies(), shared)
