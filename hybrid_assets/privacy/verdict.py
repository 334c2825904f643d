"""From measures to a verdict, and what to do about it in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.policy import PrivacyPolicy

ADVICE = {
    Attack.COPIES: "The table holds values of real people. Do not release it. Use a generator that "
    "does not draw seed values, or declare fewer decimals; for categorical tables coarsen levels. "
    "A whole number that names people belongs under identifiers.",
    Attack.DIGIT_PRECISION: "Round every column to its declared decimals before release, and "
    "declare decimals for columns that have none.",
    Attack.DIGIT_REPLAY: "The generator repeats digits of real values. Declare fewer decimals for "
    "this column (two are usually enough) and fit the generator on the rounded values. "
    "A whole number that names people belongs under identifiers.",
    Attack.MEMBERSHIP_DISTANCE: "Rows lie too close to training people. Fit the generator for "
    "fewer epochs or with larger leaves, or on more people; never filter rows by distance.",
    Attack.MEMBERSHIP_DENSITY: "The table is denser about training people than the population is. "
    "Regularise the generator more, or release fewer rows.",
    Attack.MEMBERSHIP_LIKELIHOOD: "The generator finds training people likelier than others. Train "
    "it for fewer steps, or on more people, and never give its files away.",
    Attack.MEMBERSHIP_TAIL: "A few training people are exposed. Look for outliers in the seed: "
    "coarsen or top-code the columns that make them rare, then fit again.",
    Attack.INFERENCE: "The table tells this column of members better than of strangers. For "
    "treatment and outcome use small regularised models for each arm (leaves of 20 people or "
    "more), the design's probability in a trial, and release fewer rows; for a covariate "
    "regularise the generator.",
    Attack.SPIKES: "Some training people were copied with small changes. Do not release it. "
    "Deduplicate the seed and regularise the generator.",
    Attack.SINGLING_OUT: "Descriptions from the table isolate training people. Coarsen the columns "
    "with the most levels or digits.",
    Attack.LINKABILITY: "Two parts of a training person lead to the same rows. Regularise the "
    "generator, or release fewer columns.",
    Attack.DCR_SHARE: "Rows lie nearer to (or farther from) training people than chance allows. "
    "Look at the attacks above; never filter rows by distance.",
    Attack.RARE_LEVELS: "Group levels of fewer than eleven people before fitting, or state why "
    "showing them is harmless.",
    Attack.LABEL_AUDIT: "Planted outcomes can be read from the table. Use a smaller outcome "
    "model, or release fewer rows.",
}
MORE_PEOPLE = "There are too few unseen people to tell: set a larger holdout aside."


class Verdict(StrEnum):
    """Of one measure, and of all."""

    FAIL = "FAIL"
    REVIEW = "REVIEW"
    INCONCLUSIVE = "INCONCLUSIVE"
    PASS = "PASS"


@dataclass(frozen=True)
class Finding:
    """A measure and what it means.

    Attributes
    ----------
    measure : Measure
    p_adjusted : float or None
        Holm's, within the family.
    verdict : Verdict
    advice : str
        What to do; empty for a PASS.
    """

    measure: Measure
    p_adjusted: float | None
    verdict: Verdict
    advice: str


def judge(measures: Iterable[Measure], policy: PrivacyPolicy) -> list[Finding]:
    """Judge every measure; fails are family-wise at the policy's significance.

    Holm 1979, *A simple sequentially rejective multiple test procedure*.
    """
    measures = list(measures)
    adjusted = holm_adjusted([m.p_value if m.own_significance is None else None for m in measures])
    findings = []
    for measure, p_family in zip(measures, adjusted, strict=True):
        p_value = p_family if measure.own_significance is None else measure.p_value
        verdict = _verdict(measure, p_value, policy)
        advice = {
            Verdict.PASS: "",
            Verdict.INCONCLUSIVE: MORE_PEOPLE,
        }.get(verdict, ADVICE[measure.attack])
        findings.append(Finding(measure, p_value, verdict, advice))
    return findings


def _verdict(measure: Measure, p_value: float | None, policy: PrivacyPolicy) -> Verdict:
    if p_value is not None and p_value < (measure.own_significance or policy.significance):
        return Verdict.FAIL
    if measure.is_within_limit:
        return Verdict.PASS
    return Verdict.REVIEW if measure.is_suspicious else Verdict.INCONCLUSIVE


def overall(findings: Iterable[Finding]) -> Verdict:
    """Give the worst verdict: FAIL, then REVIEW, then INCONCLUSIVE."""
    found = {finding.verdict for finding in findings}
    return next((verdict for verdict in Verdict if verdict in found), Verdict.INCONCLUSIVE)


def holm_adjusted(p_values: list[float | None]) -> list[float | None]:
    """Adjust p-values for their number, by Holm; None, for what is not tested, stays."""
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - rank)))
        adjusted[i] = largest
    return adjusted
