import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from hybrid_assets.designs import DESIGNS
from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance import (
    NuisanceSettings,
    ParametricSettings,
    cross_fit,
    cross_fit_draws,
    propensity_bound,
)
from hybrid_assets.nuisance.basis import CovariateBasis
from hybrid_assets.nuisance.cross_fitting import stratified_folds
from hybrid_assets.nuisance.regression import fit_ridge
from hybrid_assets.processes import LocalProcesses

DESIGN = DESIGNS["confounded_binary"]
SCHEMA = DESIGN.schema()
LINEAR = NuisanceSettings(
    n_fold_draws=1, propensity_library=("linear",), outcome_library=("linear",)
)


def test_bound_by_hand():
    assert propensity_bound(1000) == pytest.approx(5 / (31.6227766 * 6.90775528))
    with pytest.raises(EstimationError, match="10 rows are too few"):
        propensity_bound(10)


def test_folds_are_stratified():
    strata = np.repeat([0, 1, 2, 3], [103, 50, 7, 40])
    folds = stratified_folds(strata, 5, np.random.default_rng(0))
    table = pd.crosstab(strata, folds).to_numpy()
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1
    assert np.ptp(np.bincount(folds)) <= 1


def test_every_row_is_predicted_by_models_that_never_saw_it():
    """Refit one fold by hand, per arm, with the ridge regression of the library."""
    table = DESIGN(700, 1)
    fit = cross_fit(table, SCHEMA, LINEAR, np.random.default_rng(3))
    basis = CovariateBasis.fit(table, SCHEMA.covariates)
    x = basis.matrices(table, {"linear"})["linear"]
    a, y = table["A"].to_numpy(float), table["Y"].to_numpy(float)
    train, test = fit.fold_ids != 2, fit.fold_ids == 2
    g = fit_ridge(x[train], a[train], True, penalty=1.0).predict(x[test])
    q1 = fit_ridge(x[train & (a == 1)], y[train & (a == 1)], True, penalty=1.0).predict(x[test])
    assert fit.propensity_unbounded[test] == pytest.approx(g, abs=1e-9)
    assert fit.outcome_treated[test] == pytest.approx(q1, abs=1e-9)
    assert fit.propensity_stack.weights == {"linear": 1.0}


def test_small_arm_gives_a_pooled_outcome_model():
    table = DESIGN(400, 1)
    few = pd.concat([table[table["A"] == 0], table[table["A"] == 1].iloc[:60]], ignore_index=True)
    fit = cross_fit(few, SCHEMA, LINEAR, np.random.default_rng(3))
    x = CovariateBasis.fit(few, SCHEMA.covariates).matrices(few, {"linear"})["linear"]
    a, y = few["A"].to_numpy(float)[:, None], few["Y"].to_numpy(float)
    train, test = fit.fold_ids != 0, fit.fold_ids == 0
    pooled = fit_ridge(np.hstack([x, a, a * x])[train], y[train], True, penalty=1.0)
    ones = np.ones((len(few), 1))
    assert fit.outcome_treated[test] == pytest.approx(
        pooled.predict(np.hstack([x, ones, x]))[test], abs=1e-9
    )


def test_constant_wins_in_a_trial():
    trial = DESIGNS["paper1_trial"]
    fits = cross_fit_draws(
        trial(2000, 3), trial.schema(), NuisanceSettings(), np.random.default_rng(1)
    )
    assert len(fits) == 3
    assert np.std(fits[0].propensity) < 0.02
    assert not (fits[0].fold_ids == fits[1].fold_ids).all()


def test_parametric_is_one_in_sample_fit():
    table = DESIGN(300, 1)
    fits = cross_fit_draws(table, SCHEMA, ParametricSettings(), np.random.default_rng(0))
    assert len(fits) == 1
    assert (fits[0].fold_ids == 0).all()
    covariates = np.column_stack([np.ones(300), table[SCHEMA.covariate_names]])
    score = covariates.T @ (table["A"] - fits[0].propensity_unbounded)
    assert np.abs(score).max() / 300 < 1e-8


