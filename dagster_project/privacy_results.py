"""The privacy evaluation as table rows, files, metadata and a check."""

from concurrent.futures import Executor
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import ConfigDict, TypeAdapter

from dagster_project.asset_run import AssetRun
from dagster_project.display import small_table
from dagster_project.row_scores import with_likelihood
from hybrid_assets.privacy.dcr import DcrShare
from hybrid_assets.privacy.evaluate import (
    WAY,
    PrivacyEvaluation,
    W,
    evaluate_privacy,
    finding_table,
    risk_table,
)
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.verdict import Finding, Verdict
from warehouse import ModelNotFound

EVALUATIONS = TypeAdapter(PrivacyEvaluation)
FINDINGS = TypeAdapter(list[Finding], config=ConfigDict(ser_json_inf_nan="strings"))
RISK_COMMENTS = {
    "table_kind": "which synthetic table, and which of its columns",
    "measure": "a distance, or an attack and its target",
    "value": "what was measured",
    "ci_low": "lower end of the 95 % interval",
    "ci_high": "upper end of the 95 % interval",
    "holdout_value": "what people give whom nothing was fitted to",
    "p_adjusted": "family-wise (Holm) p-value of a leak beyond the fail limit",
    "verdict": "PASS, REVIEW, INCONCLUSIVE or FAIL under the policy in privacy.json",
    "advice": "what to do about it",
}
EVALUATION_FILE, AUDIT_FILE = "privacy.json", "label_audit.json"
CHECK = "privacy_verdict"
CHECK_MEANING = (
    "No attack gives evidence that the hybrid table tells of training people what it does not "
    "tell of others."
)


def attacked_hybrid(
    run: AssetRun, *, covariates: DcrShare, rows: DcrShare, workers: Executor | None
) -> PrivacyEvaluation:
    """Attack a generator's hybrid table, digits as they stand."""
    schema, asset = run.schema(), f"{run.generator}/hybrid_triplets"
    train, holdout = (run.part(part, schema) for part in ("train", "holdout"))
    attacked = Attacked.of_blocks(
        run.rows(asset, schema), run.sample(asset, schema), train, holdout, schema
    )
    shares = {W: covariates, WAY: rows}
    stated = run.study.privacy
    return evaluate_privacy(
        with_likelihood(run, attacked),
        shares=shares,
        policy=stated.policy,
        rng=run.rng,
        sensitive=stated.sensitive,
        workers=workers,
    )


def stored_evaluation(run: AssetRun, generator: str) -> PrivacyEvaluation:
    """Read what the attacks on a generator's hybrid table found."""
    files = run.files(f"{generator}/privacy_evaluation")
    return EVALUATIONS.validate_json(files[EVALUATION_FILE])


def evaluation_before_release(run: AssetRun, generator: str) -> tuple[PrivacyEvaluation, str]:
    """Add the label audit to the attacks, and say how it stands.

    Of earlier tables it is no evidence, and not remembered as something the
    candidate was made from; but if it failed there, it has to be made again.
    """
    evaluation, audit = stored_evaluation(run, generator), f"{generator}/label_audit"
    try:
        stored = run.warehouse.model(audit)
    except ModelNotFound:
        return evaluation, "not made"
    is_outdated = bool(run.warehouse.moved_upstream(audit))
    if not is_outdated:
        run.version(audit)
        run.files(audit)
    kept = run.storage.models().open(stored) / AUDIT_FILE
    (finding,) = FINDINGS.validate_json(kept.read_bytes())
    if is_outdated and finding.verdict is not Verdict.FAIL:
        return evaluation, "of earlier tables"
    words = "failed on earlier tables: make it again" if is_outdated else "made"
    return evaluation.with_finding(finding), words


def finding_rows(findings: list[Finding], table_kind: str) -> pd.DataFrame:
    """Give one row for each finding, in the columns of `RISK_COMMENTS`."""
    risks = finding_table(findings)
    measure = risks["attack"] + ": " + risks["target"] + ", " + risks["statistic"]
    rows = risks.assign(table_kind=table_kind, measure=measure)
    return rows[list(RISK_COMMENTS)]


def risk_metadata(evaluation: PrivacyEvaluation) -> dict[str, Any]:
    """Show the verdict and the risk table under the asset."""
    shown = risk_table(evaluation).drop(columns="statistic")
    return {
        "privacy_verdict": evaluation.verdict.value,
        "privacy_policy": evaluation.policy.name,
        "too_few_people": evaluation.too_few_people,
        **({"too_few_rows": evaluation.too_few_rows} if evaluation.too_few_rows else {}),
        **({"people_not_asked": evaluation.people_not_asked} if evaluation.n_asked else {}),
        "risks": small_table(shown),
    }


def verdict_check(evaluation: PrivacyEvaluation) -> dg.AssetCheckResult:
    """Pass on PASS, warn on REVIEW and INCONCLUSIVE, fail on FAIL."""
    verdict = evaluation.verdict
    found = [f.verdict for f in evaluation.findings]
    is_fail = verdict is Verdict.FAIL
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=verdict is Verdict.PASS,
        severity=dg.AssetCheckSeverity.ERROR if is_fail else dg.AssetCheckSeverity.WARN,
        metadata={
            "verdict": verdict.value,
            **{f"n_{word.value.lower()}": found.count(word) for word in Verdict},
            "n_holdout": evaluation.n_holdout,
            "smallest_holdout": evaluation.policy.min_holdout,
            "policy": evaluation.policy.name,
            "too_few_people": evaluation.too_few_people,
        },
    )
