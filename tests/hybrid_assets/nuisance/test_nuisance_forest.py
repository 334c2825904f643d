"""The published recipe's forests: scikit-learn's own predictions, bit for bit."""

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from hybrid_assets.designs import DESIGNS
from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance import (
    ForestSettings,
    OutcomeModel,
    PropensityModel,
    cross_fit,
    fit_outcome_model,
    fit_propensity_model,
)
from hybrid_assets.nuisance.forest import Forest, fit_forest

COVARIATES = ["W1", "W2", "W3", "W4", "W5", "W6"]
WORDS = ["confounded_binary", "confounded_continuous"]


def published_fits(word):
    design = DESIGNS[word]
    table, schema = design(300, 1), design.schema()
    return table, schema, cross_fit(table, schema, ForestSettings(), np.random.default_rng(0))


def scikit_learns(table, is_binary):
    """Predict Q0 and Q1 of the rows that the forest was grown on."""
    family = RandomForestClassifier if is_binary else RandomForestRegressor
    x = table[[*COVARIATES, "A"]]
    model = family(random_state=42).fit(x, table["Y"])
    arms = [x.assign(A=arm) for arm in (0, 1)]
    return [model.predict_proba(a)[:, 1] if is_binary else model.predict(a) for a in arms]


@pytest.mark.parametrize("is_binary", [True, False])
def test_a_restored_forest_predicts_scikit_learns_bits(is_binary):
    rng = np.random.default_rng(3)
    x, new = rng.normal(size=(200, 3)), rng.normal(size=(500, 3))
    y = (x[:, 0] > 0).astype(float) if is_binary else x[:, 0] ** 3 + rng.normal(size=200)
    grown = fit_forest(x, y, is_binary)
    family = RandomForestClassifier if is_binary else RandomForestRegressor
    model = family(random_state=42).fit(x, y)
    theirs = model.predict_proba(new)[:, 1] if is_binary else model.predict(new)
    restored = Forest.from_json(json.loads(json.dumps(grown.to_json())))
    assert (grown.predict(new) == theirs).all()
    assert (restored.predict(new) == theirs).all()
    assert restored.to_json() == grown.to_json()


def test_a_tie_in_single_precision_goes_where_scikit_learn_sends_it():
    """Values that differ in double precision only are one value to a forest."""
    x = np.array([[1.0], [1.0 + 1e-12], [2.0], [2.0 + 1e-12]] * 5)
    grown = fit_forest(x, np.array([0.0, 0.0, 1.0, 1.0] * 5), True)
    between = np.linspace(1.0, 2.0, 101)[:, None]
    assert (Forest.from_json(grown.to_json()).predict(between) == grown.predict(between)).all()
    assert grown.predict(x[:4])[0] == grown.predict(x[:4])[1]


@pytest.mark.parametrize("word", WORDS)
def test_nuisances_are_those_of_rows_the_forests_were_grown_on(word):
    table, _, fit = published_fits(word)
    control, treated = scikit_learns(table, word == WORDS[0])
    forest = RandomForestClassifier(random_state=42).fit(table[COVARIATES], table["A"])
    g = forest.predict_proba(table[COVARIATES])[:, 1]
    assert (fit.propensity_unbounded == g).all()
    assert (fit.propensity == np.clip(g, 1e-6, 1 - 1e-6)).all()
    assert fit.bound == 1e-6
    assert (fit.outcome_control == control).all()
    assert (fit.outcome_treated == treated).all()


@pytest.mark.parametrize("word", WORDS)
def test_models_that_draw_rows_come_back_from_their_files(word):
    table, schema, fit = published_fits(word)
    g = fit_propensity_model(table, schema, ForestSettings(), (fit,))
    q = fit_outcome_model(table, schema, ForestSettings(), (fit,))
    assert q.noise == ()
    with pytest.raises(EstimationError, match="binary outcome, or one without noise, has no scale"):
        q.scale(table, 1)
    restored_g = PropensityModel.from_files(g.to_files(), schema)
    restored_q = OutcomeModel.from_files(q.to_files(), schema)
    assert (restored_g.predict(table) == fit.propensity_unbounded).all()
    for arm, expected in enumerate((fit.outcome_control, fit.outcome_treated)):
        assert (restored_q.predict(table, arm) == expected).all()
    assert restored_q.to_files() == q.to_files()
