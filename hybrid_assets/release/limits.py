"""What a released table cannot do, said on every card."""

from __future__ import annotations

from typing import Literal

from hybrid_assets.blocks import sampling_note
from hybrid_assets.privacy.ledger import WITHOUT_PRIVACY_NOISE

EFFECT_IS_AN_ESTIMATE = (
    "The effect is the study's own estimate, its error included. Calibration keeps it and cannot "
    "make it true."
)
ONLY_THE_AVERAGE = (
    "Only the average effect is held in place. Effects in subgroups, ratios, and the relations "
    "among covariates are approximations of models; the report of the study says how good."
)
NO_NEW_PEOPLE = (
    "The rows know no more than the people they were learnt from, however many rows there are. "
    "Quote the widened interval, and do not pool the rows with the study's people."
)
SAME_POPULATION = (
    "The effect is that of the study's population. For people with other covariates it is the "
    "wrong number."
)
NOT_ANONYMOUS = (
    "The privacy evaluation is evidence from the attacks that are listed, each against what unseen "
    "people give. It is no proof that nobody can be recognised, and the table is not called "
    "anonymous."
)
CONFOUNDING = (
    "Nobody assigned treatment in the study: the effect rests on the covariates holding every "
    "reason for treatment that also matters for the outcome. What they leave out is in no interval."
)
WITH_TRUTH = (
    "The columns of mean outcomes are the outcome model's own predictions: they tell more of the "
    "study's people than rows without them, and an analysis must not use them as covariates."
)
ROWS_ALONE = (
    "Differential privacy is promised of the synthetic rows alone. This card and the documents "
    "beside it quote figures of the study's people without noise (its effect, overlap, attacks, "
    "gates, counts): who must not learn these is given the rows and not the card."
)
PRIVATE_EFFECT = (
    "Nothing was calibrated to the study's own effect: the rows keep the effect of the private law "
    "that they are drawn from, which is off by what the noise costs. "
) + f"{WITHOUT_PRIVACY_NOISE}."


EFFECTS_OF = "The effects on this card are estimated"
ERRORS_OF_SAMPLE = (
    "the public fold seed draws them, and standard errors, intervals and their widening count the "
    "rows that were drawn."
)

ERRORS_OF_DRAWN = (
    "standard errors and intervals count these, and nothing was learnt from the others but the "
    "kinds, levels, ranges and decimals of columns."
)


def limits(
    design: Literal["trial", "observational"],
    *,
    holds_counterfactuals: bool,
    is_private: bool = False,
    n_rows: int = 0,
    people_drawn: str = "",
) -> tuple[str, ...]:
    """List the limits of a table of so many rows, made from people of whom not all were drawn."""
    sampled = sampling_note(n_rows)
    return (
        EFFECT_IS_AN_ESTIMATE,
        *((CONFOUNDING,) if design == "observational" else ()),
        ONLY_THE_AVERAGE,
        NO_NEW_PEOPLE,
        SAME_POPULATION,
        NOT_ANONYMOUS,
        *((ROWS_ALONE, PRIVATE_EFFECT) if is_private else ()),
        *((WITH_TRUTH,) if holds_counterfactuals else ()),
        *((f"{EFFECTS_OF} {sampled}: {ERRORS_OF_SAMPLE}",) if sampled else ()),
        *((f"The rows rest on {people_drawn}: {ERRORS_OF_DRAWN}",) if people_drawn else ()),
    )
