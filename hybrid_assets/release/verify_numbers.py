"""Hold the figures of a card against each other and against the rows."""

from __future__ import annotations

from collections.abc import Iterator

from hybrid_assets.blocks import mean_of
from hybrid_assets.errors import EstimationError
from hybrid_assets.estimators.inference import inference_factor
from hybrid_assets.fidelity.drift import effect_drift
from hybrid_assets.privacy.verdict import Verdict, overall
from hybrid_assets.release.card import EffectFidelity, ReleaseCard
from hybrid_assets.release.dictionary import COUNTERFACTUAL_MEANS, released_schema
from hybrid_assets.release.table_effects import TableEffect, table_effects
from hybrid_assets.release.table_files import ParquetRows

TOLERANCE = 1e-3  # of a standard error: other processors and libraries round otherwise
EXACT = 1e-9


def card_faults(card: ReleaseCard) -> Iterator[str]:
    """Say where the card contradicts itself."""
    facts, effect, privacy = card.gates.facts, card.effect, card.privacy
    seed = effect.seed
    agree: dict[str, tuple[str, ...] | tuple[float, ...]] = {
        "study": (card.study, card.settings["name"], card.gates.study, card.approval.study),
        "title": (card.title, card.settings["title"]),
        "description": (card.description, card.settings["description"]),
        "generator": (card.generator, card.gates.generator, card.approval.generator),
        "assignment": (card.assignment, facts.assignment),
        "rows": (card.n_rows, facts.n_rows, privacy.n_synthetic),
        "exact effect": (effect.exact, facts.psi_exact),
        "study's effect": (seed.estimate, facts.seed_estimate),
        "its standard error": (seed.standard_error, facts.seed_standard_error),
        "people": (seed.n_people, effect.plan.n_people, facts.n_seed),
        "factor": (effect.inference_factor, inference_factor(card.n_rows, seed.n_people)),
        "drift": (
            effect.drift_in_standard_errors,
            effect_drift(effect.exact, seed.estimate, seed.standard_error),
        ),
        "privacy verdict": (privacy.verdict.value, facts.privacy_verdict),
    }
    yield from (f"{name}: the card contradicts itself" for name, v in agree.items() if _differ(v))
    worst = overall(privacy.findings)
    no_pass = worst is Verdict.PASS and privacy.no_pass_because
    follows = Verdict.INCONCLUSIVE if no_pass else worst
    if privacy.verdict is not follows:
        yield "privacy verdict: does not follow from the findings"


def _differ(values: tuple[str, ...] | tuple[float, ...]) -> bool:
    first, *others = values
    if isinstance(first, str):
        return any(first != other for other in others)
    return any(abs(first - float(other)) > EXACT * max(1.0, abs(first)) for other in others)


def effect_faults(card: ReleaseCard, rows: ParquetRows) -> Iterator[str]:
    """Say which effects of the card the rows do not give.

    Estimates are made again as the card says they were; where the columns of
    mean outcomes are there, so is the exact effect.
    """
    effect = card.effect
    if card.holds_counterfactuals:
        control, treated = (
            mean_of(block[name].to_numpy() for block in rows) for name in COUNTERFACTUAL_MEANS
        )
        digits = [each.decimals for each in card.columns if each.name in COUNTERFACTUAL_MEANS]
        rounding = 10.0 ** -min(12 if each is None else each for each in digits)
        if abs(effect.exact - (treated - control)) > rounding:
            yield "exact effect: the columns of mean outcomes give another one"
    try:
        frames = (block.to_pandas() for block in rows)
        schema = released_schema(card.columns, card.study)
        again = table_effects(frames, len(rows), schema, effect.plan)
    except (EstimationError, KeyError) as refusal:
        yield f"the effect cannot be estimated from the rows: {refusal}"
        return
    yield from _estimate_faults(effect, again)


def _estimate_faults(effect: EffectFidelity, again: tuple[TableEffect, ...]) -> Iterator[str]:
    if [each.estimator for each in again] != [each.estimator for each in effect.estimates]:
        yield "estimators: others than the plan has"
        return
    for stated, found in zip(effect.estimates, again, strict=True):
        near = TOLERANCE * found.standard_error
        pairs = zip(_figures(stated), _figures(found), strict=True)
        if not all(abs(one - other) <= near for one, other in pairs):
            yield f"{stated.estimator}: {stated.estimate:.6g}; the rows give {found.estimate:.6g}"


def _figures(effect: TableEffect) -> list[float]:
    return [value for value in effect.model_dump().values() if isinstance(value, float)]
