"""One number an attack gives, with its interval and what unseen people give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NORMAL_95 = 1.959964


class Attack(StrEnum):
    """What an attacker tries, in the words of the risk table."""

    COPIES = "exact copies"
    DIGIT_PRECISION = "digits beyond the declared"
    DIGIT_REPLAY = "digit replay"
    MEMBERSHIP_DISTANCE = "membership by distance"
    MEMBERSHIP_DENSITY = "membership by density ratio"
    MEMBERSHIP_LIKELIHOOD = "membership by the generator's likelihood"
    MEMBERSHIP_TAIL = "membership of a few, true positives at 1 % false"
    INFERENCE = "attribute inference"
    SPIKES = "near-copies of a few people"
    SINGLING_OUT = "singling out"
    LINKABILITY = "linkability"
    DCR_SHARE = "DCR share"
    RARE_LEVELS = "rare levels shown"
    LABEL_AUDIT = "planted coin-flip outcomes"


@dataclass(frozen=True)
class Measure:
    """What one attack found about one target.

    Attributes
    ----------
    attack : Attack
    target : str
        Columns attacked: ``"W"``, ``"W, A, Y"`` or a column's name.
    statistic : str
        What `value` is.
    value, ci_low, ci_high : float
        With its 95 % interval; a count has itself as interval.
    reference : float
        What non-members give, or what chance gives.
    p_value : float or None
        One-sided, of no leak beyond the fail limit; None if it cannot fail.
    is_within_limit : bool
        The interval is within the pass limit.
    is_suspicious : bool
        The interval is beyond what chance gives.
    own_significance : float or None
        What `p_value` is compared with where the measure is not of the family.
    """

    attack: Attack
    target: str
    statistic: str
    value: float
    reference: float
    ci_low: float
    ci_high: float
    p_value: float | None
    is_within_limit: bool
    is_suspicious: bool
    own_significance: float | None = None


@dataclass(frozen=True)
class Limits:
    """What chance gives, what fails and what passes."""

    chance: float
    fail_above: float
    pass_below: float


def normal_measure(
    attack: Attack,
    target: str,
    statistic: str,
    *,
    found: tuple[float, float, float],
    limits: Limits,
) -> Measure:
    """Judge an estimate that is about normal.

    Parameters
    ----------
    found : tuple of float
        Estimate, standard error (0 if every person scores alike), reference.
    """
    from scipy.stats import norm

    value, se, reference = found
    low, high = value - NORMAL_95 * se, value + NORMAL_95 * se
    distance = value - limits.fail_above
    p_value = float(norm.sf(distance / se)) if se > 0 else float(distance <= 0)
    return Measure(
        attack=attack,
        target=target,
        statistic=statistic,
        value=value,
        reference=reference,
        ci_low=low,
        ci_high=high,
        p_value=p_value,
        is_within_limit=high <= limits.pass_below,
        is_suspicious=low > limits.chance,
    )
