"""The label audit of a study: made on demand, read before a release while it is current."""

from collections.abc import Callable, Mapping
from pathlib import Path

import dagster as dg
import pandas as pd

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.earlier_settings import EARLIER
from dagster_project.privacy_results import (
    AUDIT_FILE,
    EVALUATION_FILE,
    EVALUATIONS,
    FINDINGS,
    evaluation_before_release,
)
from dagster_project.resources import ComputeDevice, StorageResource
from dagster_project.study_file import StudyFile
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.verdict import Finding, Verdict
from warehouse import Warehouse

BRANCH = ("fitted_generator", "synthetic_covariates", "label_audit")
MODELS = ("seed_table", "splits", "propensity_model", "outcome_model")


def test_the_audit_is_stored_and_read_before_a_release_while_it_is_current(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    study = small_study(generators=["cart"])
    result = materialize(study, *MODELS, *(f"cart/{asset}" for asset in BRANCH))
    assert result.success
    made = Warehouse(tmp_path / "home", "small")
    (row,) = made.read_table("cart/label_audit").to_dict("records")
    # 300 people, a fifth of them set aside: 24 coins, of which the surer half is guessed
    assert row["measure"] == "planted coin-flip outcomes: Y, ε from 12 coins"
    assert (row["verdict"], row["holdout_value"]) == ("PASS", 0.0)
    checks = {found.check_name: found for found in result.get_asset_check_evaluations()}
    assert checks["label_audit"].passed
    told = checks["label_audit"].metadata["epsilon_lower_bound"].value
    assert isinstance(told, float)
    assert told == row["ci_low"] <= 1.0

    assert EARLIER not in _metadata(result)
    other = small_study(generators=["cart"], n_synthetic=500)
    told = _metadata(materialize(other, "cart/label_audit"))[EARLIER].value
    upstream = "cart/synthetic_covariates, outcome_model, propensity_model, splits"
    assert told == f"made under an earlier study file or by earlier code: {upstream}"

    def within(asset: str, body: Callable[[AssetRun], AssetResult]) -> None:
        declared = AssetFactory(study, tmp_path).asset(asset, deps=[], kinds=(), privacy="derived")
        resources = {
            "storage": StorageResource(home=str(tmp_path / "home")),
            "compute": ComputeDevice(device="cpu"),
        }
        assert dg.materialize([declared(body)], resources=resources).success

    attacks = PrivacyEvaluation([], Verdict.INCONCLUSIVE, 400, 240, 60, PrivacyPolicy())
    files = {EVALUATION_FILE: EVALUATIONS.dump_json(attacks)}
    one = pd.DataFrame({"value": [0.0]})
    read: list[PrivacyEvaluation] = []

    def evaluated(run: AssetRun) -> AssetResult:
        """Stand in for the attacks."""
        return run.record_table(one, files=files)

    def candidate(run: AssetRun) -> AssetResult:
        """Stand in for a candidate."""
        read.append(evaluation_before_release(run, "cart")[0])
        return run.record_table(one)

    def redrawn(run: AssetRun) -> AssetResult:
        """Draw covariates anew."""
        return run.record_table(made.read_table("cart/synthetic_covariates").iloc[:-1])

    within("cart/privacy_evaluation", evaluated)
    within("cart/release_candidate", candidate)
    within("cart/synthetic_covariates", redrawn)
    within("cart/release_candidate", candidate)
    assert [f.measure.attack for f in read[0].findings] == [Attack.LABEL_AUDIT]
    assert read[0].verdict == Verdict.INCONCLUSIVE
    assert read[1] == attacks


def _metadata(result: dg.ExecuteInProcessResult) -> Mapping[str, dg.MetadataValue]:
    (event,) = (
        e
        for e in result.get_asset_materialization_events()
        if e.asset_key.path[-1] == "label_audit"
    )
    return event.materialization.metadata


def test_a_failed_audit_of_earlier_tables_still_counts(
    small_study: Callable[..., StudyFile], tmp_path: Path
) -> None:
    storage, one = StorageResource(home=str(tmp_path / "home")), pd.DataFrame({"value": [0.0]})
    measure = Measure(Attack.LABEL_AUDIT, "Y", "ε", 3.0, 0.0, 2.0, 9.0, 0.0, False, True)
    failed = Finding(measure, 0.0, Verdict.FAIL, "Use a smaller outcome model.")
    attacks = PrivacyEvaluation([], Verdict.PASS, 400, 240, 600, PrivacyPolicy())
    kept = {
        "cart/privacy_evaluation": {EVALUATION_FILE: EVALUATIONS.dump_json(attacks)},
        "cart/label_audit": {AUDIT_FILE: FINDINGS.dump_json([failed])},
    }
    read: list[tuple[PrivacyEvaluation, str]] = []

    def within(asset: str, body: Callable[[AssetRun], AssetResult]) -> None:
        make = AssetFactory(small_study(), tmp_path)
        declared = make.asset(asset, deps=[], kinds=(), privacy="derived")(body)
        resources = {"storage": storage, "compute": ComputeDevice(device="cpu")}
        assert dg.materialize([declared], resources=resources).success

    def stored(run: AssetRun) -> AssetResult:
        """Stand in for an evaluation of covariates."""
        run.version("cart/synthetic_covariates")
        return run.record_table(one, files=kept[run.asset])

    def drawn(run: AssetRun) -> AssetResult:
        """Draw covariates, others each time."""
        return run.record_table(one + len(read))

    def candidate(run: AssetRun) -> AssetResult:
        """Stand in for a candidate."""
        read.append(evaluation_before_release(run, "cart"))
        return run.record_table(one)

    within("cart/synthetic_covariates", drawn)
    for asset in kept:
        within(asset, stored)
    within("cart/release_candidate", candidate)
    within("cart/synthetic_covariates", drawn)
    within("cart/release_candidate", candidate)
    assert [evaluation.verdict for evaluation, _ in read] == [Verdict.FAIL, Verdict.FAIL]
    words = [words for _, words in read]
    assert words == ["made", "failed on earlier tables: make it again"]


def test_a_finding_keeps_infinity_in_its_file_and_decides_the_verdict() -> None:
    measure = Measure(
        attack=Attack.LABEL_AUDIT,
        target="Y",
        statistic="ε from 50 coins",
        value=float("inf"),
        reference=0.0,
        ci_low=2.8,
        ci_high=float("inf"),
        p_value=0.0,
        is_within_limit=False,
        is_suspicious=True,
    )
    finding = Finding(measure, 0.0, Verdict.FAIL, "Use a smaller outcome model.")
    assert FINDINGS.validate_json(FINDINGS.dump_json([finding])) == [finding]
    attacks = PrivacyEvaluation([], Verdict.PASS, 400, 240, 600, PrivacyPolicy())
    assert attacks.with_finding(finding).verdict == Verdict.FAIL
    assert attacks.with_finding(finding).findings == [finding]
