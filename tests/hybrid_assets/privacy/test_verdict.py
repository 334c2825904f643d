from dataclasses import replace

import pytest
from pydantic import ValidationError
from statsmodels.stats.multitest import multipletests

from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.verdict import ADVICE, MORE_PEOPLE, Verdict, judge, overall

POLICY = PrivacyPolicy()
GOOD = Measure(
    attack=Attack.MEMBERSHIP_DISTANCE,
    target="W",
    statistic="AUC",
    value=0.5,
    reference=0.5,
    ci_low=0.48,
    ci_high=0.52,
    p_value=0.9,
    is_within_limit=True,
    is_suspicious=False,
)


def test_holm_equals_statsmodels():
    p_values = [0.001, 0.04, 0.0005, 0.2, 0.013, 0.9]
    found = judge([replace(GOOD, p_value=p) for p in p_values], POLICY)
    expected = multipletests(p_values, method="holm")[1]
    assert [f.p_adjusted for f in found] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "verdict", "advice"),
    [
        ({}, "PASS", ""),
        ({"p_value": 0.02}, "FAIL", ADVICE[Attack.MEMBERSHIP_DISTANCE]),
        ({"p_value": None}, "PASS", ""),
        ({"p_value": 0.02, "own_significance": 0.005}, "PASS", ""),
        ({"p_value": 0.004, "own_significance": 0.005}, "FAIL", ADVICE[GOOD.attack]),
        ({"is_within_limit": False}, "INCONCLUSIVE", MORE_PEOPLE),
        ({"is_within_limit": False, "is_suspicious": True}, "REVIEW", ADVICE[GOOD.attack]),
    ],
)
def test_rules(changes, verdict, advice):
    (finding,) = judge([replace(GOOD, **changes)], POLICY)
    assert (finding.verdict, finding.advice) == (verdict, advice)


def test_what_is_judged_alone_does_not_burden_the_family():
    alone = replace(GOOD, p_value=0.001, own_significance=0.005)
    family = replace(GOOD, p_value=0.02)
    found = judge([alone, family, alone], POLICY)
    assert [f.p_adjusted for f in found] == [0.001, 0.02, 0.001]
    assert [f.verdict for f in judge([family, family], POLICY)] == ["PASS", "PASS"]


def test_the_worst_verdict_counts():
    fail, review, unclear, good = (
        replace(GOOD, p_value=0.0),
        replace(GOOD, is_within_limit=False, is_suspicious=True),
        replace(GOOD, is_within_limit=False),
        GOOD,
    )
    for measures, expected in (
        ([good, unclear, review, fail], "FAIL"),
        ([good, unclear, review], "REVIEW"),
        ([good, unclear], "INCONCLUSIVE"),
        ([good], "PASS"),
        ([], "INCONCLUSIVE"),
    ):
        assert overall(judge(measures, POLICY)) == Verdict(expected)


def test_every_attack_has_advice_and_none_says_anonymous():
    assert set(ADVICE) == set(Attack)
    assert "anonym" not in " ".join([*ADVICE.values(), MORE_PEOPLE]).lower()


def test_the_policy_is_frozen_and_strict():
    with pytest.raises(ValidationError, match="frozen"):
        POLICY.membership_fail = 0.9
    with pytest.raises(ValidationError, match="Extra inputs"):
        PrivacyPolicy(membership_fial=0.9)
    assert PrivacyPolicy.model_validate_json(POLICY.model_dump_json()) == POLICY
