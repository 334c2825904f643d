"""What is put together from parts is what Dagster's own decorators give, as the page sees it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import JobDataSnap, RepositorySnap
from dagster_shared.serdes import serialize_value

from dagster_project.declaration import declared_asset, declared_checks
from dagster_project.engines import StepSettings

KEY = dg.AssetKey(["study", "cart", "table"])
DEPS = [dg.AssetKey(["study", "b-c"]), dg.AssetKey(["study", "a"])]
CHECKS = [
    dg.AssetCheckSpec("whole", asset=KEY, description="No row is missing.", blocking=True),
    dg.AssetCheckSpec("even", asset=KEY),
]
STEP = StepSettings("gpu", {"engine/config": {"num_cpus": 1}}, dg.RetryPolicy(max_retries=2))
SHOWN: dict[str, Any] = {
    "deps": DEPS,
    "group_name": "study/cart",
    "owners": ["team:epidemiology"],
    "kinds": {"duckdb"},
    "tags": {"privacy": "derived"},
    "code_version": "1",
    "description": "Rows.",
    "automation_condition": dg.AutomationCondition.eager(),
}


def made(context: dg.AssetExecutionContext, _: object = None) -> Iterator[Any]:
    results = [dg.AssetCheckResult(passed=n == "whole", check_name=n) for n in ("whole", "even")]
    yield dg.MaterializeResult(metadata={"n": 3}, check_results=results)


def evaluated(context: dg.AssetCheckExecutionContext, _: object = None) -> Iterator[Any]:
    for key in context.selected_asset_check_keys:
        yield dg.AssetCheckResult(asset_key=KEY, check_name=key.name, passed=True)


def decorated_asset() -> dg.AssetsDefinition:
    @dg.asset(
        key=KEY,
        **SHOWN,
        check_specs=CHECKS,
        pool="gpu",
        required_resource_keys={"storage"},
        op_tags=STEP.tags,
        retry_policy=STEP.retry_policy,
    )
    def body(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        yield from made(context)

    return body


def decorated_checks() -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name="suite",
        specs=CHECKS,
        can_subset=True,
        required_resource_keys={"storage"},
        op_tags=STEP.tags,
        retry_policy=STEP.retry_policy,
    )
    def body(context: dg.AssetCheckExecutionContext):  # type: ignore[no-untyped-def]
        yield from evaluated(context)

    return body


def put_together() -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition]:
    needs = frozenset({"storage"})
    asset = declared_asset(dg.AssetSpec(KEY, **SHOWN), made, CHECKS, needs=needs, step=STEP)
    return asset, declared_checks("suite", evaluated, CHECKS, needs=needs, step=STEP)


def seen_by_the_page(definition: dg.AssetsDefinition) -> list[str]:
    repository = dg.Definitions(
        assets=[definition], resources={"storage": dg.ResourceDefinition.none_resource()}
    ).get_repository_def()
    jobs = [JobDataSnap.from_job_def(job, True) for job in repository.get_all_jobs()]
    return [serialize_value(each) for each in (RepositorySnap.from_def(repository), *jobs)]


def test_dagster_is_shown_what_the_decorators_show() -> None:
    asset, checks = put_together()
    assert seen_by_the_page(asset) == seen_by_the_page(decorated_asset())
    assert seen_by_the_page(checks) == seen_by_the_page(decorated_checks())


def test_a_step_gives_its_asset_and_every_check() -> None:
    asset, _ = put_together()
    storage = {"storage": dg.ResourceDefinition.none_resource()}
    result = dg.materialize([asset], resources=storage)
    (event,) = result.asset_materializations_for_node("study__cart__table")
    assert event.metadata["n"].value == 3
    passed = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert passed == {"whole": True, "even": False}


def test_of_checks_only_those_asked_for_are_evaluated() -> None:
    _, checks = put_together()
    result = dg.materialize(
        [checks],
        selection=dg.AssetSelection.checks(dg.AssetCheckKey(KEY, "even")),
        resources={"storage": dg.ResourceDefinition.none_resource()},
    )
    assert [e.check_name for e in result.get_asset_check_evaluations()] == ["even"]


@pytest.mark.parametrize(
    "odd",
    [dg.AssetCheckSpec("even", asset=KEY, blocking=True), dg.AssetCheckSpec("other", asset="b")],
    ids=["twice", "of another asset"],
)
def test_a_check_is_of_its_asset_and_has_a_name_of_its_own(odd: dg.AssetCheckSpec) -> None:
    needs, checks = frozenset({"storage"}), [*CHECKS, odd]
    message = f"check '{odd.name}' of .*: expected one of each name, of the asset study/cart/table"
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=message):
        declared_asset(dg.AssetSpec(KEY, **SHOWN), made, checks, needs=needs, step=STEP)
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=message):
        declared_checks("suite", evaluated, checks, needs=needs, step=STEP)
