"""What a study author may choose about the nuisance models."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

OutcomeLearner = Literal["linear", "spline", "pairwise", "boosting"]
PropensityLearner = Literal["constant", "linear", "spline", "pairwise", "boosting"]


class NuisanceSettings(BaseModel):
    """Cross-fitted, short-stacked nuisance models (the default).

    Parameters
    ----------
    n_folds : int
        Folds of one cross-fit, stratified by treatment (and a binary outcome).
    n_fold_draws : int, odd
        Cross-fits with fresh folds; estimates are medians over them. One draw
        moves an estimate by about 6 % of its standard error.
    propensity_library : tuple of str
        Learners of P(A = 1 | W). It includes the constant: on a trial the
        constant must be able to win, or the model plants confounding.
    outcome_library : tuple of str
        Learners of E[Y | A, W].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["stacked"] = "stacked"
    n_folds: int = Field(default=5, ge=2, le=20)
    n_fold_draws: int = Field(default=3, ge=1, le=99)
    propensity_library: tuple[PropensityLearner, ...] = (
        "constant",
        "linear",
        "spline",
        "pairwise",
        "boosting",
    )
    outcome_library: tuple[OutcomeLearner, ...] = ("linear", "spline", "pairwise", "boosting")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_fold_draws % 2 == 0:
            raise ValueError("n_fold_draws must be odd, so that one draw is the median")
        for name in ("propensity_library", "outcome_library"):
            words = getattr(self, name)
            if not words or len(set(words)) != len(words):
                raise ValueError(f"{name} must name one or more learners, each once")
        return self


class ParametricSettings(BaseModel):
    """Unpenalised logistic and linear models fitted once, on all rows.

    For studies whose analysis plan fixes the formula: main effects of every
    covariate (one-hot for categories) and what is listed here. The outcome
    model is one regression on treatment and covariates.

    Parameters
    ----------
    squares : tuple of str
        Numeric covariates that also enter squared, in both models.
    treatment_interactions : tuple of str
        Covariates whose product with treatment enters the outcome model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_fold_draws: ClassVar[int] = 1
    propensity_library: ClassVar[tuple[str, ...]] = ("parametric",)
    outcome_library: ClassVar[tuple[str, ...]] = ("parametric",)

    kind: Literal["parametric"] = "parametric"
    squares: tuple[str, ...] = ()
    treatment_interactions: tuple[str, ...] = ()


class ForestSettings(BaseModel):
    """The published recipe: default random forests that predict the rows they were grown on.

    One forest of A on W and one of Y on W and A, propensities within
    [1e-6, 1 - 1e-6]. Kept to reproduce what was published, not to be relied
    on: such forests have memorised the rows, so little confounding is removed
    and intervals are too narrow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_fold_draws: ClassVar[int] = 1
    propensity_library: ClassVar[tuple[str, ...]] = ("forest",)
    outcome_library: ClassVar[tuple[str, ...]] = ("forest",)

    kind: Literal["in-sample forest"] = "in-sample forest"


AnyNuisanceSettings = NuisanceSettings | ParametricSettings | ForestSettings
