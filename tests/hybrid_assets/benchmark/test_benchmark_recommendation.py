"""Recommendations: who is eligible, who is best, and what the sentence admits."""

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.benchmark import performance, recommend
from hybrid_assets.benchmark.recommendation import is_tie

TRUTH = 1.0


def estimates(noise, word, *, scenario="as fitted", truth=TRUTH, n_failed=0):
    """Give replicates whose estimates are off by 0.1 × noise, the last `n_failed` missing."""
    estimate = truth + 0.1 * np.asarray(noise)
    estimate[len(estimate) - n_failed :] = np.nan
    return pd.DataFrame(
        {
            "scenario": scenario,
            "n_rows": 500,
            "replicate": np.arange(len(estimate)),
            "estimator": word,
            "estimate": estimate,
            "standard_error": 0.1,
            "clipped_share": 0.0,
            "block": "x",
        }
    )


def recommended(*replicates, scenario="as fitted", effects=None):
    found = pd.concat(replicates, ignore_index=True)
    truth = dict.fromkeys(found["scenario"].unique(), TRUTH) | (effects or {})
    return recommend(performance(found, truth), found, scenario, 500)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_ties_are_named_and_poor_coverage_is_refused(rng):
    shared = rng.normal(size=400)
    found = recommended(
        estimates(shared, "aipw"),
        estimates(shared + 0.01 * rng.normal(size=400), "tmle"),
        estimates(1.2 * shared, "outcome_regression"),
        poor := estimates(0.3 * shared + 1.9, "iptw"),
    )
    assert set(found.estimators) == {"aipw", "tmle"}
    best, tie = (word.upper() for word in found.estimators)
    assert found.sentence.startswith(f"At n = 500 (as fitted) use {best}: the smallest RMSE (0.")
    assert "whose 95 % intervals are not shown to cover under 93 % (9" in found.sentence
    assert f"400 replicates do not separate it from {tie} (0." in found.sentence
    assert "intervals cover too rarely: IPTW" in found.sentence
    assert "could not be analysed" not in found.sentence
    assert "outcome regression" not in found.sentence
    found = recommended(poor)
    assert found.estimators == ()
    assert "no estimator is to be recommended: the best coverage of a 95 % inter" in found.sentence


def test_a_cell_without_replicates_says_so(rng):
    replicates = estimates(rng.normal(size=20), "aipw")
    table = performance(replicates, {"as fitted": TRUTH})
    found = recommend(table, replicates, "as fitted", 900)
    assert found.sentence == "At n = 900 (as fitted) no replicate could be analysed."
    found = recommended(estimates(rng.normal(size=20), "aipw", n_failed=20))
    assert found.sentence == "At n = 500 (as fitted) no replicate could be analysed."


def test_thin_evidence_recommends_nobody():
    """8 of 10 intervals cover: 80 ± 12 % is no proof of 93 %."""
    found = recommended(estimates([0.5] * 8 + [3.0] * 2, "aipw"))
    assert found.estimators == ()
    assert found.sentence == (
        "At n = 500 (as fitted) 10 replicates are too few to recommend an estimator (200 are "
        "needed): AIPW RMSE 0.141 ± 0.04, coverage 80.0 ± 12.1 %."
    )


@pytest.mark.parametrize(("n_replicates", "is_enough"), [(199, False), (200, True)])
def test_two_hundred_replicates_are_enough(rng, n_replicates, is_enough):
    found = recommended(estimates(rng.normal(size=n_replicates), "aipw"))
    assert found.estimators == (("aipw",) if is_enough else ())
    assert ("too few to recommend" in found.sentence) != is_enough


def test_an_estimator_that_mostly_failed_cannot_win(rng):
    noise = rng.normal(size=500)
    found = recommended(estimates(noise, "aipw"), estimates(np.zeros(500), "tmle", n_failed=497))
    assert found.estimators == ("aipw",)
    assert "more than 5 % of tables could not be analysed: TMLE (497 of 500)" in found.sentence
    alone = recommended(
        estimates(noise, "tmle", n_failed=26), estimates(noise, "aipw", n_failed=500)
    )
    assert alone.sentence == (
        "At n = 500 (as fitted) no estimator is to be recommended: more than 5 % of tables could "
        "not be analysed: TMLE (26 of 500), AIPW (500 of 500)."
    )


def test_the_ranking_is_on_the_replicates_that_all_could_analyse(rng):
    """TMLE fails on the 20 hardest tables; on the others AIPW is the better."""
    hardest = np.r_[rng.normal(size=480), np.full(20, 8.0)]
    tmle = estimates(1.05 * hardest, "tmle", n_failed=20)
    aipw = estimates(hardest, "aipw")
    table = performance(pd.concat([aipw, tmle]), {"as fitted": TRUTH}).set_index("estimator")
    assert table.loc["tmle", "rmse"] < 0.7 * table.loc["aipw", "rmse"]
    found = recommended(aipw, tmle)
    assert found.estimators == ("aipw",)
    rmse = 0.1 * np.sqrt((hardest[:480] ** 2).mean())
    assert f"the smallest RMSE ({rmse:.3g} ± " in found.sentence
    assert "compared on the 480 of 500 tables that all could analyse" in found.sentence


def test_a_difference_whose_error_is_unknown_is_a_tie():
    assert is_tie(np.array([5.0]))
    assert is_tie(np.array([5.0, np.nan]))
    assert is_tie(np.array([0.0, 0.0]))
    assert not is_tie(np.array([1.0, 1.1, 0.9]))


def test_the_sentence_says_where_it_holds_and_what_outcome_regression_hides(rng):
    noise = rng.normal(size=300)
    found = recommended(estimates(noise, "outcome_regression"), estimates(1.1 * noise, "aipw"))
    assert found.estimators == ("outcome_regression",)
    assert ", in the population that the study's own models describe." in found.sentence
    assert found.sentence.endswith(
        "The standard error of outcome regression says nothing of its bias where the outcome model "
        "is wrong."
    )


@pytest.mark.parametrize(
    ("scenario", "twin"),
    [
        ("as fitted", "no effect"),
        ("overlap × 2", "no effect, overlap × 2"),
        ("effect +0.1", None),
        ("no effect", "no effect"),
    ],
)
def test_the_type_1_error_is_that_of_the_twin_with_the_same_dials(rng, scenario, twin):
    """Noise of 1, 1.5 and 2 standard errors rejects in 5, 19 and 33 %."""
    labels = ("no effect", "no effect, overlap × 2", "no effect, overlap × 4")
    noise = {label: (1.0 + 0.5 * k) * rng.normal(size=400) for k, label in enumerate(labels)}
    tables = [estimates(noise[label], "aipw", scenario=label, truth=0.0) for label in labels]
    tables += [
        estimates(rng.normal(size=400), "aipw", scenario=label)
        for label in ("as fitted", "overlap × 2", "effect +0.1")
    ]
    found = recommended(*tables, scenario=scenario, effects=dict.fromkeys(labels, 0.0))
    assert found.estimators == ("aipw",)
    if twin is None:
        assert "Where there is no effect" not in found.sentence
    else:
        share = 100 * (np.abs(noise[twin]) > 1.959963984540054).mean()
        assert f" Where there is no effect, it finds one in {share:.1f} ± " in found.sentence
