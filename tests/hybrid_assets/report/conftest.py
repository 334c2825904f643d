"""A small report whose every number is known."""

import pytest

from hybrid_assets.fidelity import EffectDiagnosis, EffectMeasures, PredictiveScore
from hybrid_assets.privacy.dcr import DcrEvaluation, DcrShare, DistanceQuantiles
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.verdict import Finding, Verdict
from hybrid_assets.report.summary import (
    CheckResult,
    ComparisonRow,
    EffectInterval,
    Picture,
    ReportSummary,
)


@pytest.fixture
def dcr() -> DcrEvaluation:
    return DcrEvaluation(
        synthetic_to_train=DistanceQuantiles(0.1, 0.2, 0.4321, 0.6, 0.9),
        synthetic_to_holdout=DistanceQuantiles(0.15, 0.25, 0.5, 0.7, 1.1),
        holdout_to_train=DistanceQuantiles(0.12, 0.22, 0.4444, 0.6, 0.8),
        n_copies_in_train=12,
        n_copies_in_holdout=3,
        n_holdout_copies_in_train=1,
        n_synthetic=50_000,
        n_train=700,
        n_holdout=300,
        n_measured=50_000,
        share=DcrShare(value=0.7123, expected=0.7, standard_error=0.01, z=1.23),
    )


@pytest.fixture
def diagnosis() -> EffectDiagnosis:
    def measures(total: float, effect_error: float) -> EffectMeasures:
        return EffectMeasures(
            main_error=0.002,
            effect_error=effect_error,
            effect_error_unweighted=4 * effect_error,
            ate_error=total,
            drift_covariate_law=0.01,
            drift_contrast=total - 0.03,
            drift_assignment=0.015,
            drift_noise=0.005,
            drift_total=total,
            alpha_precision=0.9321,
            beta_recall=0.4567,
            propensity_similarity=0.9543,
            effect_dissimilarity=0.1876,
        )

    return EffectDiagnosis(
        n_rows=300,
        n_batches=5,
        measures=measures(-0.4123, 0.0105),
        standard_errors=measures(0.0301, 0.0008),
        holdout=measures(0.0222, 0.0042),
        outcome_variance=0.21,
    )


def finding(
    attack: Attack, target: str, verdict: Verdict, *, value: float = 0.5, advice: str = ""
) -> Finding:
    """A finding whose interval is .04 wide on either side."""
    measure = Measure(
        attack=attack,
        target=target,
        statistic="AUC",
        value=value,
        reference=0.5,
        ci_low=value - 0.04,
        ci_high=value + 0.04,
        p_value=None,
        is_within_limit=verdict is Verdict.PASS,
        is_suspicious=False,
    )
    return Finding(measure, None, verdict, advice)


@pytest.fixture
def risks() -> dict[str, PrivacyEvaluation]:
    """Evaluations with 300 people set aside, of two generators of which one leaks."""
    good = finding(Attack.COPIES, "W", Verdict.PASS)
    unclear = finding(Attack.INFERENCE, "Y", Verdict.INCONCLUSIVE, advice="More people.")
    leak = finding(Attack.INFERENCE, "A", Verdict.FAIL, value=0.8765, advice="Smaller models.")
    share = finding(Attack.DCR_SHARE, "W", Verdict.REVIEW, advice="Look above.")

    def evaluation(verdict: Verdict, *findings: Finding) -> PrivacyEvaluation:
        return PrivacyEvaluation(list(findings), verdict, 50_000, 700, 300, PrivacyPolicy())

    return {
        "cart": evaluation(Verdict.INCONCLUSIVE, good, good, unclear),
        "gan": evaluation(Verdict.FAIL, good, unclear, leak, leak, share),
    }


@pytest.fixture
def rows(dcr: DcrEvaluation) -> tuple[ComparisonRow, ...]:
    score = PredictiveScore(
        "AUC", 0.7512, 0.72, 0.78, 0.7634, 0.73, 0.79, -0.0122, -0.03, 0.006, n_test=300
    )
    return (
        ComparisonRow(
            table="seed",
            kind="seed",
            n_rows=1000,
            estimates={
                "outcome_regression": EffectInterval(0.3957, 0.344, 0.447),
                "tmle": EffectInterval(0.3951, 0.343, 0.447),
            },
            difference_to_truth=-0.0234,
        ),
        ComparisonRow(
            table="gan hybrid",
            kind="hybrid",
            n_rows=50_000,
            generator="gan",
            estimates={"tmle": EffectInterval(0.3954, 0.3876, 0.4032, 0.3397, 0.4511)},
            predictive_score=score,
            psi_exact=0.3951,
            difference_to_truth=-0.0231,
            difference_to_seed_in_se=0.0,
            dcr=dcr,
            privacy_verdict=Verdict.FAIL,
        ),
    )


@pytest.fixture
def summary(rows: tuple[ComparisonRow, ...], risks: dict[str, PrivacyEvaluation]) -> ReportSummary:
    return ReportSummary(
        study="paper1",
        title="A simulated trial",
        description="Three binary and three Gaussian covariates.",
        design="trial",
        assignment="randomised",
        n_rows=1000,
        n_holdout=300,
        n_synthetic=50_000,
        study_hash="0123456789abcdef",
        random_seed=42,
        rows=rows,
        true_effect=0.41847,
        true_effect_se=0.00002,
        risks=risks,
        pictures=(Picture("Overlap", "Propensity by arm.", b"\x89PNG picture"),),
        notes=("The bootstrap gives people's own rows.",),
        checks=(
            CheckResult("effect_drift", True, "blocking", "0.01 SE; at most 0.1."),
            CheckResult("dcr_share", False, "warning", "z = 3.1; at most 2.58."),
            CheckResult("copies", False, "blocking", "9 % more than by chance."),
        ),
    )
