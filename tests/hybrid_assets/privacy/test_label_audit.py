import importlib.util

import numpy as np
import pytest

from hybrid_assets.designs import DESIGNS
from hybrid_assets.generators.dp import DpGenerator, DpSettings
from hybrid_assets.hybrid import HybridSettings
from hybrid_assets.nuisance import ForestSettings, NuisanceSettings
from hybrid_assets.privacy.audit_run import HybridRecipe, run_label_audit
from hybrid_assets.privacy.label_audit import audit_labels, plant_coin_flips
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.verdict import judge

POLICY = PrivacyPolicy()
LINEAR = {"propensity_library": ("linear",), "outcome_library": ("linear",)}


def test_a_tenth_of_the_outcomes_is_drawn_by_a_coin(schema, people):
    train = people(2000, 2)
    planted = plant_coin_flips(train, schema, np.random.default_rng(0))
    assert len(np.unique(planted.rows)) == 200
    assert planted.is_high.mean() == pytest.approx(0.5, abs=4 * 0.5 / 200**0.5)
    assert (planted.table["Y"].to_numpy()[planted.rows] == planted.is_high).all()
    others = np.setdiff1d(np.arange(2000), planted.rows)
    assert planted.table.iloc[others].equals(train.iloc[others])
    assert planted.table.drop(columns="Y").equals(train.drop(columns="Y"))


def test_continuous_outcomes_are_set_to_their_quartiles():
    design = DESIGNS["confounded_continuous"]
    train = design(1000, 1)
    planted = plant_coin_flips(train, design.schema(), np.random.default_rng(0))
    values = np.unique(planted.table["Y"].to_numpy()[planted.rows])
    assert values == pytest.approx(np.quantile(train["Y"], [0.25, 0.75]), abs=0.02)


def test_a_table_of_the_rows_themselves_fails(schema, people):
    planted = plant_coin_flips(people(1000, 2), schema, np.random.default_rng(0))
    synthetic = planted.table.sample(20_000, replace=True, random_state=0)
    found = audit_labels(synthetic, planted, schema, POLICY)
    assert found.value == np.inf
    # all of 50 right: the one-sided bound is .05 ** (1 / 50)
    bound = 0.05 ** (1 / 50)
    assert found.ci_low == pytest.approx(np.log(bound / (1 - bound)), rel=1e-6)
    assert judge([found], POLICY)[0].verdict == "FAIL"


def test_a_memorising_forest_fails_and_small_models_do_not(schema, people, by_forest, by_logistic):
    planted = plant_coin_flips(people(2000, 2), schema, np.random.default_rng(0))
    rows = people(40_000, 4)
    for redraw, verdicts in ((by_forest, {"FAIL"}), (by_logistic, {"PASS"})):
        synthetic = redraw(rows, planted.table, schema, np.random.default_rng(1))
        found = audit_labels(synthetic, planted, schema, POLICY)
        assert judge([found], POLICY)[0].verdict in verdicts


def test_fresh_tables_are_accused_as_rarely_as_promised(schema, people):
    """ε > 0 at one-sided 95 % in at most 5 % of tables that know nobody."""
    rng = np.random.default_rng(3)
    bounds = []
    for seed in range(60):
        planted = plant_coin_flips(people(400, 100 + seed), schema, rng)
        bounds.append(audit_labels(people(1000, 300 + seed), planted, schema, POLICY).ci_low)
    assert np.mean(np.array(bounds) > 0) <= 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5


@pytest.mark.parametrize(
    ("nuisance", "verdict"),
    [(ForestSettings(), "FAIL"), (NuisanceSettings(n_fold_draws=1, **LINEAR), "PASS")],
    ids=["in-sample forest", "linear"],
)
def test_the_hybrid_step_is_audited_as_a_study_runs_it(nuisance, verdict, schema, people):
    recipe = HybridRecipe(nuisance, HybridSettings(calibrate=verdict == "PASS"), None)
    rows = people(20_000, 4)[schema.covariate_names]
    found = [
        run_label_audit(
            people(1000, 2), rows, schema, recipe, policy=POLICY, rng=np.random.default_rng(6)
        )
        for _ in range(2)
    ]
    assert found[0].verdict == verdict
    assert (found[0].measure.ci_low > POLICY.max_audit_epsilon) == (verdict == "FAIL")
    assert found[0] == found[1]


@pytest.mark.skipif(
    importlib.util.find_spec("opendp") is None, reason="needs pip install 'hybrid-assets[dp]'"
)
def test_a_private_generator_is_fitted_anew_and_keeps_the_coins_to_itself(schema, people):
    settings = DpSettings(epsilon=1)
    recipe = HybridRecipe(
        NuisanceSettings(**LINEAR, n_fold_draws=1), HybridSettings(), None, DpGenerator(settings)
    )
    stated = {"minimum": -5.0, "maximum": 5.0}
    declared = schema.model_copy(
        update={
            "columns": tuple(
                c if c.is_discrete_set else c.model_copy(update=stated) for c in schema.columns
            )
        }
    )
    rows = people(20_000, 4)[schema.covariate_names]
    found = run_label_audit(
        people(1000, 2), rows, declared, recipe, policy=POLICY, rng=np.random.default_rng(6)
    )
    assert found.verdict == "PASS"
    assert found.measure.ci_low <= settings.epsilon
    assert list(recipe.private.schema_.names) == schema.names