def test_messages_hold_no_values():
    table = DESIGN(300, 1).astype({"Y": float})
    table.loc[5, "Y"] = 0.123456
    with pytest.raises(EstimationError, match="column 'Y': expected 0 and 1") as caught:
        cross_fit(table, SCHEMA, LINEAR, np.random.default_rng(0))
    assert "123456" not in str(caught.value)
    assert "treatment" not in repr(
        cross_fit(DESIGN(300, 1), SCHEMA, LINEAR, np.random.default_rng(0))
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(A=1), "column 'A': expected 0 and 1, both present; got 300 ones"),
        (lambda t: t.assign(Y=np.nan), "column 'Y': expected finite numbers"),
        (lambda t: t.assign(A=(t.index < 7).astype(int)), "smaller arm has 7 rows; 5 folds need"),
        (lambda t: t.iloc[:0], "column 'A': expected finite numbers"),
    ],
)
def test_unusable_tables_are_refused(change, message):
    with pytest.raises(EstimationError, match=message):
        cross_fit(change(DESIGN(300, 1)), SCHEMA, LINEAR, np.random.default_rng(0))


def test_impossible_known_propensity_and_terms_are_refused():
    table, rng = DESIGN(300, 1), np.random.default_rng(0)
    with pytest.raises(EstimationError, match=r"strictly between 0 and 1; got 1\.0"):
        cross_fit(table, SCHEMA, LINEAR, rng, 1.0)
    with pytest.raises(EstimationError, match=r"parametric terms \['W9'\] are not numeric"):
        cross_fit(table, SCHEMA, ParametricSettings(squares=("W9",)), rng)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_fold_draws": 2}, "n_fold_draws must be odd"),
        ({"outcome_library": ()}, "outcome_library must name one or more learners"),
        ({"propensity_library": ("linear", "linear")}, "each once"),
        ({"outcome_library": ("forest",)}, "Input should be"),
        ({"trees": 500}, "Extra inputs are not permitted"),
    ],
)
def test_settings_refuse_what_makes_no_sense(options, message):
    with pytest.raises(ValidationError, match=message):
        NuisanceSettings(**options)


@pytest.mark.parametrize(
    ("design", "known"), [("confounded_binary", None), ("confounded_continuous", 0.5)]
)
def test_processes_fit_what_one_fits(design, known, monkeypatch):
    monkeypatch.setattr("hybrid_assets.nuisance.out_of_fold.ROWS_HANDED_OUT", 100)
    table, schema = DESIGNS[design](300, 1), DESIGNS[design].schema()
    settings = NuisanceSettings(n_fold_draws=3)
    alone = cross_fit_draws(table, schema, settings, np.random.default_rng(2), known)
    with LocalProcesses(2) as workers:
        spread = cross_fit_draws(
            table, schema, settings, np.random.default_rng(2), known, workers=workers
        )
        one = cross_fit(table, schema, settings, np.random.default_rng(2), known, workers=workers)
    assert len(alone) == len(spread) == 3
    for mine, theirs in zip(alone, spread, strict=True):
        for array in ("propensity", "outcome_control", "outcome_treated", "fold_ids"):
            assert getattr(mine, array).tobytes() == getattr(theirs, array).tobytes()
        assert mine.propensity_stack == theirs.propensity_stack
        assert mine.outcome_stack == theirs.outcome_stack
    assert one.outcome_treated.shape == (300,)


def test_few_rows_start_no_process(monkeypatch):
    monkeypatch.setattr(LocalProcesses, "submit", None)
    table, schema = DESIGNS["confounded_binary"](300, 1), DESIGNS["confounded_binary"].schema()
    with LocalProcesses(2) as workers:
        fit = cross_fit(
            table, schema, NuisanceSettings(), np.random.default_rng(2), workers=workers
        )
    assert np.isfinite(fit.outcome_treated).all()


def test_learners_stay_on_one_thread_though_a_limit_came_first():
    """In a fresh process: boosting's library, and its threads, are not there yet."""
    code = """
import sys
from threadpoolctl import threadpool_info
from hybrid_assets.nuisance.library import one_thread
assert "sklearn" not in sys.modules
with one_thread(["boosting", "linear"]):
    found = {pool["num_threads"] for pool in threadpool_info()}
    kinds = {pool["user_api"] for pool in threadpool_info()}
print(found, "openmp" in kinds)
"""
    several = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=several,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "{1} True"
