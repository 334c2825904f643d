"""Boosting against scikit-learn, stacks against the package's, and the odd cases of ridge.

Tolerance of boosting: 1e-4 on the logit, single precision sums. The fold
layout is checked against its definition.
"""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from hybrid_assets.benchmark.folds import FoldLayout
from hybrid_assets.benchmark.ridge import cross_fit_ridge
from hybrid_assets.benchmark.stacks import stack_weights
from hybrid_assets.benchmark.trees import N_BINS, grow_forests, indicators, thresholds
from hybrid_assets.designs import DESIGNS
from hybrid_assets.nuisance.regression import fit_constant, fit_ridge
from hybrid_assets.nuisance.stacking import fit_stack


@pytest.mark.parametrize("word", ["confounded_binary", "confounded_continuous"])
def test_forests_are_scikit_learns_with_32_bins(word):
    table, is_binary = DESIGNS[word](1000, 1), word == "confounded_binary"
    x, y = table.iloc[:, :6].to_numpy(float), table["Y"].to_numpy(float)
    family = HistGradientBoostingClassifier if is_binary else HistGradientBoostingRegressor
    plain = family(
        max_iter=60, max_depth=3, early_stopping=False, max_bins=N_BINS, random_state=0
    ).fit(x, y)
    below = indicators(x[None], [thresholds(x)])
    everybody = np.ones((1, 1, len(x)), dtype=bool)
    forests = grow_forests(below, y[None], everybody, is_binary=is_binary)
    found = forests.predict(below, np.zeros((1, len(x)), dtype=int))[0]
    expected = plain.decision_function(x) if is_binary else plain.predict(x)
    assert found == pytest.approx(expected, abs=1e-4)
    own = forests.score_own_rows(np.zeros((1, len(x)), dtype=int))[0]
    assert own == pytest.approx(expected, abs=1e-4)


def test_a_row_that_no_model_learnt_from_changes_nothing():
    table = DESIGNS["confounded_binary"](300, 1)
    x, y = table.iloc[:, :6].to_numpy(float)[None], table["Y"].to_numpy(float)[None]
    below = indicators(x, [thresholds(x[0])])
    training = np.ones((1, 2, 300), dtype=bool)
    training[0, 0, 200:] = False
    flipped = np.where(np.arange(300) < 200, y, 1 - y)
    found = [grow_forests(below, each, training, is_binary=True) for each in (y, flipped)]
    assert (found[0].value[:, :, 0] == found[1].value[:, :, 0]).all()
    assert not (found[0].value[:, :, 1] == found[1].value[:, :, 1]).all()


@pytest.mark.parametrize("is_binary", [True, False])
def test_weights_are_those_of_the_plain_stack(is_binary):
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.1, 0.9, size=(5, 400))
    target = (rng.random(truth.shape) < truth).astype(float)
    noise = 0.1 * rng.normal(size=(5, 400, 4)) * np.arange(1, 5)
    predictions = np.clip(truth[..., None] + noise, 0.02, 0.98)
    found = stack_weights(predictions, target, is_binary=is_binary)
    for k in range(5):
        plain = fit_stack(tuple("abcd"), predictions[k], target[k], is_binary)
        assert found[k] == pytest.approx(list(plain.weights.values()), abs=1e-3)
        assert found[k].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("is_binary", [True, False])
def test_each_fold_is_the_plain_regression_without_it(is_binary):
    rng = np.random.default_rng(3)
    design = rng.normal(size=(2, 5, 20, 3))
    target = rng.normal(size=(2, 1, 5, 20)) + design[:, None, :, :, 0]
    target = (target > 0).astype(float) if is_binary else target
    weight = np.ones(target.shape)
    weight[:, :, -1, -1] = 0.0
    if is_binary:
        target[1], target[1, 0, 0, :2] = 0.0, 1.0  # the fold that keeps all cases has none left
    beta = cross_fit_ridge(design, target, weight, is_binary=is_binary, penalty=2.0)
    for b, k in np.ndindex(2, 5):
        used = weight[b, 0] > 0
        used[k] = False
        x, y = design[b][used], target[b, 0][used]
        fit = fit_constant if np.ptp(y) == 0 else fit_ridge
        options = {} if np.ptp(y) == 0 else {"penalty": 2.0}
        plain = fit(x, y, is_binary, **options)
        expected = [plain.intercept, *plain.coefficients]
        assert beta[b, 0, k] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("n_rows", [50, 53])
def test_folds_are_balanced_in_each_stratum(n_rows):
    rng = np.random.default_rng(1)
    strata = rng.integers(0, 4, size=(3, n_rows))
    folds = FoldLayout.draw(strata, 5, rng)
    ids = folds.fold_ids
    for k in range(3):
        for stratum in range(4):
            counts = np.bincount(ids[k][strata[k] == stratum], minlength=5)
            assert np.ptp(counts) <= 1
    values = rng.normal(size=(3, n_rows))
    rows = folds.take_rows(folds.rows)
    assert (np.sort(rows, axis=1) == np.arange(n_rows)).all()
    assert (folds.take_rows(folds.place(values)) == np.take_along_axis(values, rows, 1)).all()
