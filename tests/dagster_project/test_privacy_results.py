import math
from dataclasses import replace

import dagster as dg
import numpy as np
import pytest

from dagster_project.privacy_results import (
    EVALUATIONS,
    RISK_COMMENTS,
    finding_rows,
    risk_metadata,
    verdict_check,
)
from hybrid_assets.designs import DESIGNS
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.evaluate import WAY, PrivacyEvaluation, evaluate_privacy
from hybrid_assets.privacy.measure import Attack
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.verdict import Verdict


@pytest.fixture(scope="module")
def leak() -> PrivacyEvaluation:
    """Give the evaluation of training rows, released as they are."""
    return evaluated(PrivacyPolicy())


def evaluated(policy: PrivacyPolicy, sensitive: tuple[str, ...] | None = None) -> PrivacyEvaluation:
    design = DESIGNS["paper1_trial"]
    train, holdout, schema = design(200, 1), design(150, 2), design.schema()
    shares = {WAY: evaluate_dcr(train, train, holdout, schema).share}
    attacked = Attacked.of(train, train, holdout, schema)
    rng = np.random.default_rng(0)
    return evaluate_privacy(attacked, shares=shares, policy=policy, rng=rng, sensitive=sensitive)


@pytest.mark.parametrize(
    ("verdict", "passed", "severity"),
    [
        (Verdict.PASS, True, dg.AssetCheckSeverity.WARN),
        (Verdict.REVIEW, False, dg.AssetCheckSeverity.WARN),
        (Verdict.INCONCLUSIVE, False, dg.AssetCheckSeverity.WARN),
        (Verdict.FAIL, False, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_only_a_fail_is_an_error(
    leak: PrivacyEvaluation, verdict: Verdict, passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    found = verdict_check(replace(leak, verdict=verdict))
    assert (found.passed, found.severity) == (passed, severity)
    assert found.metadata["n_fail"].value > 5
    assert found.metadata["n_holdout"].value == 150


def test_rows_and_metadata_hold_the_gravest_finding_first(leak: PrivacyEvaluation) -> None:
    rows = finding_rows(leak.findings, "hybrid")
    assert list(rows.columns) == list(RISK_COMMENTS)
    assert rows["verdict"].iloc[0] == "FAIL"
    copies = rows[rows["measure"].str.startswith("exact copies: W, A, Y")].iloc[0]
    assert (copies["value"], copies["holdout_value"]) == (1.0, 0.0)
    shown = risk_metadata(leak)
    assert shown["privacy_verdict"] == "FAIL"
    assert "Do not release it." in shown["risks"].value


def test_the_file_holds_aggregates_and_reads_back(leak: PrivacyEvaluation) -> None:
    document = EVALUATIONS.dump_json(leak)
    again = EVALUATIONS.validate_json(document)
    assert again.verdict == leak.verdict
    unanswered = replace(leak.findings[0].measure, ci_low=math.nan, ci_high=math.inf)
    findings = [replace(leak.findings[0], measure=unanswered)]
    kept = EVALUATIONS.validate_json(EVALUATIONS.dump_json(replace(leak, findings=findings)))
    assert math.isnan(kept.findings[0].measure.ci_low)
    assert kept.findings[0].measure.ci_high == math.inf
    assert len(again.findings) == len(leak.findings)
    assert len(document) < 700 * len(leak.findings) + 3000  # no list of people in it


def test_a_changed_threshold_shows_with_the_verdict() -> None:
    found = evaluated(PrivacyPolicy(max_dcr_share_z=1000.0))
    told = "1, changed: max_dcr_share_z 1000 (default 2.58)"
    assert risk_metadata(found)["privacy_policy"] == told
    assert verdict_check(found).metadata["policy"].value == told
    (share,) = (f for f in found.findings if f.measure.attack is Attack.DCR_SHARE)
    assert share.verdict is Verdict.PASS


def test_sensitive_covariates_treatment_and_outcome_are_guessed_and_no_others() -> None:
    found = evaluated(PrivacyPolicy(), sensitive=("W4", "W2"))
    guessed = [f.measure.target for f in found.findings if f.measure.attack is Attack.INFERENCE]
    assert guessed == ["W2", "W4", "A", "Y"]
