import numpy as np
import pandas as pd
import pytest

from hybrid_assets.designs import DESIGNS
from hybrid_assets.errors import EstimationError, NotConverged
from hybrid_assets.estimators import (
    EffectQuestions,
    adjusted_for_synthesis,
    estimate_effects,
    estimate_subgroup_effects,
    inference_factor,
    strata_of,
    tmle,
)
from hybrid_assets.nuisance import NuisanceSettings, cross_fit_draws

DESIGN = DESIGNS["confounded_binary"]
SCHEMA = DESIGN.schema()
QUICK = NuisanceSettings(
    n_fold_draws=3, propensity_library=("constant", "linear"), outcome_library=("linear",)
)
ALL = EffectQuestions(("aipw", "tmle"), ("ate", "att", "odds_ratio"), ("W1", "W3"))


@pytest.fixture(scope="module")
def table():
    return DESIGN(500, 9)


@pytest.fixture(scope="module")
def fits(table):
    return cross_fit_draws(table, SCHEMA, QUICK, np.random.default_rng(2))


def test_brute_force_on_the_rows_of_a_stratum(table, fits):
    (alone,) = estimate_subgroup_effects(
        fits[:1], strata_of(table, SCHEMA, ("W3",))[1:], EffectQuestions(("tmle",))
    )
    fit, rows = fits[0], (table["W3"] == 1).to_numpy()
    arrays = (fit.treatment, fit.outcome, fit.propensity, fit.outcome_control, fit.outcome_treated)
    by_hand = tmle(*(each[rows] for each in arrays))
    assert (alone.subgroup, alone.subgroup_level) == ("W3", "1")
    assert alone.n_rows == rows.sum()
    assert alone.estimate == by_hand.estimate
    assert alone.standard_error == by_hand.standard_error
    assert alone.clipped_share == (fit.propensity != fit.propensity_unbounded)[rows].mean()


def test_subgroup_effects_of_aipw_average_to_everyone(table, fits):
    asked = EffectQuestions(("aipw",), ("ate",), ("W1", "W2", "W3"))
    (everyone,) = estimate_effects(fits[:1], asked)
    found = estimate_subgroup_effects(fits[:1], strata_of(table, SCHEMA, asked.subgroups), asked)
    for column in asked.subgroups:
        parts = [each for each in found if each.subgroup == column]
        assert sum(part.n_rows for part in parts) == 500
        average = sum(part.estimate * part.n_rows for part in parts) / 500
        assert average == pytest.approx(everyone.estimate, abs=1e-12)


def test_every_question_is_answered_with_the_median_rule(table, fits):
    everyone = estimate_effects(fits, ALL)
    strata = strata_of(table, SCHEMA, ALL.subgroups)
    assert [(each.column, each.level) for each in strata] == [
        ("W1", "0"), ("W1", "1"), ("W3", "0"), ("W3", "1")
    ]  # fmt: skip
    found = estimate_subgroup_effects(fits, strata, ALL)
    assert len(everyone) == 6
    assert len(found) == 4 * 6
    assert {each.n_fold_draws for each in [*everyone, *found]} == {3}
    assert all(each.converged for each in found)
    assert [each.estimand for each in everyone] == [
        "ate", "ate", "att", "att", "odds_ratio", "odds_ratio"
    ]  # fmt: skip


def test_levels_come_in_the_schema_s_order(with_schema):
    from hybrid_assets.schema import ColumnKind

    raw = pd.DataFrame({"site": ["b", "a", "c", "a"], "A": [0, 1, 1, 0], "Y": [0.5, 1, 2, 3]})
    table, schema = with_schema(raw, {"site": ColumnKind.CATEGORICAL}, treatment="A", outcome="Y")
    strata = strata_of(table, schema, ("site",))
    counts = [(each.level, each.n_treated, each.n_control) for each in strata]
    assert counts == [("a", 1, 1), ("b", 0, 1), ("c", 1, 0)]
    assert all(each.is_thin for each in strata)


def test_a_thin_stratum_is_refused_without_its_level_or_size(table, fits):
    rare = table.assign(W3=(np.arange(500) < 15).astype("int64"))
    strata = strata_of(rare, SCHEMA, ("W3",))
    message = "subgroups of W3: expected 10 rows .* at every level; got a level with fewer"
    with pytest.raises(EstimationError, match=message) as caught:
        estimate_subgroup_effects(fits, strata, ALL)
    assert "W3 = 1" not in str(caught.value)


def test_an_estimator_that_refuses_a_stratum_names_it(table, fits):
    rows = (table["W1"] == 1).to_numpy()
    spoiled = tuple(
        type(fit)(**{**vars(fit), "outcome": np.where(rows, 0.0, fit.outcome)}) for fit in fits
    )
    with pytest.raises(NotConverged, match="subgroup W1 = 1: TMLE: an arm's outcomes are all 0"):
        estimate_subgroup_effects(spoiled, strata_of(table, SCHEMA, ("W1",)), ALL)


@pytest.mark.parametrize(
    ("column", "got"),
    [("W4", "a column of kind continuous"), ("A", "no covariate"), ("age", "no covariate")],
)
def test_columns_without_levels_are_refused(table, column, got):
    with pytest.raises(EstimationError, match=f"column '{column}': expected a binary.*; got {got}"):
        strata_of(table, SCHEMA, (column,))


def test_a_subgroup_is_widened_by_the_factor_of_the_whole_tables(table, fits):
    stratum = strata_of(table, SCHEMA, ("W1",))[:1]
    (naive,) = estimate_subgroup_effects(fits, stratum, EffectQuestions(("tmle",), ("odds_ratio",)))
    wide = adjusted_for_synthesis(naive, n_seed=100, n_synthetic=500)
    assert wide.standard_error == naive.standard_error * inference_factor(500, 100)
    assert wide.estimate == naive.estimate
    assert wide.ci_low * wide.ci_high == pytest.approx(naive.estimate**2)


@pytest.mark.slow
def test_95_percent_intervals_of_a_subgroup_cover():
    """Coverage among W3 = 1 in 500 studies of 1000 people, AIPW and TMLE; error .01."""
    from hybrid_assets.designs import paper1_outcome_mean

    people = DESIGN(1_000_000, 1).query("W3 == 1")
    truth = np.mean(paper1_outcome_mean(people, 1) - paper1_outcome_mean(people, 0))
    asked = EffectQuestions(("aipw", "tmle"), ("ate",), ("W3",))
    lean = QUICK.model_copy(update={"n_fold_draws": 1})
    inside = []
    for seed in range(500):
        table = DESIGN(1000, seed)
        fits = cross_fit_draws(table, SCHEMA, lean, np.random.default_rng(seed))
        strata = strata_of(table, SCHEMA, ("W3",))[1:]
        found = estimate_subgroup_effects(fits, strata, asked)
        inside.append([each.ci_low <= truth <= each.ci_high for each in found])
    assert np.mean(inside, axis=0) == pytest.approx([0.95, 0.95], abs=0.025)
