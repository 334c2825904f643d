"""Whether a table tells outcomes that a coin decided, planted before the models are fitted."""

import dagster as dg

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.display import small_table
from dagster_project.earlier_settings import earlier_settings
from dagster_project.hybrid_recipe import hybrid_settings
from dagster_project.privacy_results import AUDIT_FILE, FINDINGS, RISK_COMMENTS, finding_rows
from dagster_project.private_branch import is_private, made_with
from dagster_project.synthetic_tables import sampled_pool
from hybrid_assets.generators import GENERATORS, CovariateGenerator
from hybrid_assets.privacy.audit_run import HybridRecipe, run_label_audit
from hybrid_assets.privacy.verdict import Finding, Verdict

CHECK = "label_audit"
CHECK_MEANING = (
    "Outcomes planted by a coin before the models were fitted cannot be read from a table made "
    "of them: the lower bound of ε is within the policy's limit."
)


def label_audit_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare a generator's ``label_audit``; the published recipe, never released, has none."""
    if make.study.recipe == "published":
        return []
    asset, covariates = f"{generator}/label_audit", f"{generator}/synthetic_covariates"
    models = made_with(make.study, generator)[:2]

    @make.asset(
        asset,
        deps=["splits", covariates, *models],
        kinds={"duckdb", "scikitlearn"},
        privacy="derived",
        checks=[make.check(asset, CHECK, CHECK_MEANING, blocking=False)],
        job="simulate",
    )
    def label_audit(run: AssetRun) -> AssetResult:
        """What a table tells of outcomes that a coin decided: a lower bound of ε."""
        finding = _audit(run, covariates)
        sampled = sampled_pool(run, covariates)
        rows = finding_rows([finding], ", ".join(["hybrid of planted outcomes", *sampled.values()]))
        return run.record_table(
            rows,
            files={AUDIT_FILE: FINDINGS.dump_json([finding])},
            comments=RISK_COMMENTS,
            metadata={
                "risks": small_table(rows),
                "verdict": finding.verdict.value,
                **sampled,
                **earlier_settings(run),
            },
            checks=[_check(finding)],
        )

    return [label_audit]


def _audit(run: AssetRun, covariates: str) -> Finding:
    study, schema = run.study, run.schema()
    for model in made_with(study, run.generator)[:2]:
        run.files(model)  # the audit fits its own, and is void once the study's are others
    return run_label_audit(
        run.part("train", schema),
        run.sample(covariates, schema.covariates),
        schema,
        HybridRecipe(
            study.nuisance_models, hybrid_settings(study), study.known_propensity, _private(run)
        ),
        policy=study.privacy.policy,
        rng=run.rng,
    )


def _private(run: AssetRun) -> CovariateGenerator | None:
    """Give a private generator to fit anew; nothing of this fit leaves but the finding."""
    settings = run.study.generators[run.generator]
    return GENERATORS[settings.kind](settings) if is_private(run.study, run.generator) else None


def _check(finding: Finding) -> dg.AssetCheckResult:
    is_fail = finding.verdict is Verdict.FAIL
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=finding.verdict is Verdict.PASS,
        severity=dg.AssetCheckSeverity.ERROR if is_fail else dg.AssetCheckSeverity.WARN,
        metadata={
            "verdict": finding.verdict.value,
            "epsilon_lower_bound": finding.measure.ci_low,
            "measured": finding.measure.statistic,
            "what_to_do": finding.advice,
        },
    )
