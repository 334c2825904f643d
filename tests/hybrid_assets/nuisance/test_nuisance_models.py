import json

import numpy as np
import pytest

from hybrid_assets.designs import DESIGNS, confounded_propensity
from hybrid_assets.errors import EstimationError, InvalidModelFiles
from hybrid_assets.nuisance import (
    NuisanceSettings,
    OutcomeModel,
    ParametricSettings,
    PropensityModel,
    cross_fit_draws,
    fit_outcome_model,
    fit_propensity_model,
)

SETTINGS = (NuisanceSettings(n_fold_draws=1), ParametricSettings(squares=("W5",)))


def fit_both(word, settings, n_rows=800, known=None):
    design = DESIGNS[word]
    table, schema = design(n_rows, 1), design.schema()
    fits = cross_fit_draws(table, schema, settings, np.random.default_rng(0), known)
    return (
        fit_propensity_model(table, schema, settings, fits),
        fit_outcome_model(table, schema, settings, fits),
        design(500, 2),
    )


@pytest.mark.parametrize("settings", SETTINGS, ids=["stacked", "parametric"])
@pytest.mark.parametrize("word", ["confounded_binary", "confounded_continuous"])
def test_files_restore_the_same_bits(word, settings):
    propensity, outcome, new = fit_both(word, settings)
    schema = DESIGNS[word].schema()
    restored_g = PropensityModel.from_files(propensity.to_files(), schema)
    restored_q = OutcomeModel.from_files(outcome.to_files(), schema)
    assert (restored_g.predict(new) == propensity.predict(new)).all()
    for arm in (0, 1):
        assert (restored_q.predict(new, arm) == outcome.predict(new, arm)).all()
        if word == "confounded_continuous":
            assert (restored_q.scale(new, arm) == outcome.scale(new, arm)).all()
    assert restored_g.to_files() == propensity.to_files()
    assert restored_q.to_files() == outcome.to_files()
    assert b"pickle" not in outcome.to_files()["outcome_model.json"]


def test_models_recover_the_truth():
    propensity, outcome, new = fit_both("confounded_continuous", SETTINGS[0], n_rows=4000)
    truth = confounded_propensity(new)
    assert np.sqrt(np.mean((propensity.predict(new) - truth) ** 2)) < 0.03
    effect = outcome.predict(new, 1) - outcome.predict(new, 0)
    assert np.sqrt(np.mean((effect - (2 + new["W1"] - 0.5 * new["W4"])) ** 2)) < 0.35
    for arm in (0, 1):
        true_scale = 1 + 0.5 * arm + 0.5 * new["W2"]
        assert np.sqrt(np.mean((outcome.scale(new, arm) / true_scale - 1) ** 2)) < 0.1


def test_known_probability_is_all_there_is():
    propensity, _, new = fit_both("paper1_trial", SETTINGS[0], known=0.5)
    assert (propensity.predict(new) == 0.5).all()
    assert propensity.members == ()
    assert propensity.treated_share == pytest.approx(DESIGNS["paper1_trial"](800, 1)["A"].mean())


def test_binary_outcome_has_no_scale():
    _, outcome, new = fit_both("paper1_trial", SETTINGS[0])
    with pytest.raises(EstimationError, match="binary outcome, or one without noise, has no scale"):
        outcome.scale(new, 1)
    q = outcome.predict(new, 1)
    assert ((q > 0) & (q < 1)).all()


def test_broken_files_are_refused():
    propensity, _, _ = fit_both("paper1_trial", SETTINGS[0])
    schema = DESIGNS["paper1_trial"].schema()
    with pytest.raises(InvalidModelFiles, match="propensity_model.json is absent or incomplete"):
        PropensityModel.from_files({}, schema)
    state = json.loads(propensity.to_files()["propensity_model.json"])
    newer = json.dumps({**state, "format": 2}).encode()
    with pytest.raises(InvalidModelFiles, match="has format 2, expected 1"):
        PropensityModel.from_files({"propensity_model.json": newer}, schema)
    del state["basis"]
    with pytest.raises(InvalidModelFiles, match="absent or incomplete"):
        PropensityModel.from_files({"propensity_model.json": json.dumps(state).encode()}, schema)


def test_cross_fits_of_another_table_are_refused():
    design, settings = DESIGNS["paper1_trial"], SETTINGS[0]
    fits = cross_fit_draws(design(300, 1), design.schema(), settings, np.random.default_rng(0))
    with pytest.raises(EstimationError, match="not made from the rows of this table"):
        fit_outcome_model(design(301, 1), design.schema(), settings, fits)


def test_importing_needs_no_scikit_learn():
    import subprocess
    import sys

    code = (
        "import sys, hybrid_assets.hybrid, hybrid_assets.positivity, hybrid_assets.estimators;"
        "sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
