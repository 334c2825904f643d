"""What a study states about its estimator benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hybrid_assets.nuisance.settings import NuisanceSettings

AS_FITTED = "as fitted"
NO_EFFECT = "no effect"
FIRST_SIZE = 250
MIN_ROWS = 50


class Dials(BaseModel):
    """One departure from the population as fitted; its true effect is recomputed.

    Parameters
    ----------
    overlap : float
        Factor on the logit of the propensity: above 1, overlap gets worse.
        Not for a randomised population.
    effect_shift : float
        Added to the average effect, in units of the outcome (a difference of
        probabilities for a binary one).
    heterogeneity : float, >= 0
        Factor on each row's effect around the average effect, the shift
        included; 0 for the same effect in every row (of a binary outcome:
        before a hidden confounder, which works on the logit scale).
    null_effect : bool
        The twin without effect, so that power is the type-1 error: both arms
        have the means E[Y | W]. The means agree; the noise of a continuous
        outcome stays each arm's.
    confounding_treatment, confounding_outcome : float
        Of a hidden fair coin: log odds ratio for treatment, and for a binary
        outcome; for a continuous outcome in standard deviations of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap: float = Field(default=1.0, ge=0.0, le=20.0)
    effect_shift: float = Field(default=0.0, allow_inf_nan=False)
    heterogeneity: float = Field(default=1.0, ge=0.0, le=20.0)
    null_effect: bool = False
    confounding_treatment: float = Field(default=0.0, ge=-10.0, le=10.0)
    confounding_outcome: float = Field(default=0.0, ge=-10.0, le=10.0)

    @model_validator(mode="after")
    def _null_effect_is_alone(self) -> Self:
        if self.null_effect and (self.effect_shift != 0.0 or self.heterogeneity != 1.0):
            raise ValueError("null_effect leaves nothing to shift or to make heterogeneous")
        return self

    @property
    def label(self) -> str:
        """Say what was turned, in the words of a table; "as fitted" if nothing was."""
        turned = [
            (self.null_effect, NO_EFFECT),
            (self.overlap != 1.0, f"overlap × {self.overlap:g}"),
            (self.effect_shift != 0.0, f"effect {self.effect_shift:+g}"),
            (self.heterogeneity != 1.0, f"heterogeneity × {self.heterogeneity:g}"),
            (
                self.confounding_treatment != 0.0 or self.confounding_outcome != 0.0,
                f"hidden confounder ({self.confounding_treatment:+g} on treatment, "
                f"{self.confounding_outcome:+g} on outcome)",
            ),
        ]
        return ", ".join(words for is_turned, words in turned if is_turned) or AS_FITTED


def null_twin(label: str) -> str:
    """Give the label of the twin without effect whose other dials are those of `label`."""
    if label.startswith(NO_EFFECT):
        return label
    return NO_EFFECT if label == AS_FITTED else f"{NO_EFFECT}, {label}"


class BenchmarkSettings(BaseModel):
    """A simulation of the estimators on a population whose effect is known.

    Parameters
    ----------
    n_replicates : int
        Fresh tables for each sample size and scenario.
    sample_sizes : tuple of int, optional
        By default 250, doubled up to the seed's number of rows.
    dials : tuple of Dials
        Scenarios, told apart by their labels; by default as fitted, and the
        twin without effect.
    published_protocol : bool
        Also do as published, so labelled: 100 subsamples of 1000 rows from one
        pool of 50 000, held against the pool's own estimate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_replicates: int = Field(default=500, ge=2, le=100_000)
    sample_sizes: tuple[int, ...] | None = None
    dials: tuple[Dials, ...] = (Dials(), Dials(null_effect=True))
    published_protocol: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("sample_sizes", "dials"):
            values = getattr(self, name)
            if values is not None and (not values or len(set(values)) != len(values)):
                raise ValueError(f"{name} must name one or more, each once")
        labels = [dials.label for dials in self.dials]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(
                    f"dials: expected labels that differ (six digits); got {label!r} twice"
                )
        if self.sample_sizes is not None and min(self.sample_sizes) < MIN_ROWS:
            raise ValueError(f"sample_sizes start at {MIN_ROWS}; got {min(self.sample_sizes)}")
        return self

    def sizes(self, n_seed: int) -> tuple[int, ...]:
        """Give the sample sizes: those set, or 250, 500, … and the seed's `n_seed` rows."""
        if self.sample_sizes is not None:
            return tuple(sorted(self.sample_sizes))
        sizes, size = [], FIRST_SIZE
        while size < n_seed:
            sizes.append(size)
            size *= 2
        return (*sizes, n_seed)


@dataclass(frozen=True)
class Analysis:
    """The nuisances of one replicate's analysis, with one fold draw.

    Attributes
    ----------
    propensity_library, outcome_library : tuple of str
        Learners, cross-fitted and stacked.
    n_folds : int
    """

    propensity_library: tuple[str, ...]
    outcome_library: tuple[str, ...]
    n_folds: int = 5

    @classmethod
    def of(cls, nuisance: NuisanceSettings) -> Self:
        """Take a study's own libraries and folds."""
        return cls(nuisance.propensity_library, nuisance.outcome_library, nuisance.n_folds)
