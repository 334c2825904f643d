"""What a hybrid table says of itself: metadata, calibration, and whether it keeps the effect."""

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetRun
from dagster_project.display import small_table
from dagster_project.private_branch import is_private
from hybrid_assets.effects import seed_tmle
from hybrid_assets.fidelity import effect_drift
from hybrid_assets.hybrid import HybridSummary
from hybrid_assets.published import IN_SAMPLE_INTERVALS

CALIBRATION_FILE = "calibration.json"
CALIBRATION = TypeAdapter(float | None)


def effect_checks(make: AssetFactory, triplets: str, *, private: bool) -> list[dg.AssetCheckSpec]:
    """Declare what holds a hybrid table to the seed's effect, or shows that nothing does."""
    if make.study.recipe == "published":
        return [make.check(triplets, "effect_drift", UNCALIBRATED, blocking=False)]
    drift = make.check(
        triplets,
        "effect_drift",
        PRIVATE_EFFECT if private else "The hybrid population's exact effect is the seed's TMLE.",
        blocking=not private,
    )
    shift = make.check(
        triplets,
        "calibration_shift",
        "The outcome model had to be moved little to keep the effect: a large shift (logit scale, "
        "or standard deviations) means that the covariates or the outcome model are poor.",
        blocking=False,
    )
    return [drift, shift]


PRIVATE_EFFECT = (
    "The hybrid population's exact effect is near the seed's TMLE: it is held at the private "
    "table's own, and is off by what the noise costs. It blocks no evaluation; the gate before a "
    "release judges it as everyone else's."
)
UNCALIBRATED = (
    "Published recipe, not for release: the outcome model is not calibrated, so that nothing holds "
    "the hybrid population's effect at the seed's; the drift is shown and blocks nothing."
)


def hybrid_metadata(made: HybridSummary) -> dict[str, object]:
    """Tell the exact effect, how it is kept, and how treatment was given."""
    return {
        "assignment": made.assignment,
        "psi_exact": made.true_ate,
        "outcomes_at_bounds_share": made.bounded_share,
        "calibration": _calibration_text(made),
    }


def _calibration_text(made: HybridSummary) -> str | dg.MarkdownMetadataValue:
    """Show shifts and arm means; the outcome's range is two people's and stays out."""
    found = made.calibration
    if found is None:
        return "none: outcome means are as the model predicts them"
    return small_table(
        pd.DataFrame(
            {
                "arm": ["control", "treated"],
                "shift": [found.shift_control, found.shift_treated],
                "mean before": [found.uncalibrated_control, found.uncalibrated_treated],
                "mean after": [found.target_control, found.target_treated],
            }
        )
    )


def effect_results(run: AssetRun, made: HybridSummary) -> list[dg.AssetCheckResult]:
    """Evaluate what `effect_checks` declares."""
    if run.study.recipe == "published":
        return [_drift(run, made)]
    return [_drift(run, made), _shift(run, made)]


def largest_shift(made: HybridSummary) -> float | None:
    """Give the larger arm's shift: on the logit scale, or in standard deviations of the outcome."""
    found = made.calibration
    if found is None:
        return None
    unit = 1.0 if found.is_binary else made.outcome_sd
    return max(abs(found.shift_control), abs(found.shift_treated)) / unit


def _shift(run: AssetRun, made: HybridSummary) -> dg.AssetCheckResult:
    largest = largest_shift(made) or 0.0
    return dg.AssetCheckResult(
        check_name="calibration_shift",
        passed=largest <= run.study.gates.max_calibration_shift,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"largest_shift": largest, "limit": run.study.gates.max_calibration_shift},
    )


def _drift(run: AssetRun, made: HybridSummary) -> dg.AssetCheckResult:
    target = seed_tmle(run.table("seed_estimates"))
    as_published, private = run.study.recipe == "published", is_private(run.study, run.generator)
    drift = effect_drift(made.true_ate, float(target["estimate"]), float(target["standard_error"]))
    return dg.AssetCheckResult(
        check_name="effect_drift",
        passed=drift <= run.study.gates.max_effect_drift,
        severity=dg.AssetCheckSeverity.WARN
        if as_published or private
        else dg.AssetCheckSeverity.ERROR,
        metadata={
            "psi_exact": made.true_ate,
            "seed_tmle": float(target["estimate"]),
            "drift": made.true_ate - float(target["estimate"]),
            "drift_in_standard_errors": drift,
            "largest_drift": run.study.gates.max_effect_drift,
            **({"why": f"{UNCALIBRATED} {IN_SAMPLE_INTERVALS}."} if as_published else {}),
            **({"why": PRIVATE_EFFECT} if private else {}),
        },
    )
