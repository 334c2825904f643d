"""Every gate of one table: a question, the evidence, and what would open it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hybrid_assets.gates.evidence import ReleaseEvidence
from hybrid_assets.gates.report import GateReport, GateResult, GateVerdict
from hybrid_assets.gates.settings import Gates
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.privacy.measure import Attack
from hybrid_assets.privacy.policy import changed_words
from hybrid_assets.privacy.verdict import Verdict
from hybrid_assets.small_cells import told_share


@dataclass(frozen=True)
class Decision:
    """Whether a gate is open, on which evidence, and what opens it."""

    is_open: bool
    evidence: str
    advice: str


def recipe(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether the table was made to be released: no override opens this gate."""
    facts = found.facts
    if facts.label:
        return Decision(False, facts.label, "Run the whole study, with recipe: targeted.")
    return Decision(
        facts.generator_kind != "bootstrap",
        f"generator {facts.generator_kind}, {facts.assignment} assignment, calibrated recipe",
        "The bootstrap hands out real people's covariates: release another generator's table.",
    )


def table_suite(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether columns, row count, types, ranges and levels are the study's, and are data."""
    broken, formulas = ", ".join(found.broken_rules), ", ".join(found.formula_columns)
    if formulas and not broken:
        return Decision(
            False,
            f"text that a spreadsheet runs as a formula: {formulas}",
            "synthetic.csv holds the same values as synthetic.parquet, so nothing is quoted away: "
            "rename these levels, or the column, in the seed (no leading =, +, -, @ or control).",
        )
    return Decision(
        not broken,
        f"rules broken: {broken}" if broken else "every rule on columns and values is met",
        "Look at these checks of the hybrid table; materialize the study again.",
    )


def digit_precision(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether every continuous column shows no more digits than it declares."""
    beyond = {name: n for name, n in found.cells_beyond.items() if n}
    return Decision(
        not beyond,
        "cells beyond the declared digits, before rounding: "
        + (", ".join(f"{name} {n}" for name, n in beyond.items()) or "none"),
        "Declare decimals for these columns in the study file (two are usually enough) and run the "
        "study again: what was attacked is not what would leave.",
    )


def exact_copies(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether rows equal training people no more often than unseen people do."""
    copies = found.copies
    by_chance = copies.n_holdout_copies_in_train / copies.n_holdout
    return Decision(
        copies.excess_copy_share <= settings.max_excess_copies,
        f"{_percent(copies.n_copies_in_train / copies.n_synthetic)} of the rows have a training "
        "person's covariates, as have "
        f"{_percent(told_share(by_chance, copies.n_holdout))} of unseen people; limit "
        f"{_percent(settings.max_excess_copies)} more",
        "Use a generator that does not draw seed values, or fewer decimals; for categorical tables "
        "coarsen levels.",
    )


def rare_levels(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether no level is shown that only a few training people have."""
    shown = {
        f.measure.target: int(f.measure.value)
        for f in found.privacy.findings
        if f.measure.attack is Attack.RARE_LEVELS and f.measure.value > 0
    }
    few = found.privacy.policy.rare_people
    if not found.privacy.findings:
        return Decision(False, "not evaluated: no attack was made", "Too few people or rows.")
    return Decision(
        not shown,
        f"levels shown that fewer than {few} training people have: "
        + (", ".join(f"{name} {n}" for name, n in shown.items()) or "none")
        + (
            f"; {changed}"
            if (changed := changed_words(found.privacy.policy, ["rare_people"]))
            else ""
        ),
        "Group these levels in the seed before fitting.",
    )


def privacy_verdict(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether no attack tells of training people what it does not tell of others."""
    privacy, unseen = found.privacy, ", ".join(found.columns_not_attacked)
    unasked = ", ".join(found.columns_not_guessed)
    counts = Counter(finding.verdict for finding in privacy.findings)
    words = ", ".join(f"{counts[v]} {v.value}" for v in Verdict if counts[v]) or "no attack made"
    return Decision(
        privacy.verdict is Verdict.PASS and not unseen,
        f"{privacy.verdict.value} under policy {privacy.policy.name}: {words}; "
        f"{privacy.n_holdout} unseen people; label audit {found.label_audit}"
        + (f"; nobody tried to guess {unasked} (not called sensitive)" if unasked else "")
        + (f"; not attacked: {unseen}" if unseen else ""),
        COUNTERFACTUALS if unseen else _privacy_advice(privacy),
    )


COUNTERFACTUALS = (
    "Means without noise tell of people's outcomes what many rows would: leave them out "
    "(release: include_counterfactuals: false), or have a person answer for them."
)


def _privacy_advice(privacy: PrivacyEvaluation) -> str:
    """Repeat the advice on the worst findings, once for each attack; the first three."""
    worst = [f for f in privacy.findings if f.verdict is privacy.verdict]
    said = privacy.no_pass_because | {f.measure.attack.value: f.advice for f in worst if f.advice}
    first = [f"{word}: {advice}" for word, advice in list(said.items())[:3]]
    return " ".join([*first, "All findings are in the privacy evaluation."])


def row_budget(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether few enough rows leave, all releases of the same people taken together."""
    facts = found.facts
    budget = settings.row_budget * facts.n_members
    return Decision(
        facts.n_rows + facts.n_rows_released_before <= budget,
        f"{facts.n_rows:,} rows and {facts.n_rows_released_before:,} released before; budget "
        f"{budget:,.0f}, {settings.row_budget:g} for each of {facts.n_members:,} training people",
        "Release fewer rows (n_synthetic): what attackers learn grows with them.",
    )


def effect_kept(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether the table's exact effect is the seed's TMLE."""
    facts, drift = found.facts, round(found.facts.drift, 4)
    return Decision(
        facts.drift <= settings.max_effect_drift,
        f"effect {facts.psi_exact:.6g}, seed's TMLE {facts.seed_estimate:.6g}: {drift:g} "
        f"standard errors apart; limit {settings.max_effect_drift:g}",
        "Materialize the study again with recipe: targeted; its calibration keeps the effect."
        if facts.privacy_loss is None
        else MOVED_BY_NOISE,
    )


MOVED_BY_NOISE = (
    "The noise of differential privacy moved the effect. Take a larger ε or more people, or state "
    "what is good enough (gates: max_effect_drift). Do not fit again and again until one fits: "
    "each fit spends anew, and the choice among them is covered by no ε."
)


def calibration_shift(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether the outcome model had to be moved little to keep the effect."""
    shift, limit = found.calibration_shift, settings.max_calibration_shift
    return Decision(
        shift is not None and shift <= limit,
        "not calibrated" if shift is None else f"largest shift {shift:.3g}; limit {limit:g}",
        "The covariate law or the outcome model is poor: train the generator longer, use another, "
        "or a richer outcome library.",
    )


def positivity(found: ReleaseEvidence, settings: Gates) -> Decision:
    """Ask whether few people's treatment was all but certain."""
    return Decision(
        found.extreme_share <= settings.max_extreme_share,
        f"share of people with an extreme propensity {_percent(found.facts.extreme_share)}; limit "
        f"{_percent(settings.max_extreme_share)}",
        "The effect rests on extrapolation there: restrict the study's population, or set pairing "
        "with a donor study.",
    )


Gate = Callable[[ReleaseEvidence, Gates], Decision]
GATES: Mapping[str, Gate] = {
    gate.__name__: gate
    for gate in (
        recipe,
        table_suite,
        digit_precision,
        exact_copies,
        rare_levels,
        privacy_verdict,
        row_budget,
        effect_kept,
        calibration_shift,
        positivity,
    )
}
THRESHOLDS: Mapping[str, tuple[str, ...]] = {
    "exact_copies": ("max_excess_copies",),
    "row_budget": ("row_budget",),
    "effect_kept": ("max_effect_drift",),
    "calibration_shift": ("max_calibration_shift",),
    "positivity": ("max_extreme_share",),
}
GATE_MEANINGS = {name: str(gate.__doc__) for name, gate in GATES.items()}


def evaluate_gates(
    study: str, generator: str, found: ReleaseEvidence, settings: Gates
) -> GateReport:
    """Evaluate every gate of a generator's table.

    Parameters
    ----------
    study, generator : str
        Names.
    found : ReleaseEvidence
    settings : Gates
        Thresholds and overrides.
    """
    results = []
    for name, gate in GATES.items():
        decision = gate(found, settings)
        changed = changed_words(settings, THRESHOLDS.get(name, ()))
        override = settings.override_of(name, generator)
        by_person = GateVerdict.SHUT if override is None else GateVerdict.OVERRIDDEN
        results.append(
            GateResult(
                name=name,
                verdict=GateVerdict.OPEN if decision.is_open else by_person,
                evidence=f"{decision.evidence}; {changed}" if changed else decision.evidence,
                advice="" if decision.is_open else decision.advice,
                override=override,
            )
        )
    own = settings.of_generator(generator)
    return GateReport(study, generator, found.facts, own, tuple(results))


def _percent(share: float | str) -> str:
    return share if isinstance(share, str) else f"{100 * share:.3g} %"
