"""Traffic lights of the privacy evaluations: one for each attack on each generator's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.privacy.measure import Attack
from hybrid_assets.privacy.verdict import Finding, Verdict, overall

SYMBOLS = {
    Verdict.FAIL: "✕",
    Verdict.REVIEW: "!",
    Verdict.INCONCLUSIVE: "?",
    Verdict.PASS: "✓",
}
MEANINGS = {
    Verdict.FAIL: "a leak beyond the fail limit, beyond chance: do not release.",
    Verdict.REVIEW: "a sign of something below the fail limit, or a monitor is off: a person "
    "decides and writes down why.",
    Verdict.INCONCLUSIVE: "no sign of a leak, but too few people to rule one out.",
    Verdict.PASS: "the whole interval lies within the pass limit.",
}


@dataclass(frozen=True)
class Light:
    """The gravest verdict of one attack.

    Attributes
    ----------
    verdict : Verdict
    n_alike, n_findings : int
        Findings as grave as that, of all findings of the attack.
    """

    verdict: Verdict
    n_alike: int
    n_findings: int

    @classmethod
    def of(cls, findings: list[Finding]) -> Light:
        """Take the gravest of at least one finding."""
        gravest = overall(findings)
        return cls(gravest, sum(f.verdict is gravest for f in findings), len(findings))


def risk_lights(
    evaluations: Mapping[str, PrivacyEvaluation],
) -> dict[str, dict[str, Light | None]]:
    """Lay out a light for each attack that was made, in a fixed order, and each generator.

    Returns
    -------
    dict of str to dict of str to Light or None
        By attack, then by generator; None where that attack was not made.
    """
    lights: dict[str, dict[str, Light | None]] = {}
    for attack in Attack:
        found = {
            generator: [f for f in evaluation.findings if f.measure.attack is attack]
            for generator, evaluation in evaluations.items()
        }
        if any(found.values()):
            lights[attack.value] = {g: Light.of(f) if f else None for g, f in found.items()}
    return lights


def gravest_first(evaluation: PrivacyEvaluation) -> list[Finding]:
    """Sort the findings of one table by verdict; the order is kept within each."""
    order = list(Verdict)
    return sorted(evaluation.findings, key=lambda finding: order.index(finding.verdict))
