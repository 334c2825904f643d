"""Each gate opened and shut by the figure it is about, and nothing else."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from hybrid_assets.designs import DESIGNS
from hybrid_assets.gates import (
    GATE_MEANINGS,
    GATE_REPORT,
    GateReport,
    Gates,
    GateVerdict,
    ReleaseEvidence,
    ReleaseFacts,
    columns_not_guessed,
    evaluate_gates,
)
from hybrid_assets.gates.report import BY_NAME
from hybrid_assets.gates.settings import CAN_BE_OVERRIDDEN, CANNOT_BE_OVERRIDDEN
from hybrid_assets.privacy.dcr import DcrEvaluation, DcrShare, DistanceQuantiles
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.privacy.ledger import PrivacyLedger, Spent, loss_of
from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.verdict import ADVICE, Finding, Verdict
from hybrid_assets.small_cells import told_share

QUANTILES = DistanceQuantiles(0.1, 0.2, 0.3, 0.4, 0.5)
COPIES = DcrEvaluation(
    synthetic_to_train=QUANTILES,
    synthetic_to_holdout=QUANTILES,
    holdout_to_train=QUANTILES,
    n_copies_in_train=100,
    n_copies_in_holdout=90,
    n_holdout_copies_in_train=10,
    n_synthetic=10_000,
    n_train=1000,
    n_holdout=1000,
    n_measured=10_000,
    share=DcrShare(0.5, 0.5, 0.01, 0.0),
)
FACTS = ReleaseFacts(
    generator_kind="cart",
    label="",
    assignment="randomised",
    treated_probability=0.5,
    n_rows=10_000,
    n_rows_released_before=0,
    n_seed=1000,
    n_members=1000,
    n_holdout=1000,
    extreme_share=0.0,
    psi_exact=0.4,
    seed_estimate=0.4,
    seed_standard_error=0.02,
    privacy_verdict="PASS",
    privacy_policy="1",
)


def finding(attack: Attack, target: str, value: float, verdict: Verdict) -> Finding:
    measure = Measure(attack, target, "statistic", value, 0.5, value, value, None, True, False)
    return Finding(measure, None, verdict, "" if verdict is Verdict.PASS else ADVICE[attack])


def evaluation(verdict: Verdict, *findings: Finding, n_holdout: int = 1000) -> PrivacyEvaluation:
    return PrivacyEvaluation(list(findings), verdict, 10_000, 1000, n_holdout, PrivacyPolicy())


EVIDENCE = ReleaseEvidence(
    facts=FACTS,
    privacy=evaluation(Verdict.PASS, finding(Attack.RARE_LEVELS, "site", 0.0, Verdict.PASS)),
    label_audit="not made",
    copies=COPIES,
    calibration_shift=0.1,
    extreme_share=0.0,
    cells_beyond={"age": 0},
    broken_rules=(),
    formula_columns=(),
    columns_not_attacked=(),
    columns_not_guessed=(),
)


def extreme(exactly: float, told: float | str) -> ReleaseEvidence:
    return replace(EVIDENCE, extreme_share=exactly, facts=replace(FACTS, extreme_share=told))


RARE = finding(Attack.RARE_LEVELS, "site", 2.0, Verdict.REVIEW)
LEAK = finding(Attack.SPIKES, "W", 9.0, Verdict.FAIL)
SPOILED: dict[str, ReleaseEvidence] = {
    "recipe": replace(EVIDENCE, facts=replace(FACTS, generator_kind="bootstrap")),
    "table_suite": replace(EVIDENCE, broken_rules=("levels_known",)),
    "digit_precision": replace(EVIDENCE, cells_beyond={"age": 3, "weight": 0}),
    "exact_copies": replace(EVIDENCE, copies=replace(COPIES, n_copies_in_train=201)),
    "rare_levels": replace(EVIDENCE, privacy=evaluation(Verdict.PASS, RARE)),
    "privacy_verdict": replace(EVIDENCE, privacy=evaluation(Verdict.FAIL, LEAK)),
    "row_budget": replace(EVIDENCE, facts=replace(FACTS, n_rows_released_before=40_001)),
    "effect_kept": replace(EVIDENCE, facts=replace(FACTS, psi_exact=0.403)),
    "calibration_shift": replace(EVIDENCE, calibration_shift=0.16),
    "positivity": extreme(0.02, 0.02),
}
TOLD = {
    "recipe": "generator bootstrap",
    "table_suite": "rules broken: levels_known",
    "digit_precision": "cells beyond the declared digits, before rounding: age 3",
    "exact_copies": "2.01 % of the rows have a training person's covariates, as have 1 % of unseen",
    "rare_levels": "levels shown that fewer than 11 training people have: site 2",
    "privacy_verdict": "FAIL under policy 1: 1 FAIL; 1000 unseen people",
    "row_budget": "10,000 rows and 40,001 released before; budget 50,000, 50 for each of 1,000",
    "effect_kept": "effect 0.403, seed's TMLE 0.4: 0.15 standard errors apart; limit 0.1",
    "calibration_shift": "largest shift 0.16; limit 0.15",
    "positivity": "share of people with an extreme propensity 2 %; limit 1 %",
}


def gates(found: ReleaseEvidence, settings: Gates | None = None) -> GateReport:
    return evaluate_gates("demo", "cart", found, settings or Gates())


def test_sound_evidence_opens_every_gate() -> None:
    report = gates(EVIDENCE)
    assert [gate.name for gate in report.gates if gate.verdict is not GateVerdict.OPEN] == []
    assert [gate.advice for gate in report.gates if gate.advice] == []
    assert report.is_passed
    assert report.refusal == ""


@pytest.mark.parametrize("name", GATE_MEANINGS)
def test_each_gate_is_shut_by_its_own_evidence_and_says_what_to_do(name: str) -> None:
    report = gates(SPOILED[name])
    (shut,) = report.shut
    assert shut.name == name
    assert shut.evidence.startswith(TOLD[name])
    assert len(shut.advice) > 20
    by_name = "" if name in CANNOT_BE_OVERRIDDEN else f" {BY_NAME}"
    assert report.refusal == f"{name} is shut: {shut.evidence}. {shut.advice}{by_name}"


def test_an_override_opens_its_gate_and_stays_visible() -> None:
    stated = {"gate": "row_budget", "generator": "cart", "person": "Ada", "reason": "one more"}
    settings = Gates.model_validate({"overrides": [stated]})
    report = gates(SPOILED["row_budget"], settings)
    assert report.is_passed
    (gate,) = (g for g in report.gates if g.override)
    assert (gate.verdict, gate.override_words) == (GateVerdict.OVERRIDDEN, "Ada: one more")
    assert gate.advice.startswith("Release fewer rows")
    assert [o.person for o in report.overrides] == ["Ada"]
    assert not gates(SPOILED["positivity"], settings).is_passed
    assert not evaluate_gates("demo", "gan", SPOILED["row_budget"], settings).is_passed
    unused = gates(EVIDENCE, settings)
    assert unused.overrides == ()
    assert [g.override_words for g in unused.gates if g.override] == ["not needed: Ada: one more"]


def test_a_published_recipe_is_shut() -> None:
    label = "published recipe: not for release"
    (shut,) = gates(replace(EVIDENCE, facts=replace(FACTS, label=label))).shut
    assert (shut.name, shut.evidence) == ("recipe", label)


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.PASS])
def test_only_a_pass_opens_the_privacy_gate(verdict: Verdict) -> None:
    few = evaluation(verdict, n_holdout=499)
    unjudged, shut = gates(replace(EVIDENCE, privacy=few)).shut
    assert (unjudged.name, unjudged.evidence) == (
        "rare_levels",
        "not evaluated: no attack was made",
    )
    assert shut.evidence == (
        f"{verdict.value} under policy 1: no attack made; 499 unseen people; label audit not made"
    )
    assert shut.advice.startswith("holdout: 499 people were set aside and a PASS needs 500")


def test_columns_that_nobody_attacked_shut_the_privacy_gate() -> None:
    wider = replace(EVIDENCE, columns_not_attacked=("outcome_treated_mean",))
    (shut,) = gates(wider).shut
    assert shut.evidence.endswith("; not attacked: outcome_treated_mean")
    assert "include_counterfactuals: false" in shut.advice


def evidence_of(name: str, report: GateReport) -> str:
    return next(gate.evidence for gate in report.gates if gate.name == name)


def test_text_that_a_spreadsheet_runs_shuts_the_suite() -> None:
    (shut,) = gates(replace(EVIDENCE, formula_columns=("site", "note"))).shut
    assert shut.name == "table_suite"
    assert shut.evidence == "text that a spreadsheet runs as a formula: site, note"
    assert "rename these levels" in shut.advice


def test_columns_that_nobody_guessed_are_named() -> None:
    told = evidence_of(
        "privacy_verdict", gates(replace(EVIDENCE, columns_not_guessed=("age", "hiv")))
    )
    assert told.endswith("; nobody tried to guess age, hiv (not called sensitive)")
    schema = DESIGNS["paper1_trial"].schema()
    asked = evaluation(Verdict.PASS, finding(Attack.INFERENCE, "W2", 0.0, Verdict.PASS))
    assert columns_not_guessed(asked, schema) == ("W1", "W3", "W4", "W5", "W6")


@pytest.mark.parametrize(
    ("gate", "changes", "words"),
    [
        ("exact_copies", {"max_excess_copies": 0.5}, "max_excess_copies 0.5 (default 0.01)"),
        ("row_budget", {"row_budget": 1000.0}, "row_budget 1000 (default 50)"),
        ("effect_kept", {"max_effect_drift": 3.0}, "max_effect_drift 3 (default 0.1)"),
        (
            "calibration_shift",
            {"max_calibration_shift": 2},
            "max_calibration_shift 2 (default 0.15)",
        ),
        ("positivity", {"max_extreme_share": 1.0}, "max_extreme_share 1 (default 0.01)"),
    ],
)
def test_a_gate_says_that_its_threshold_was_changed(
    gate: str, changes: dict[str, float], words: str
) -> None:
    changed = gates(EVIDENCE, Gates.model_validate(changes))
    assert evidence_of(gate, changed).endswith(f"; changed: {words}")
    others = [g.evidence for g in changed.gates if g.name != gate]
    assert [told for told in others if "changed:" in told] == []


def test_changed_thresholds_of_the_policy_are_said_in_its_gates() -> None:
    policy = PrivacyPolicy(rare_people=2, copy_pass=0.5)
    loose = replace(EVIDENCE, privacy=replace(EVIDENCE.privacy, policy=policy))
    told = evidence_of("privacy_verdict", gates(loose))
    words = "changed: copy_pass 0.5 (default 0.01), rare_people 2 (default 11)"
    assert told.startswith(f"PASS under policy 1, {words}: 1 PASS")
    assert evidence_of("rare_levels", gates(loose)).endswith(
        "; changed: rare_people 2 (default 11)"
    )


def test_nothing_is_told_of_a_few_people() -> None:
    (shut,) = gates(extreme(0.012, told_share(0.012, 500))).shut
    assert "propensity < 10/500; limit" in shut.evidence
    unlucky = replace(COPIES, n_holdout_copies_in_train=9)
    (copies,) = (
        g for g in gates(replace(EVIDENCE, copies=unlucky)).gates if g.name == "exact_copies"
    )
    assert "as have < 10/1000 of unseen people" in copies.evidence


def test_a_table_that_was_not_calibrated_is_shut() -> None:
    (shut,) = gates(replace(EVIDENCE, calibration_shift=None)).shut
    assert (shut.name, shut.evidence) == ("calibration_shift", "not calibrated")


def test_the_file_reads_back_and_has_the_same_bytes_again() -> None:
    report = gates(SPOILED["exact_copies"])
    document = GATE_REPORT.dump_json(report)
    assert GATE_REPORT.validate_json(document) == report
    assert GATE_REPORT.dump_json(gates(SPOILED["exact_copies"])) == document


def test_every_gate_can_be_named_in_a_study_or_never() -> None:
    assert set(GATE_MEANINGS) == {*CAN_BE_OVERRIDDEN, *CANNOT_BE_OVERRIDDEN}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gate": "copies"}, "unknown gate 'copies'; known: table_suite, digit_precision, exact_"),
        ({"gate": "recipe"}, "gate 'recipe' cannot be overridden: such a table is never released"),
        ({"person": " "}, "person\n  String should have at least 1 character"),
        ({"reason": ""}, "reason\n  String should have at least 1 character"),
        ({"until": "2030"}, "until\n  Extra inputs are not permitted"),
    ],
)
def test_an_override_names_a_gate_a_person_and_a_reason(
    changes: dict[str, str], message: str
) -> None:
    stated = {"gate": "positivity", "generator": "cart", "person": "Ada", "reason": "known"}
    with pytest.raises(ValidationError, match=message):
        Gates.model_validate({"overrides": [stated | changes]})
    with pytest.raises(
        ValidationError, match="'positivity' of 'cart' is overridden more than once"
    ):
        Gates.model_validate({"overrides": [stated, stated]})


def test_a_private_tables_drift_is_judged_alike_and_advised_otherwise() -> None:
    loss = loss_of(PrivacyLedger((Spent("law", "AIM", 0.2),), 1e-6))
    facts = replace(FACTS, psi_exact=0.403, privacy_loss=loss)
    report = gates(replace(EVIDENCE, facts=facts))
    (shut,) = report.shut
    assert shut.name == "effect_kept"
    assert shut.evidence.startswith(TOLD["effect_kept"])
    assert "each fit spends anew" in shut.advice
    kept = GATE_REPORT.validate_json(GATE_REPORT.dump_json(report))
    assert kept.facts.privacy_loss == loss
