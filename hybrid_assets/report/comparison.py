"""From stored results to the rows of the report's comparison table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hybrid_assets.effects import average_effects
from hybrid_assets.fidelity import EffectDiagnosis, PredictiveScore
from hybrid_assets.privacy.dcr import DcrEvaluation
from hybrid_assets.privacy.verdict import Verdict
from hybrid_assets.report.summary import ComparisonRow, EffectInterval

TableKey = tuple[str, str]


@dataclass(frozen=True)
class TableEvidence:
    """What is known of a table beside its effects; see `ComparisonRow`."""

    predictive_score: PredictiveScore | None = None
    dcr: DcrEvaluation | None = None
    diagnosis: EffectDiagnosis | None = None
    privacy_verdict: Verdict | None = None


def comparison_rows(
    effects: pd.DataFrame,
    evidence: Mapping[TableKey, TableEvidence] | None = None,
    *,
    main_estimator: str = "tmle",
) -> tuple[ComparisonRow, ...]:
    """Group average effects by table, in order of appearance, with the other evidence.

    Parameters
    ----------
    effects : DataFrame
        From `hybrid_assets.effects.compared`; other estimands and subgroups are left out.
    evidence : mapping, optional
        By (generator, table kind).
    main_estimator : str
        Whose differences to truth and seed are shown.
    """
    groups = average_effects(effects).groupby(["table_name", "nuisances"], sort=False)
    return tuple(_row(rows, evidence or {}, main_estimator) for _, rows in groups)


def _row(
    rows: pd.DataFrame, evidence: Mapping[TableKey, TableEvidence], main_estimator: str
) -> ComparisonRow:
    main = rows.loc[rows["estimator"] == main_estimator].iloc[0]
    known = evidence.get((main["generator"], main["table_kind"]), TableEvidence())
    reference_model = main["nuisances"] == "parametric"
    return ComparisonRow(
        table=f"{main['table_name']} (reference model)" if reference_model else main["table_name"],
        kind=main["table_kind"],
        n_rows=int(main["n_rows"]),
        estimates={row["estimator"]: _interval(row) for _, row in rows.iterrows()},
        generator=main["generator"] or None,
        predictive_score=known.predictive_score,
        psi_exact=_number(main["psi_exact"]),
        difference_to_truth=_number(main["difference_to_truth"]),
        difference_to_seed_in_se=_number(main["difference_to_seed_in_se"]),
        dcr=known.dcr,
        interval_note=main["interval_note"],
        diagnosis=known.diagnosis,
        privacy_verdict=known.privacy_verdict,
    )


def _interval(row: pd.Series) -> EffectInterval:
    is_seed = row["table_kind"] == "seed"
    return EffectInterval(
        estimate=row["estimate"],
        ci_low=row["ci_low"],
        ci_high=row["ci_high"],
        ci_low_adjusted=None if is_seed else row["ci_low_adjusted"],
        ci_high_adjusted=None if is_seed else row["ci_high_adjusted"],
    )


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def flat_comparison(rows: tuple[ComparisonRow, ...]) -> pd.DataFrame:
    """Lay the comparison out as a table of numbers, one row for each table of the study."""
    return pd.DataFrame([_flat(row) for row in rows])


def _flat(row: ComparisonRow) -> dict[str, object]:
    score, dcr = row.predictive_score, row.dcr
    flat: dict[str, object] = {
        "table_name": row.table,
        "table_kind": row.kind,
        "generator": row.generator or "",
        "n_rows": row.n_rows,
    }
    for word, interval in row.estimates.items():
        flat |= {
            word: interval.estimate,
            f"{word}_ci_low": _either(interval.ci_low_adjusted, interval.ci_low),
            f"{word}_ci_high": _either(interval.ci_high_adjusted, interval.ci_high),
        }
    return flat | {
        "psi_exact": row.psi_exact,
        "difference_to_truth": row.difference_to_truth,
        "difference_to_seed_in_se": row.difference_to_seed_in_se,
        "predictive_metric": score.metric if score else "",
        "predictive_score": score.value if score else None,
        "predictive_score_ci_low": score.ci_low if score else None,
        "predictive_score_ci_high": score.ci_high if score else None,
        "predictive_score_reference": score.reference if score else None,
        "predictive_score_sampling_error": score.sampling_error if score else None,
        "dcr_median": dcr.synthetic_to_train.q50 if dcr else None,
        "dcr_median_reference": dcr.holdout_to_train.q50 if dcr else None,
        "dcr_share": dcr.share.value if dcr else None,
        "dcr_share_reference": dcr.share.expected if dcr else None,
        "dcr_share_z": dcr.share.z if dcr else None,
        "copies_share": dcr.n_copies_in_train / dcr.n_synthetic if dcr else None,
        "copies_share_reference": dcr.n_holdout_copies_in_train / dcr.n_holdout if dcr else None,
        "privacy_verdict": row.privacy_verdict.value if row.privacy_verdict else "",
        "interval_note": row.interval_note,
    }


def _either(first: float | None, second: float) -> float:
    return second if first is None else first
