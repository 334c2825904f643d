"""Studies as Dagster components: one folder, one YAML file, one subgraph."""

from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import BaseModel

from dagster_project.factory import study_definitions
from dagster_project.study_file import StudyFile
from hybrid_assets.errors import StudyError

SCAFFOLD = {
    "title": "One line that a reviewer reads first",
    "source": {"kind": "csv", "path": "seed.csv"},
    "treatment": "treatment",
    "outcome": "outcome",
    "design": {"kind": "observational"},
    "generators": {"bootstrap": {}, "cart": {}},
    "random_seed": 1,
}


class StudyScaffolder(dg.Scaffolder[BaseModel]):
    """Writes a study file with every required field for ``dg scaffold defs``."""

    def scaffold(self, request: dg.ScaffoldRequest[BaseModel]) -> None:
        """Write ``defs.yaml`` into the new folder, named after it."""
        dg.scaffold_component(request, {"name": request.target_path.name, **SCAFFOLD})


@dg.scaffold_with(StudyScaffolder)
class StudyComponent(dg.Component, dg.Resolvable):
    """One study: seed table, generators, hybrid triplets, checks, estimates, report.

    The attributes are the fields of `StudyFile`, a strict pydantic model: a
    field derived by Dagster would accept any text where a template could
    stand, so that ``kind: lmm`` would pass ``dg check yaml``.
    """

    def __init__(self, study: StudyFile, folder: Path) -> None:
        self.study = study
        self.folder = folder

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Attributes are validated by the study model itself."""
        return StudyFile

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Build the component from validated attributes."""
        if not isinstance(attributes, StudyFile):
            raise StudyError(f"study file in {context.path}: expected attributes; got none")
        return cls(attributes, context.path)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Give the study's assets, checks and job."""
        return study_definitions(self.study, self.folder)
