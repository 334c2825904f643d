import numpy as np
import pandas as pd
import pytest

from hybrid_assets.errors import EvaluationError
from hybrid_assets.fidelity import train_on_synthetic_test_on_real
from hybrid_assets.fidelity.predictive_score import _auc, _r_squared
from hybrid_assets.processes import LocalProcesses


def test_auc_and_its_variance_equal_the_double_loop():
    """DeLong's variance by its definition, and the area of scikit-learn."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(4)
    truth = (rng.random(60) < 0.4).astype(float)
    guesses = (truth + rng.normal(size=60)).round(1)  # with ties
    wins = np.array(
        [
            [1.0 if a > b else 0.5 if a == b else 0.0 for b in guesses[truth == 0]]
            for a in guesses[truth == 1]
        ]
    )
    variance = sum(wins.mean(axis=k).var(ddof=1) / wins.shape[1 - k] for k in (0, 1))
    auc, influence = _auc(guesses, truth)
    assert auc == pytest.approx(wins.mean(), abs=1e-12)
    assert auc == pytest.approx(roc_auc_score(truth, guesses), abs=1e-12)
    assert influence.mean() == pytest.approx(0, abs=1e-12)
    # divisors n against n − 1 within arms of some 30
    assert influence.var(ddof=1) / 60 == pytest.approx(variance, rel=0.05)


def test_r_squared_and_its_influence():
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(5)
    truth = rng.normal(size=200)
    guesses = truth + rng.normal(size=200)
    value, influence = _r_squared(guesses, truth)
    assert value == pytest.approx(r2_score(truth, guesses))
    picks = rng.integers(0, 200, (4000, 200))
    bootstrap = [r2_score(truth[pick], guesses[pick]) for pick in picks[:1500]]
    assert influence.std() / 200**0.5 == pytest.approx(np.std(bootstrap), rel=0.1)


@pytest.mark.parametrize(("outcome", "metric"), [("binary", "AUC"), ("continuous", "R²")])
def test_good_and_useless_tables(outcome, metric, people, study_schema):
    schema = study_schema(outcome)
    train, holdout = people(800, 6, outcome), people(700, 7, outcome)
    good, useless = (people(3000, 8, outcome, signal=s) for s in (1.0, 0.0))

    def score(table):
        return train_on_synthetic_test_on_real(
            table, train, holdout, schema=schema, rng=np.random.default_rng(0)
        )

    best, worst = score(good), score(useless)
    assert best.metric == metric
    assert best.n_test == 700
    assert best == score(good)
    assert best.reference == worst.reference
    assert best.ci_low < best.value < best.ci_high
    assert best.difference == pytest.approx(best.value - best.reference)
    assert best.difference_ci_low < 0.03
    assert worst.difference_ci_high < -0.15
    # on the same people, the difference is known better than either score
    width = best.difference_ci_high - best.difference_ci_low
    assert width < 0.7 * (best.ci_high - best.ci_low)
    assert worst.value == pytest.approx({"AUC": 0.5, "R²": 0.0}[metric], abs=0.15)
    assert best.value > {"AUC": 0.75, "R²": 0.55}[metric]


def test_real_table_scores_as_its_own_reference(people, study_schema):
    train, holdout = people(300, 9), people(200, 10)
    score = train_on_synthetic_test_on_real(
        train, train, holdout, schema=study_schema(), rng=np.random.default_rng(0)
    )
    assert score.value == score.reference
    assert score.difference == score.difference_ci_low == score.difference_ci_high == 0.0


def test_a_sample_is_scored_in_five_parts_and_their_spread_is_told(people, study_schema):
    schema, table = study_schema(), people(1500, 8)
    train, holdout = people(300, 6), people(400, 7)

    def score(table, *, is_sample=False):
        rng = np.random.default_rng(0)
        return train_on_synthetic_test_on_real(
            table, train, holdout, schema=schema, rng=rng, is_sample=is_sample
        )

    found = score(table, is_sample=True)
    parts = np.array([score(table.iloc[first::5]).value for first in range(5)])
    assert found.value == pytest.approx(parts.mean(), rel=1e-12)
    assert found.sampling_error == pytest.approx(parts.std(ddof=1) / 5**0.5, rel=1e-12)
    assert (found.reference, score(table).sampling_error) == (score(table).reference, None)
    drawn = [score(people(1500, 100 + k), is_sample=True) for k in range(12)]
    told = np.mean([each.sampling_error**2 for each in drawn]) ** 0.5
    # twelve draws know a spread to .21, their mean squared error with 48 degrees of freedom to .1
    assert np.std([each.value for each in drawn], ddof=1) == pytest.approx(told, rel=0.5)


@pytest.mark.parametrize("is_sample", [False, True])
def test_processes_score_what_one_scores(is_sample, people, study_schema, monkeypatch):
    train, holdout, made = people(400, 9), people(200, 10), people(600, 8)
    options = {"schema": study_schema(), "is_sample": is_sample}
    alone = train_on_synthetic_test_on_real(
        made, train, holdout, rng=np.random.default_rng(0), **options
    )
    monkeypatch.setattr("hybrid_assets.fidelity.predictive_score.ROWS_HANDED_OUT", 900)
    with LocalProcesses(2) as workers:
        spread = train_on_synthetic_test_on_real(
            made, train, holdout, rng=np.random.default_rng(0), workers=workers, **options
        )
    assert spread == alone


@pytest.mark.parametrize("outcome", ["binary", "continuous"])
@pytest.mark.parametrize("constant", [0, 1, 2], ids=["synthetic", "train", "holdout"])
def test_an_outcome_with_one_value_has_no_score(outcome, constant, people, study_schema):
    tables = [people(50, 11, outcome) for _ in range(3)]
    tables[constant] = tables[constant].assign(y=1)
    rng = np.random.default_rng(0)
    assert train_on_synthetic_test_on_real(*tables, schema=study_schema(outcome), rng=rng) is None


def test_absent_scores_are_shown_as_dashes():
    from dagster_project.assets.comparison import _shown
    from dagster_project.assets.evaluation import PREDICTIVE_SCORES, _score_table
    from dagster_project.display import small_table
    from hybrid_assets.estimators import DEFAULT_ESTIMATORS
    from hybrid_assets.report.comparison import TableEvidence, comparison_rows, flat_comparison

    scores = PREDICTIVE_SCORES.validate_json('{"hybrid": null}')
    assert _score_table(scores).value.splitlines()[-1] == "| hybrid |" + " – |" * 12
    words = {"table_name": "gan hybrid", "nuisances": "flexible", "generator": "gan"}
    words |= {"estimand": "ate", "subgroup": "", "subgroup_level": "", "interval_note": ""}
    numbers = dict.fromkeys(("estimate", "ci_low", "ci_high"), 0.5)
    numbers |= {f"{end}_adjusted": 0.5 for end in ("ci_low", "ci_high")}
    numbers |= dict.fromkeys(("psi_exact", "difference_to_truth", "difference_to_seed_in_se"), 0.5)
    effects = [
        {**words, **numbers, "table_kind": "hybrid", "n_rows": 9, "estimator": estimator}
        for estimator in ("iptw", "aipw", "tmle")
    ]
    rows = comparison_rows(
        pd.DataFrame(effects), {("gan", "hybrid"): TableEvidence(scores["hybrid"])}
    )
    shown = small_table(flat_comparison(rows)[_shown(DEFAULT_ESTIMATORS)]).value.splitlines()[-1]
    assert shown == "| gan hybrid | – |" + " 0.5 |" * 5 + " – |  |"


def test_outcomes_that_cannot_be_scored_are_refused(people, study_schema):
    train = people(50, 13)
    words = train.assign(y=pd.Categorical(["no", "yes"] * 25))
    with pytest.raises(EvaluationError, match="got a categorical one"):
        train_on_synthetic_test_on_real(
            words, words, words, schema=study_schema("categorical"), rng=np.random.default_rng(0)
        )
