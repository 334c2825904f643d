"""The same study, seed and code give the same bytes; another seed does not."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.study_file import StudyFile
from warehouse import Warehouse

GENERATORS = {"bootstrap": {}, "cart": {}, "gan": {"steps": 20}, "llm": {"steps": 250}}
SHARED = ("seed_table", "splits", "propensity_model", "outcome_model", "seed_estimates")
BRANCH = ("fitted_generator", "synthetic_covariates", "hybrid_triplets", "full_synthetic")
Versions = dict[tuple[str, str], str]


@pytest.fixture
def versions(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> Callable[..., Versions]:
    """Make every table up to the synthetic ones; give their versions and their models'."""

    def run(**changes: object) -> Versions:
        study = small_study(
            covariates=["W1", "W2", "W4"], n_synthetic=200, **{"generators": GENERATORS} | changes
        )
        branches = [f"{generator}/{asset}" for generator in study.generators for asset in BRANCH]
        assert materialize(study, *SHARED, *branches).success
        entries = Warehouse(tmp_path / "home", "small").audit_entries()
        return entries.groupby(["asset", "kind"])["data_version"].last().to_dict()

    return run


def test_same_seed_same_bytes(versions: Callable[..., Versions]) -> None:
    assert versions() == versions()


def test_another_seed_gives_other_rows(versions: Callable[..., Versions]) -> None:
    few = {"generators": ["bootstrap", "cart"]}
    first, other = versions(**few), versions(random_seed=8, **few)
    same = {key for key in first if other[key] == first[key]}
    assert same == {
        ("seed_table", "table"),
        ("seed_table", "model"),
        ("seed_table (checks)", "document"),
        ("splits", "model"),
    }
