import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.designs import DESIGNS
from hybrid_assets.errors import EvaluationError
from hybrid_assets.fidelity import SeedReference, diagnose_effect, measure_table
from hybrid_assets.fidelity.refitting import refit
from hybrid_assets.nuisance import (
    NuisanceSettings,
    cross_fit,
    fit_outcome_model,
    fit_propensity_model,
)
from hybrid_assets.schema import ColumnSchema, TableSchema

LIBRARY = NuisanceSettings(
    n_fold_draws=1, outcome_library=("linear", "spline"), propensity_library=("constant", "linear")
)


def reference(train, holdout, schema, known=None):
    fits = (cross_fit(train, schema, LIBRARY, np.random.default_rng(0), known),)
    return SeedReference(
        train,
        holdout,
        fit_outcome_model(train, schema, LIBRARY, fits),
        fit_propensity_model(train, schema, LIBRARY, fits),
    )


@pytest.fixture(scope="module")
def trial():
    design = DESIGNS["paper1_trial"]
    schema = design.schema()
    train, holdout = (schema.canonical(design(800, seed)) for seed in (2, 3))
    return reference(train, holdout, schema, 0.5), schema


def diagnose(table, seed, **changes):
    settings = {"known_propensity": None, "rng": np.random.default_rng(1)} | changes
    return diagnose_effect(table, seed, **settings)


def test_fresh_people_of_the_same_law_look_like_the_holdout(trial):
    seed, schema = trial
    fresh = schema.canonical(DESIGNS["paper1_trial"](5000, 11))
    found = diagnose(fresh, seed)
    assert (found.n_rows, found.n_batches) == (800, 5)
    for name in ("main_error", "effect_error", "alpha_precision", "drift_total"):
        gap = getattr(found.measures, name) - getattr(found.holdout, name)
        # the holdout is one batch: its own error is the batches' times √5
        assert abs(gap) < 4 * math.sqrt(6) * getattr(found.standard_errors, name), name
    assert found.measures.beta_recall == pytest.approx(0.5, abs=0.05)


def test_a_lost_effect_is_found_in_the_contrast_at_little_loss(trial):
    """Outcomes are drawn without treatment's help: an effect of .42 is gone."""
    seed, schema = trial
    rows = DESIGNS["paper1_trial"](5000, 12)
    lost = schema.canonical(rows.assign(A=np.random.default_rng(0).integers(0, 2, 5000)))
    found = diagnose(lost, seed)
    measures, errors = found.measures, found.standard_errors
    weighted = [
        t.loc[t["A"] == 1, "Y"].mean() - t.loc[t["A"] == 0, "Y"].mean() for t in (lost, seed.train)
    ]
    assert abs(measures.drift_total - (weighted[0] - weighted[1])) < 4 * errors.drift_total
    assert measures.drift_total < -0.35
    assert measures.drift_contrast < -0.35
    for name in ("covariate_law", "assignment", "noise"):
        assert abs(getattr(measures, f"drift_{name}")) < 0.03
    parts = sum(
        getattr(measures, f"drift_{name}")
        for name in ("covariate_law", "contrast", "assignment", "noise")
    )
    assert measures.drift_total == pytest.approx(parts, abs=1e-12)
    # a quarter of the squared error, under a fair coin
    assert measures.effect_error == pytest.approx(measures.effect_error_unweighted / 4)
    assert measures.effect_error > 5 * found.holdout.effect_error


def test_a_planted_confounder_is_found_in_the_assignment(trial):
    seed, schema = trial
    rows = DESIGNS["confounded_binary"](5000, 13)
    found = diagnose(schema.canonical(rows), seed).measures
    assert abs(found.drift_assignment) > 0.03
    assert abs(found.drift_contrast) < 0.06
    assert (
        found.propensity_similarity < diagnose(schema.canonical(rows), seed).holdout.beta_recall * 2
    )


def test_same_seed_same_numbers_and_rows_for_storage(trial):
    seed, schema = trial
    fresh = schema.canonical(DESIGNS["paper1_trial"](1700, 14))
    found = diagnose(fresh, seed, known_propensity=0.5)
    assert found == diagnose(fresh, seed, known_propensity=0.5)
    assert found.n_batches == 2
    rows = measure_table(found)
    assert rows["measure"].tolist() == list(asdict(found.measures))
    assert rows["value"].tolist() == list(asdict(found.measures).values())
    assert rows["holdout_value"].notna().all()
    shares = found.loss_shares(found.measures)
    variance = seed.train["Y"].astype(float).var()
    assert shares[1] == pytest.approx(found.measures.effect_error / variance)


def test_a_stack_refitted_to_its_own_rows_is_itself(trial):
    seed, _ = trial
    again = refit(seed.outcome, seed.train)
    for arm in (0, 1):
        before, after = (m.predict(seed.holdout, arm) for m in (seed.outcome, again))
        assert after == pytest.approx(before, abs=1e-12)


def test_levels_alone_and_a_measurement_are_diagnosed():
    schema = TableSchema(
        study="levels",
        columns=(
            ColumnSchema(name="site", role="covariate", kind="categorical", levels=("a", "b", "c")),
            ColumnSchema(name="grade", role="covariate", kind="ordinal", levels=(1, 2, 3)),
            ColumnSchema(name="treated", role="treatment", kind="binary"),
            ColumnSchema(name="cost", role="outcome", kind="continuous"),
        ),
    )

    def people(n_rows, seed):
        rng = np.random.default_rng(seed)
        site, grade = rng.integers(0, 3, n_rows), rng.integers(1, 4, n_rows)
        treated = rng.integers(0, 2, n_rows)
        cost = 10 + grade + 2 * treated + rng.normal(size=n_rows)
        words = {"site": np.array(list("abc"))[site], "grade": grade}
        return schema.canonical(pd.DataFrame({**words, "treated": treated, "cost": cost}))

    seed = reference(people(400, 1), people(300, 2), schema)
    found = diagnose(people(1200, 3), seed)
    assert found.n_rows == 300
    assert all(np.isfinite(list(asdict(found.measures).values())))
    assert found.measures.beta_recall > 0.85  # nine cells: everybody is reached, depths tie
    assert abs(found.measures.drift_total) < 0.5


def test_small_or_one_armed_tables_are_refused(trial):
    seed, schema = trial
    fresh = schema.canonical(DESIGNS["paper1_trial"](900, 15))
    with pytest.raises(EvaluationError, match="at least 50 rows .*; got 49"):
        diagnose(fresh.iloc[:99], seed)
    with pytest.raises(EvaluationError, match="needs 10 rows in each arm.* has none in one"):
        diagnose(fresh.assign(A=1), seed)


def test_a_holdout_without_an_arm_has_no_reference(trial):
    seed, schema = trial
    fresh = schema.canonical(DESIGNS["paper1_trial"](1700, 16))
    alone = SeedReference(seed.train, seed.holdout.assign(A=0), seed.outcome, seed.propensity)
    found = diagnose(fresh, alone)
    assert found.holdout is None
    assert measure_table(found)["holdout_value"].isna().all()
