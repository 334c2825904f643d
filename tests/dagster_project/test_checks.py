"""Asset checks, with input that passes and input that must fail."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from dagster_project.study_file import StudyFile
from dagster_project.suites import SUITE, evaluate, evaluate_rules
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema
from warehouse import Provenance, Warehouse

SCHEMA = TableSchema(
    study="demo",
    columns=(
        ColumnSchema(name="smoker", role=Role.COVARIATE, kind=ColumnKind.BINARY),
        ColumnSchema(
            name="site", role=Role.COVARIATE, kind=ColumnKind.CATEGORICAL, levels=("a", "b")
        ),
        ColumnSchema(
            name="weight",
            role=Role.COVARIATE,
            kind=ColumnKind.CONTINUOUS,
            minimum=40.0,
            maximum=90.0,
            decimals=1,
        ),
    ),
)
GOOD = pd.DataFrame({"smoker": [0, 1, 1], "site": ["a", "b", "a"], "weight": [40.0, 61.5, 90.0]})
SPOILED = {
    "columns_in_order": GOOD[["site", "smoker", "weight"]],
    "row_count": GOOD.iloc[:2],
    "no_missing_values": GOOD.assign(weight=[40.0, np.nan, 90.0]),
    "storage_types": GOOD.assign(smoker=[0.0, 1.0, 1.0]),
    "values_in_range": GOOD.assign(weight=[39.0, 61.5, 90.0]),
    "levels_known": GOOD.assign(site=["a", "b", "c"]),
}


@pytest.mark.parametrize("rule", SUITE)
def test_a_good_table_passes(rule: str) -> None:
    results = evaluate([GOOD], SUITE[rule](SCHEMA, 3))
    assert results
    assert all(result.success for result in results)


@pytest.mark.parametrize("rule", SUITE)
def test_a_spoiled_table_fails(rule: str) -> None:
    results = evaluate([SPOILED[rule]], SUITE[rule](SCHEMA, 3))
    assert [result.success for result in results].count(False) == 1


@pytest.mark.parametrize("rule", ["values_in_range", "storage_types"])
def test_rules_that_are_asked_together_answer_as_alone(rule: str) -> None:
    rules = {name: each(SCHEMA, 6) for name, each in SUITE.items()}
    blocks = [GOOD, SPOILED[rule]]
    together = evaluate_rules(blocks, rules)
    assert list(together) == list(SUITE)
    for name, expected in rules.items():
        alone = {(each.expectation, each.column): each for each in evaluate(blocks, expected)}
        assert {(each.expectation, each.column): each for each in together[name]} == alone
    assert [each.success for each in together[rule]].count(False) == 1


def test_binary_values_other_than_0_and_1_fail() -> None:
    results = evaluate([GOOD.assign(smoker=[0, 1, 2])], SUITE["values_in_range"](SCHEMA, 3))
    (against,) = (result for result in results if not result.success)
    assert against.column == "smoker"
    assert against.counts["unexpected_count"] == 1


def test_an_absent_column_counts_as_failure() -> None:
    results = evaluate([GOOD.drop(columns="site")], SUITE["no_missing_values"](SCHEMA, 3))
    assert [r.column for r in results if not r.success] == ["site"]


def test_results_carry_counts_and_no_cells() -> None:
    results = evaluate([GOOD.assign(site="secret")], SUITE["levels_known"](SCHEMA, 3))
    assert "secret" not in repr(results)
    assert results[0].counts["unexpected_percent"] == 100.0


@pytest.mark.parametrize("rule", SUITE)
def test_blocks_are_judged_as_one_table(rule: str) -> None:
    expectations = SUITE[rule](SCHEMA, 6)
    good = evaluate([GOOD, GOOD], expectations)
    assert all(result.success for result in good)
    spoiled = evaluate([GOOD, SPOILED[rule]], expectations)
    assert [result.success for result in spoiled].count(False) == 1
    whole = evaluate([pd.concat([GOOD, GOOD])], expectations)
    assert [result.counts for result in good] == [result.counts for result in whole]


def test_counts_of_blocks_add_up() -> None:
    blocks = [GOOD, GOOD.assign(weight=[39.0, np.nan, 38.0])]
    found = evaluate(blocks, SUITE["values_in_range"](SCHEMA, 6))
    whole = evaluate([pd.concat(blocks)], SUITE["values_in_range"](SCHEMA, 6))
    assert found == whole
    assert found[1].counts["unexpected_percent"] == 40.0


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        f"{'/'.join(e.asset_key.path[1:])}:{e.check_name}": e.passed
        for e in result.get_asset_check_evaluations()
    }


def test_the_bootstrap_fails_the_copy_check_and_cart_does_not(
    materialize: Callable[..., dg.ExecuteInProcessResult], small_study: Callable[..., StudyFile]
) -> None:
    found = outcomes(materialize(small_study()))
    assert not found["bootstrap/privacy_evaluation:copies"]
    assert found["cart/privacy_evaluation:copies"]
    assert not found["bootstrap/privacy_evaluation:privacy_verdict"]
    assert found["cart/hybrid_triplets:effect_drift"]
    assert found["propensity_model:positivity"]


def test_the_positivity_check_fails_where_treatment_was_all_but_certain(
    materialize: Callable[..., dg.ExecuteInProcessResult], small_study: Callable[..., StudyFile]
) -> None:
    source = {"kind": "design", "name": "paper1_observational", "n_rows": 400, "random_seed": 1}
    study = small_study(source=source, design={"kind": "observational"})
    found = outcomes(materialize(study, "seed_table", "splits", "propensity_model"))
    assert not found["propensity_model:positivity"]


def test_effect_drift_stops_what_comes_after(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    study = small_study(generators=["cart"])
    assert materialize(study).success
    moved = Warehouse(tmp_path / "home", "small")
    estimates = moved.read_table("seed_estimates")
    moved.record_table("seed_estimates", estimates.assign(estimate=0.9), PROVENANCE)
    again = materialize(study, "cart/hybrid_triplets", "cart/effect_estimates")
    assert not outcomes(again)["cart/hybrid_triplets:effect_drift"]
    made = [event.asset_key.path[-1] for event in again.get_asset_materialization_events()]
    assert made == ["hybrid_triplets"]


PROVENANCE = Provenance(
    run_id="by hand",
    code_version="0",
    study_hash="0",
    random_seed=0,
    upstream={},
    seconds=0.0,
    user="tester",
    started_at="2026-01-01T00:00:00+00:00",
)
