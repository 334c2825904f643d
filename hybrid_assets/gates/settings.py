"""Thresholds of the checks and gates, and the named people who override a gate."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

Stated = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

CAN_BE_OVERRIDDEN = (
    "table_suite",
    "digit_precision",
    "exact_copies",
    "rare_levels",
    "privacy_verdict",
    "row_budget",
    "effect_kept",
    "calibration_shift",
    "positivity",
)
CANNOT_BE_OVERRIDDEN = ("recipe",)


class Override(BaseModel):
    """A person's decision to release a generator's table although a gate is shut.

    Parameters
    ----------
    gate, generator : str
        Which gate, of whose table.
    person : str
        Who answers for it.
    reason : str
        Printed wherever the gate is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    generator: str
    person: Stated
    reason: Stated

    @field_validator("gate")
    @classmethod
    def _gate_can_be_overridden(cls, value: str) -> str:
        if value in CANNOT_BE_OVERRIDDEN:
            raise ValueError(f"gate {value!r} cannot be overridden: such a table is never released")
        if value not in CAN_BE_OVERRIDDEN:
            raise ValueError(f"unknown gate {value!r}; known: {', '.join(CAN_BE_OVERRIDDEN)}")
        return value


class Gates(BaseModel):
    """Thresholds of the asset checks and of the gates before a release.

    Parameters
    ----------
    max_effect_drift : float
        Largest distance between a hybrid table's exact effect and the seed's
        TMLE, in standard errors of the latter.
    max_calibration_shift : float
        Largest shift of an arm's outcome mean: on the logit scale, or in
        standard deviations of a continuous outcome.
    max_extreme_share : float
        Largest share of rows with a propensity beyond 1/(√n · ln n).
    max_excess_copies : float
        Largest share of synthetic covariate rows that equal a training row,
        beyond the share of holdout rows that do.
    row_budget : float
        Most rows for each training person, over all releases made from the same
        people: what attackers learn grows with the rows. Attacks were measured
        up to 50 (50 000 rows of 1 000 people).
    max_epsilon : float, optional
        Most ε that all fits of the study's `dp` generators may add up to, at
        the δ of the last. By default one fit of each: a further one is refused
        before it looks, whoever or whatever asked for it.
    overrides : tuple of Override
        One for each gate and generator at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_effect_drift: float = Field(default=0.1, gt=0.0)
    max_calibration_shift: float = Field(default=0.15, gt=0.0)
    max_extreme_share: float = Field(default=0.01, ge=0.0, le=1.0)
    max_excess_copies: float = Field(default=0.01, ge=0.0, le=1.0)
    row_budget: float = Field(default=50.0, gt=0.0)
    max_epsilon: float | None = Field(default=None, gt=0.0, le=1000.0)
    overrides: tuple[Override, ...] = ()

    @model_validator(mode="after")
    def _one_override_for_a_gate(self) -> Self:
        places = [(override.gate, override.generator) for override in self.overrides]
        for gate, generator in places:
            if places.count((gate, generator)) > 1:
                raise ValueError(f"gate {gate!r} of {generator!r} is overridden more than once")
        return self

    def override_of(self, gate: str, generator: str) -> Override | None:
        """Find who overrides a gate for a generator's table."""
        place = (gate, generator)
        return next((o for o in self.overrides if (o.gate, o.generator) == place), None)

    def of_generator(self, generator: str) -> Gates:
        """Leave out what is said about other generators."""
        own = tuple(o for o in self.overrides if o.generator == generator)
        return self.model_copy(update={"overrides": own})
