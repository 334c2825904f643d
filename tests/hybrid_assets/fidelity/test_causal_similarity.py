import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from hybrid_assets.fidelity.causal_similarity import (
    ArmTable,
    LearntEffects,
    effect_dissimilarity,
    learn_effects,
    propensity_similarity,
)


def test_propensity_similarity_is_one_less_scipys_distance():
    rng = np.random.default_rng(0)
    first, second = np.r_[rng.random(20), 0.0, 1.0], np.r_[rng.random(20), 0.3, 0.0]
    distances = [
        jensenshannon([1 - p, p], [1 - q, q], base=2) for p, q in zip(first, second, strict=True)
    ]
    assert propensity_similarity(first, second) == pytest.approx(1 - np.mean(distances), abs=1e-12)
    assert propensity_similarity(first, first) == 1.0


def test_effect_dissimilarity_by_hand():
    g = np.full(2, 0.5)
    first = LearntEffects(g, {"t": np.array([1.0, 2.0]), "s": np.array([0.0, 0.0])})
    second = LearntEffects(g, {"t": np.array([1.0, 0.0]), "s": np.array([3.0, 3.0])})
    assert effect_dissimilarity(first, second) == pytest.approx((np.sqrt(2) + 3) / 2)


def arm_table(seed, n_rows, is_binary):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, 2))
    treatment = (rng.random(n_rows) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    mean = 0.4 * x[:, 0] + treatment * (1 + 0.5 * x[:, 1])
    outcome = mean + rng.normal(size=n_rows)
    if is_binary:
        outcome = (rng.random(n_rows) < 1 / (1 + np.exp(-mean))).astype(float)
    return ArmTable(x, x, treatment, outcome, is_binary)


def test_every_learner_finds_a_linear_effect():
    people = np.random.default_rng(9).normal(size=(50, 2))
    learnt = learn_effects(arm_table(1, 20_000, False), people, people)
    for word in ("t", "s", "dr"):
        assert learnt.effects[word] == pytest.approx(1 + 0.5 * people[:, 1], abs=0.12)
    truth = 1 / (1 + np.exp(-people[:, 0]))
    assert learnt.propensity == pytest.approx(truth, abs=0.03)


def test_t_learner_and_propensity_are_those_of_scikit_learn():
    """Penalty 1 on standardised columns is scikit-learn's C = 1; ours leaves the intercept free."""
    from sklearn.linear_model import LogisticRegression

    table = arm_table(2, 500, True)
    x = (table.curves - table.curves.mean(axis=0)) / table.curves.std(axis=0)
    table = ArmTable(x, x, table.treatment, table.outcome, True)
    learnt = learn_effects(table, x, x)
    tight = {"C": 1.0, "tol": 1e-10, "max_iter": 1000}
    peer = LogisticRegression(**tight).fit(x, table.treatment)
    assert learnt.propensity == pytest.approx(peer.predict_proba(x)[:, 1], abs=1e-6)
    arms = [
        LogisticRegression(**tight)
        .fit(x[table.treatment == arm], table.outcome[table.treatment == arm])
        .predict_proba(x)[:, 1]
        for arm in (0, 1)
    ]
    assert learnt.effects["t"] == pytest.approx(arms[1] - arms[0], abs=1e-6)
