"""In words: how well a table predicts, how far its effect is off, and where it went."""

from __future__ import annotations

from hybrid_assets.fidelity import EffectDiagnosis, PredictiveScore
from hybrid_assets.report.page_numbers import number_text
from hybrid_assets.report.summary import ComparisonRow

PARTS = {
    "drift_covariate_law": "the covariate law",
    "drift_contrast": "the treatment contrast",
    "drift_assignment": "the assignment",
    "drift_noise": "noise",
}
CLEAR_ERRORS = 2.0  # standard errors that a drift must exceed to be called one


def lost_effect_sentence(row: ComparisonRow) -> str:
    """Say of one table whether prediction notices what became of the effect.

    Parameters
    ----------
    row : ComparisonRow
        With a diagnosis.
    """
    found = row.diagnosis
    if found is None:
        return f"{row.table}: not measured."
    return f"{row.table}: {_prediction(row.predictive_score)}; {_drift(found)}. {_loss(found)}"


def _prediction(score: PredictiveScore | None) -> str:
    if score is None:
        return "prediction has no score"
    compared = (
        "as well as real rows as far as the holdout can tell"
        if score.difference_ci_high >= 0
        else "worse than real rows"
    )
    return (
        f"predicts {compared} ({score.metric} {number_text(score.value, 3)} against "
        f"{number_text(score.reference, 3)})"
    )


def _drift(found: EffectDiagnosis) -> str:
    total, error = found.measures.drift_total, found.standard_errors.drift_total
    off = f"{number_text(total, 3)} (SE {number_text(error, 2)})"
    if abs(total) <= CLEAR_ERRORS * error:
        return f"its effect is not clearly off that of the training rows: {off}"
    parts = {name: getattr(found.measures, name) for name in PARTS}
    largest = max(parts, key=lambda name: abs(parts[name]))
    return (
        f"its effect is off that of the training rows by {off}, most of it "
        f"({number_text(parts[largest], 3)}) through {PARTS[largest]}"
    )


def _loss(found: EffectDiagnosis) -> str:
    _, share = found.loss_shares(found.measures)
    text = (
        f"The error of its effect costs {number_text(100 * share, 2)} % of the outcome's variance"
    )
    if found.holdout is None:
        return f"{text} in prediction loss."
    _, unseen = found.loss_shares(found.holdout)
    return f"{text} in prediction loss; unseen people give {number_text(100 * unseen, 2)} %."
