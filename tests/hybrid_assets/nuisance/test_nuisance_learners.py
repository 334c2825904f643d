"""Each learner against scikit-learn or a direct minimisation."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from hybrid_assets.errors import NotConverged
from hybrid_assets.nuisance.boosting import MIN_ROWS_PER_LEAF, fit_boosting
from hybrid_assets.nuisance.library import LEARNERS, ArmDesign, predictor_from_json
from hybrid_assets.nuisance.noise import ArmNoise
from hybrid_assets.nuisance.regression import expit, fit_constant, fit_ridge


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 4))
    binary = (rng.random(400) < expit(x[:, 0] - x[:, 1] * x[:, 2])).astype(float)
    return x, binary, x[:, 0] ** 2 + rng.normal(size=400)


def test_expit_is_accurate_in_both_tails():
    eta = np.array([-800.0, -40.0, 0.0, 40.0])
    assert expit(eta) == pytest.approx([0.0, np.exp(-40), 0.5, 1.0], rel=1e-12)


def test_ridge_logistic_is_scikit_learns(data):
    x, y, _ = data
    ours = fit_ridge(x, y, True, penalty=2.0)
    theirs = LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-12).fit(x, y)
    assert ours.coefficients == pytest.approx(theirs.coef_[0], abs=1e-8)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-8)
    assert ours.predict(x) == pytest.approx(theirs.predict_proba(x)[:, 1], abs=1e-8)


def test_ridge_linear_is_scikit_learns(data):
    x, _, y = data
    ours, theirs = fit_ridge(x, y, False, penalty=2.0), Ridge(alpha=2.0).fit(x, y)
    assert ours.predict(x) == pytest.approx(theirs.predict(x), abs=1e-10)


def test_unpenalised_logistic_solves_its_score_equations(data):
    x, y, _ = data
    collinear = np.column_stack([x, x[:, 0] + x[:, 1]])
    p = fit_ridge(collinear, y, True, penalty=0.0).predict(collinear)
    assert np.abs(collinear.T @ (y - p)).max() / len(y) < 1e-8
    assert p == pytest.approx(fit_ridge(x, y, True, penalty=0.0).predict(x), abs=1e-8)


def test_separation_is_refused(data):
    x, _, _ = data
    with pytest.raises(NotConverged, match="covariates separate the two classes"):
        fit_ridge(x, (x[:, 0] > 0).astype(float), True, penalty=0.0)


@pytest.mark.parametrize("family", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_stored_trees_predict_as_scikit_learn(data, family):
    x, binary, continuous = data
    is_binary = family is HistGradientBoostingClassifier
    y = binary if is_binary else continuous
    ours = fit_boosting(x, y, is_binary)
    theirs = family(
        max_iter=60,
        max_depth=3,
        min_samples_leaf=20,
        learning_rate=0.1,
        early_stopping=False,
        random_state=0,
    ).fit(x, y)
    expected = theirs.predict_proba(x)[:, 1] if is_binary else theirs.predict(x)
    assert ours.predict(x) == pytest.approx(expected, abs=1e-12)


def test_no_leaf_holds_fewer_than_20_rows(data):
    x, y, _ = data
    model = fit_boosting(x, y, True)
    for tree in range(len(model.feature)):
        node = np.zeros(len(x), dtype=int)
        for _ in range(3):
            left = x[np.arange(len(x)), model.feature[tree][node]] <= model.threshold[tree][node]
            node = np.where(left, model.left[tree][node], model.right[tree][node])
        assert np.bincount(node)[np.unique(node)].min() >= MIN_ROWS_PER_LEAF


@pytest.mark.parametrize("word", LEARNERS)
def test_one_class_gives_a_probability_inside_0_and_1(data, word):
    x, _, _ = data
    fitted = LEARNERS[word].fit(x, np.zeros(400), True)
    assert fitted.predict(x[:3]) == pytest.approx([0.5 / 401] * 3)


def test_constant_is_the_share(data):
    x, y, _ = data
    assert fit_constant(x, y, True).predict(x)[0] == pytest.approx(y.mean(), rel=1e-12)


@pytest.mark.parametrize("word", ["linear", "boosting"])
def test_json_keeps_every_bit(data, word):
    x, y, _ = data
    fitted = LEARNERS[word].fit(x, y, True)
    assert (predictor_from_json(fitted.to_json()).predict(x) == fitted.predict(x)).all()


def test_pooled_arm_design_by_hand():
    basis = np.array([[1.0, 2.0], [3.0, 4.0]])
    pooled = ArmDesign(is_pooled=True, interactions=(1,))
    assert pooled.matrix(basis, np.array([0.0, 1.0])).tolist() == [[1, 2, 0, 0], [3, 4, 1, 4]]
    assert ArmDesign(is_pooled=True).matrix(basis, 1).tolist() == [[1, 2, 1, 1, 2], [3, 4, 1, 3, 4]]
    assert ArmDesign(is_pooled=False).matrix(basis, 1) is basis


def test_noise_scale_minimises_the_gamma_quasi_likelihood(data):
    x, _, _ = data
    rng = np.random.default_rng(0)
    residuals = np.exp(0.3 * x[:, 0]) * rng.normal(size=400)
    noise = ArmNoise.fit(x, residuals)

    def loss(beta):
        eta = beta[0] + x @ beta[1:]
        return (residuals**2 * np.exp(-eta) + eta).sum() + 2.5 * beta[1:] @ beta[1:]

    found = minimize(loss, np.zeros(5), method="BFGS").x
    assert 2 * noise.log_scale == pytest.approx(found, abs=1e-4)
    assert (noise.residuals.mean(), noise.residuals.std()) == pytest.approx((0.0, 1.0))


def test_outcome_without_noise_has_scale_zero(data):
    x, _, _ = data
    assert (ArmNoise.fit(x, np.zeros(400)).scale(x) == 0).all()
