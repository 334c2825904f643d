"""What follows by itself: effects, comparison and report, after guarded tables and not before."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.automation import PRELOADED, PRELOADED_FOR
from dagster_project.factory import study_definitions
from dagster_project.resources import RESOURCES
from dagster_project.study_file import StudyFile

FOLLOW = {"ate_estimates", "generator_comparison", "study_report"}
TRIPLETS = dg.AssetKey(["small", "cart", "hybrid_triplets"])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def definitions(small_study: Callable[..., StudyFile], tmp_path: Path) -> dg.Definitions:
    study = small_study(generators=["cart"])
    return dg.Definitions.merge(
        study_definitions(study, tmp_path), dg.Definitions(resources=RESOURCES)
    )


def requested(
    definitions: dg.Definitions, instance: dg.DagsterInstance, cursor: object = None
) -> tuple[set[str], object]:
    """Evaluate as the daemon does once; give what it would run."""
    every = dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks()
    found = dg.evaluate_automation_conditions(
        definitions, instance=instance, asset_selection=every, cursor=cursor
    )
    graph = definitions.resolve_asset_graph()
    keys = [key for key in graph.get_all_asset_keys() if found.get_num_requested(key)]
    return {"/".join(key.path[1:]) for key in keys}, found.cursor


def tell(definitions: dg.Definitions, instance: dg.DagsterInstance, *, is_open: bool) -> None:
    """Report every other asset of a refresh as made, and how the guard of the triplets ended."""
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        if key.path[-1] not in FOLLOW and graph.get(key).tags["job"] == "refresh":
            instance.report_runless_asset_event(dg.AssetMaterialization(key))
    for check in graph.asset_check_keys:
        passed = is_open or check.asset_key != TRIPLETS
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=check.asset_key, check_name=check.name, passed=passed)
        )


@pytest.mark.parametrize(
    "name", [*PRELOADED, *(n for some in PRELOADED_FOR.values() for n in some)]
)
def test_what_steps_are_forked_with_is_there(name: str) -> None:
    """The fork server passes over what it cannot import, and steps would be slow again."""
    assert importlib.util.find_spec(name) is not None


def test_nothing_follows_what_is_not_there(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    assert requested(definitions, instance)[0] == set()


def test_the_report_follows_new_tables_once(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    _, cursor = requested(definitions, instance)
    tell(definitions, instance, is_open=True)
    followed, cursor = requested(definitions, instance, cursor)
    assert followed == FOLLOW
    assert requested(definitions, instance, cursor)[0] == set()


def test_nothing_follows_a_table_whose_gate_is_shut(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    _, cursor = requested(definitions, instance)
    tell(definitions, instance, is_open=False)
    assert "ate_estimates" not in requested(definitions, instance, cursor)[0]
