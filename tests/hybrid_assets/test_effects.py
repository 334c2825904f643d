"""Effects laid out as tables: what is compared with what."""

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.designs import DESIGNS
from hybrid_assets.effects import (
    EFFECT_COMMENTS,
    average_effects,
    compared,
    effect_rows,
    seed_tmle,
)
from hybrid_assets.estimators import (
    EffectEstimate,
    EffectQuestions,
    estimate_effects,
    estimate_subgroup_effects,
    strata_of,
)
from hybrid_assets.nuisance import ParametricSettings, cross_fit
from hybrid_assets.report.comparison import comparison_rows

DESIGN = DESIGNS["confounded_binary"]
ASKED = EffectQuestions(
    ("aipw", "tmle"), ("att", "ate", "odds_ratio"), ("W3",)
)  # the target is neither first nor alone


def effects(n_rows: int, seed: int) -> list[EffectEstimate]:
    table, schema = DESIGN(n_rows, seed), DESIGN.schema()
    fits = (cross_fit(table, schema, ParametricSettings(), np.random.default_rng(0)),)
    strata = strata_of(table, schema, ASKED.subgroups)
    return [
        *estimate_subgroup_effects(fits, strata, ASKED),
        *estimate_effects(fits, ASKED),
    ]


@pytest.fixture(scope="module")
def seed() -> list[EffectEstimate]:
    return effects(400, 1)


@pytest.fixture(scope="module")
def synthetic() -> list[EffectEstimate]:
    return effects(800, 2)


@pytest.fixture(scope="module")
def rows(seed: list[EffectEstimate], synthetic: list[EffectEstimate]) -> pd.DataFrame:
    seed_rows = pd.concat(
        [effect_rows(seed, kind="seed", nuisances="parametric"), effect_rows(seed, kind="seed")]
    )
    hybrid = effect_rows(synthetic, kind="hybrid", generator="gan", n_seed=400)
    return compared(seed_rows, [hybrid], psi_exact={"gan": 0.4}, true_effect=0.42)


def test_columns_are_the_documented_ones(rows: pd.DataFrame) -> None:
    assert list(rows.columns) == list(EFFECT_COMMENTS)
    assert len(rows) == 3 * 18


def test_the_target_is_the_average_effect_of_everyone(
    seed: list[EffectEstimate], rows: pd.DataFrame
) -> None:
    (expected,) = (
        each.estimate
        for each in seed
        if (each.estimator, each.estimand, each.subgroup) == ("tmle", "ate", "")
    )
    target = seed_tmle(rows[rows["table_kind"] == "seed"])
    assert target["estimate"] == expected
    assert target["nuisances"] == "stacked"
    assert len(average_effects(rows)) == 3 * 2


def test_exact_effect_and_truth_are_those_of_the_average(rows: pd.DataFrame) -> None:
    is_average = (rows["estimand"] == "ate") & (rows["subgroup"] == "")
    assert (rows["true_effect"].notna() == is_average).all()
    is_exact = is_average & (rows["table_kind"] == "hybrid")
    assert (rows["psi_exact"].notna() == is_exact).all()
    assert rows.loc[is_exact, "difference_to_truth"].to_numpy() == pytest.approx([-0.02, -0.02])


def test_every_estimand_is_held_against_its_own_in_the_seed(rows: pd.DataFrame) -> None:
    question = {"estimator": "tmle", "estimand": "odds_ratio", "subgroup_level": "1"}
    chosen = rows[(rows[list(question)] == pd.Series(question)).all(axis=1)]
    seed, hybrid = (
        chosen[(chosen["table_kind"] == kind) & (chosen["nuisances"] == "stacked")].iloc[0]
        for kind in ("seed", "hybrid")
    )
    expected = abs(np.log(hybrid["estimate"] / seed["estimate"])) / seed["standard_error"]
    assert hybrid["difference_to_seed_in_se"] == pytest.approx(expected)
    assert seed["difference_to_seed_in_se"] == 0.0


def test_subgroups_are_widened_by_the_factor_of_the_tables(rows: pd.DataFrame) -> None:
    hybrid = rows[rows["table_kind"] == "hybrid"]
    factor = hybrid["standard_error_adjusted"] / hybrid["standard_error"]
    assert factor.to_numpy() == pytest.approx(np.sqrt(1 + 800 / 400))


def test_the_comparison_shows_average_effects_only(rows: pd.DataFrame) -> None:
    shown = comparison_rows(rows)
    assert [row.table for row in shown] == ["seed (reference model)", "seed", "gan hybrid"]
    assert [sorted(row.estimates) for row in shown] == [["aipw", "tmle"]] * 3
    target = seed_tmle(rows[rows["table_kind"] == "seed"])
    assert shown[1].estimates["tmle"].estimate == target["estimate"]
    assert shown[2].n_rows == 800


def test_estimates_by_the_published_recipe_say_so(seed: list[EffectEstimate]) -> None:
    rows = effect_rows(seed, kind="hybrid", generator="gan", nuisances="in-sample forest")
    assert set(rows["table_name"]) == {"gan hybrid (published recipe: not for release)"}
    assert rows["interval_note"].str.startswith("in-sample forests: standard error too small").all()
    assert set(effect_rows(seed, kind="seed")["interval_note"]) == {""}


def test_the_published_recipe_is_its_own_target(seed: list[EffectEstimate]) -> None:
    book = effect_rows(seed, kind="seed", nuisances="parametric")
    own = effect_rows(seed, kind="seed", nuisances="in-sample forest")
    target = seed_tmle(pd.concat([book, own], ignore_index=True))
    assert (target["nuisances"], target["estimator"]) == ("in-sample forest", "tmle")
