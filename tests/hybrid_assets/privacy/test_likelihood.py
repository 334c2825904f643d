from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gaussian_kde
from sklearn.metrics import roc_auc_score

from hybrid_assets.privacy.likelihood import likelihood_membership
from hybrid_assets.privacy.measure import Attack
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.verdict import Verdict, judge
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

POLICY = PrivacyPolicy()


def attacked(scores, n_members):
    rows = pd.DataFrame({"x": range(len(scores))})
    schema = TableSchema(
        study="s",
        columns=(ColumnSchema(name="x", role=Role.COVARIATE, kind=ColumnKind.INTEGER),),
    )
    people = Attacked.of(rows, rows[:n_members], rows[n_members:], schema)
    return replace(people, log_prob=scores)


def test_is_the_auc_of_all_pairs_with_an_interval_that_the_bootstrap_confirms():
    rng = np.random.default_rng(4)
    is_member = np.arange(700) < 400
    scores = rng.normal(0, 1, 700) + 0.4 * is_member
    (found,) = likelihood_membership(attacked(scores, is_member.sum()), "W", POLICY)
    assert (found.attack, found.target) == (Attack.MEMBERSHIP_LIKELIHOOD, "W")
    assert found.value == pytest.approx(roc_auc_score(is_member, scores), rel=1e-12)
    assert found.reference == 0.5
    drawn = [
        rng.choice(np.flatnonzero(side), (400, side.sum())) for side in (is_member, ~is_member)
    ]
    aucs = [
        roc_auc_score(np.repeat([1, 0], [len(a), len(b)]), np.concatenate([scores[a], scores[b]]))
        for a, b in zip(*drawn, strict=True)
    ]
    half = (found.ci_high - found.ci_low) / 2
    assert half == pytest.approx(1.96 * np.std(aucs), rel=0.12)


def test_people_who_are_not_scored_do_not_count():
    scores = np.array([3.0, np.nan, 1.0, 2.0, np.nan, 0.0, 0.5])
    (found,) = likelihood_membership(attacked(scores, 3), "W", POLICY)
    assert found.value == pytest.approx(5 / 6)
    assert likelihood_membership(replace(attacked(scores, 3), log_prob=None), "W", POLICY) == []


@pytest.mark.parametrize("learned", ["by heart", "fresh"])
def test_a_density_that_peaks_at_its_people_is_found(learned):
    rng = np.random.default_rng(5)
    people, others = rng.normal(size=(300, 3)), rng.normal(size=(150, 3))
    is_member = np.arange(300) < 150
    taught = people[is_member] if learned == "by heart" else others
    scores = gaussian_kde(taught.T, bw_method=0.3).logpdf(people.T)
    (found,) = judge(likelihood_membership(attacked(scores, is_member.sum()), "W", POLICY), POLICY)
    assert (found.verdict is Verdict.FAIL) == (learned == "by heart")
    assert ("never give its files away" in found.advice) == (learned == "by heart")
    if learned == "fresh":
        assert found.measure.ci_low < 0.5 < found.measure.ci_high
