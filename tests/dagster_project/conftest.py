"""Small studies, materialized in this process or by the real executor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.factory import study_definitions
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile
from hybrid_assets.designs import DESIGNS

SMALL_STUDY: dict[str, Any] = {
    "name": "small",
    "title": "A small trial",
    "source": {"kind": "design", "name": "paper1_trial", "n_rows": 300, "random_seed": 5},
    "treatment": "A",
    "outcome": "Y",
    "design": {"kind": "trial", "probability": 0.5},
    "assignment": "randomised",
    "nuisance": {"n_fold_draws": 1, "outcome_library": ["linear"]},
    "generators": ["bootstrap", "cart"],
    "n_synthetic": 400,
    "random_seed": 7,
}


@pytest.fixture
def small_study() -> Callable[..., StudyFile]:
    """Give the small study, with some settings changed."""
    return lambda **changes: StudyFile.model_validate(SMALL_STUDY | changes)


@pytest.fixture
def materialize(tmp_path: Path) -> Callable[..., dg.ExecuteInProcessResult]:
    """Materialize what a refresh makes of a study, or named assets, into a temporary home."""

    def run(study: StudyFile, *assets: str) -> dg.ExecuteInProcessResult:
        definitions = study_definitions(study, tmp_path)
        named = [dg.AssetKey([study.name, *asset.split("/")]) for asset in assets]
        return dg.materialize(
            [*definitions.assets, *definitions.asset_checks],
            selection=named or dg.AssetSelection.tag("job", "refresh"),
            instance=dg.DagsterInstance.ephemeral(),
            resources={
                "storage": StorageResource(home=str(tmp_path / "home")),
                "compute": ComputeDevice(device="cpu"),
                "io_manager": RefusingIOManager(),
            },
            raise_on_error=False,
        )

    return run


@pytest.fixture
def trial_rows() -> Any:
    """Give 300 rows of paper 1's trial."""
    return DESIGNS["paper1_trial"](300, 5)
