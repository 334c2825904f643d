"""A study: what its author states about the table, and what is to be made of it."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from hybrid_assets.benchmark.settings import BenchmarkSettings
from hybrid_assets.declared_columns import require_declared
from hybrid_assets.estimators import (
    DEFAULT_ESTIMATORS,
    ESTIMATORS,
    EffectQuestions,
    EstimandWord,
)
from hybrid_assets.gates.settings import Gates
from hybrid_assets.generators import (
    GENERATORS,
    AnyGeneratorSettings,
    DpSettings,
    UndecidedGeneratorSettings,
)
from hybrid_assets.named_settings import generators_by_name, named_settings
from hybrid_assets.nuisance import (
    ForestSettings,
    NuisanceSettings,
    ParametricSettings,
)
from hybrid_assets.privacy.settings import PrivacySettings
from hybrid_assets.published import PUBLISHED_LABEL, RecipeWord
from hybrid_assets.release.settings import ReleaseSettings
from hybrid_assets.schema import ColumnKind
from hybrid_assets.sensitivity.settings import SensitivitySettings


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] < ends[1]:
        raise ValueError("range: expected the lower end first")
    return ends


MissingPolicy = Literal["refuse", "drop_rows", "category", "impute"]
TWO_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
NumberRange = Annotated[
    tuple[FiniteFloat, FiniteFloat],
    AfterValidator(_ascending),
    WithJsonSchema(TWO_NUMBERS),  # Dagster reads no prefixItems
]
StudyName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class Strict(BaseModel):
    """Frozen settings that refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CovariateSettings(Strict):
    """What the author states about one covariate; the rest is inferred from the seed.

    Parameters
    ----------
    kind : ColumnKind, optional
        Measurement scale.
    levels : tuple, optional
        All levels of a categorical or ordinal column; of an ordinal one lowest first.
    range : tuple of float, optional
        Least and greatest number. Values beyond count as the nearer end, in
        everything that is made; nothing says whose they were.
    decimals : int, optional
        Digits after the point that may be shown, 0 to 12.
    missing : {"refuse", "drop_rows", "category", "impute"}, optional
        Overrides the study's policy. ``category`` adds the level "missing"
        (categorical and ordinal columns), ``impute`` fills in the training
        split's median or mode and adds a 0/1 column ``<name>_missing``.
    """

    kind: ColumnKind | None = None
    levels: tuple[StrictInt | StrictStr, ...] | None = None
    range: NumberRange | None = None
    decimals: int | None = Field(default=None, ge=0, le=12)
    missing: MissingPolicy | None = None

    @model_validator(mode="after")
    def _range_belongs_to_numbers(self) -> Self:
        if self.range is None:
            return self
        if self.kind not in (None, ColumnKind.BINARY, ColumnKind.INTEGER, ColumnKind.CONTINUOUS):
            raise ValueError("range is given for numbers only")
        if self.kind is ColumnKind.INTEGER and any(end % 1 for end in self.range):
            raise ValueError("range of kind: integer: expected whole numbers")
        return self

    @model_validator(mode="after")
    def _levels_belong_to_listed_kinds(self) -> Self:
        listed = (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL)
        if self.levels is not None and self.kind not in listed:
            raise ValueError("levels are given for kind: categorical or ordinal only")
        if self.levels is not None and len(set(map(str, self.levels))) < len(self.levels):
            raise ValueError("levels name each level once")
        return self


class TrialDesign(Strict):
    """Treatment was randomised with a known probability."""

    kind: Literal["trial"]
    probability: float = Field(gt=0.0, lt=1.0)


class ObservationalDesign(Strict):
    """Treatment was not assigned by the investigator: the propensity is estimated."""

    kind: Literal["observational"]


AssignmentDesign = Annotated[TrialDesign | ObservationalDesign, Field(discriminator="kind")]


class Study(Strict):
    """Everything about a study but where its rows are.

    Parameters
    ----------
    name : str
        Lower-case word; names assets, tables and folders.
    treatment, outcome : str
        Column names. Treatment is coded 0/1; the outcome is 0/1 or numeric.
    covariates : dict of str to CovariateSettings, optional
        By default every other column of the seed table. A list of names will do.
    identifiers : tuple of str
        Columns that never leave the seed table.
    missing : {"refuse", "drop_rows", "category", "impute"}
        What to do about missing covariates unless a column says otherwise.
    outcome_decimals : int, optional
        Digits of the outcome that may be shown.
    outcome_range : tuple of float, optional
        Least and greatest outcome; values beyond count as the nearer end. With
        it `outcome_decimals` decides the kind: [0, 1] and 0 are a 0/1 outcome,
        other ranges and 0 whole numbers.
    estimators : tuple of str
        How effects are estimated; tmle among them.
    estimands : tuple of {"ate", "att", "atc", "risk_ratio", "odds_ratio"}
        What is estimated; ate among them. Ratios are for a 0/1 outcome.
    subgroups : tuple of str
        Binary, categorical or ordinal covariates; effects are also estimated
        in each of their levels.
    generators : dict of str to settings
        By the name they carry in asset keys; ``kind`` defaults to that name.
    assignment : {"observed", "randomised"}
        How treatment is drawn in the hybrid table: from the propensity model
        (keeps the confounding) or by the design's coin (interventional).
    recipe : {"targeted", "published"}
        ``published`` reproduces the papers: in-sample default forests for every
        nuisance (a trial's probability included), no calibration, bare
        predictions for a continuous outcome. All it makes is labelled.
    reference_model : ParametricSettings, optional
        A book's in-sample parametric nuisances, reported beside the default.
    privacy : PrivacySettings
        Which columns are sensitive, and the policy a reviewer signs.
    gates : Gates
        Thresholds of checks and gates, and who overrides which gate.
    benchmark : BenchmarkSettings
        The simulation that chooses an estimator (``hybrid simulate``).
    sensitivity : SensitivitySettings
        Size of the sensitivity study, which is run when asked for.
    release : ReleaseSettings
        What is said about releases; decides no result.
    """

    name: StudyName
    title: str
    description: str = ""
    treatment: str
    outcome: str
    covariates: Annotated[
        dict[str, CovariateSettings] | None,
        BeforeValidator(
            named_settings,
            json_schema_input_type=dict[str, CovariateSettings | None] | list[str] | None,
        ),
    ] = None
    identifiers: tuple[str, ...] = ()
    missing: MissingPolicy = "refuse"
    outcome_decimals: int | None = Field(default=None, ge=0, le=12)
    outcome_range: NumberRange | None = None
    design: AssignmentDesign
    recipe: RecipeWord = "targeted"
    nuisance: NuisanceSettings = NuisanceSettings()
    reference_model: ParametricSettings | None = None
    estimators: tuple[str, ...] = DEFAULT_ESTIMATORS
    estimands: tuple[EstimandWord, ...] = ("ate",)
    subgroups: tuple[str, ...] = ()
    generators: Annotated[
        dict[str, AnyGeneratorSettings],
        BeforeValidator(
            generators_by_name,
            json_schema_input_type=dict[str, UndecidedGeneratorSettings | None]
            | list[Literal[tuple(GENERATORS)]],
        ),
    ] = Field(min_length=1)
    assignment: Literal["observed", "randomised"] = "observed"
    n_synthetic: int = Field(default=50_000, ge=100, le=100_000_000)
    privacy: PrivacySettings = PrivacySettings()
    gates: Gates = Gates()
    benchmark: BenchmarkSettings = BenchmarkSettings()
    sensitivity: SensitivitySettings = SensitivitySettings()
    release: ReleaseSettings = ReleaseSettings()
    random_seed: int = Field(ge=0, lt=2**63)

    @field_validator("estimators")
    @classmethod
    def _estimators_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [word for word in value if word not in ESTIMATORS]
        if unknown or "tmle" not in value:
            raise ValueError(
                f"estimators must include tmle (the hybrid's target); unknown: {unknown}; "
                f"known: {', '.join(ESTIMATORS)}"
            )
        return value

    @field_validator("estimands")
    @classmethod
    def _estimands_have_the_target(
        cls, value: tuple[EstimandWord, ...]
    ) -> tuple[EstimandWord, ...]:
        if "ate" not in value:
            raise ValueError("estimands must include ate (the hybrid's target)")
        return value

    @field_validator("estimators", "estimands", "subgroups")
    @classmethod
    def _nothing_is_asked_twice(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted({word for word in value if value.count(word) > 1})
        if repeated:
            raise ValueError(f"named more than once: {repeated}")
        return value

    @model_validator(mode="after")
    def _named_columns_are_covariates(self) -> Self:
        roles = {self.treatment, self.outcome, *self.identifiers}
        for name, use in (
            *((name, "subgroup") for name in self.subgroups),
            *((name, "sensitive") for name in self.privacy.sensitive or ()),
        ):
            if name in roles or (self.covariates is not None and name not in self.covariates):
                raise ValueError(
                    f"study {self.name!r}, column {name!r}: expected a covariate as {use}"
                )
        return self

    @model_validator(mode="after")
    def _overrides_are_of_the_studys_generators(self) -> Self:
        for override in self.gates.overrides:
            if override.generator not in self.generators:
                raise ValueError(
                    f"study {self.name!r}: override of gate {override.gate!r}: unknown generator "
                    f"{override.generator!r}; known: {', '.join(self.generators)}"
                )
        return self

    @model_validator(mode="after")
    def _each_column_has_one_role(self) -> Self:
        roles = [self.treatment, self.outcome, *(self.covariates or ()), *self.identifiers]
        repeated = sorted({name for name in roles if roles.count(name) > 1})
        if repeated:
            raise ValueError(
                f"study {self.name!r}, column {repeated[0]!r}: expected one role for each column; "
                "got more than one of treatment, outcome, covariate, identifier"
            )
        if self.covariates is not None and not self.covariates:
            raise ValueError(f"study {self.name!r}: expected at least one covariate; got none")
        return self

    @model_validator(mode="after")
    def _published_recipe_has_its_own_models(self) -> Self:
        if self.recipe == "published" and "nuisance" in self.model_fields_set:
            raise ValueError(
                f"study {self.name!r}: recipe published fits default forests; expected no nuisance"
            )
        if self.recipe == "published" and "benchmark" in self.model_fields_set:
            raise ValueError(
                f"study {self.name!r}: estimators are simulated with cross-fitted nuisances; "
                "recipe published has none; expected no benchmark"
            )
        if self.recipe == "published" and "sensitivity" in self.model_fields_set:
            raise ValueError(
                f"study {self.name!r}: sensitivity is simulated from cross-fitted models; "
                "recipe published has none; expected no sensitivity"
            )
        return self

    @model_validator(mode="after")
    def _dials_fit_the_assignment(self) -> Self:
        if self.assignment == "randomised" and any(d.overlap != 1 for d in self.benchmark.dials):
            raise ValueError(
                f"study {self.name!r}: the dial overlap changes a propensity; expected none with "
                "assignment randomised"
            )
        return self

    @model_validator(mode="after")
    def _private_studies_state_their_columns(self) -> Self:
        if self.promises_privacy:
            require_declared(self)
        return self

    @property
    def promises_privacy(self) -> bool:
        """Whether a generator is differentially private: nothing may be inferred from people."""
        return bool(self.private_generators)

    @property
    def private_generators(self) -> dict[str, DpSettings]:
        """The differentially private generators, by name."""
        return {n: each for n, each in self.generators.items() if isinstance(each, DpSettings)}

    @property
    def outcome_settings(self) -> CovariateSettings:
        """What the author states about the outcome, as of a covariate."""
        kind = None
        if self.outcome_range is not None and self.outcome_decimals is not None:
            kind = ColumnKind.CONTINUOUS if self.outcome_decimals else ColumnKind.INTEGER
            if self.outcome_decimals == 0 and self.outcome_range == (0.0, 1.0):
                kind = ColumnKind.BINARY
        return CovariateSettings(
            kind=kind, range=self.outcome_range, decimals=self.outcome_decimals
        )

    @property
    def label(self) -> str:
        """What everything made by the published recipe is marked with; else empty."""
        return PUBLISHED_LABEL if self.recipe == "published" else ""

    @property
    def nuisance_models(self) -> NuisanceSettings | ForestSettings:
        """What the recipe fits for propensity and outcome."""
        return ForestSettings() if self.recipe == "published" else self.nuisance

    @property
    def design_probability(self) -> float | None:
        """The probability of treatment in a trial."""
        return self.design.probability if isinstance(self.design, TrialDesign) else None

    @property
    def known_propensity(self) -> float | None:
        """The design's probability, or None where it is estimated: always, as published."""
        return self.design_probability if self.recipe == "targeted" else None

    @property
    def questions(self) -> EffectQuestions:
        """Which effects are estimated, how, and for whom."""
        return EffectQuestions(self.estimators, self.estimands, self.subgroups)

    @property
    def content_hash(self) -> str:
        """Sha256 of all settings that decide a table, in canonical JSON.

        Gates decide none: they judge, and what they judged by stands in their report.
        """
        settings = self.model_dump(
            mode="json", exclude={"title", "description", "owners", "release", "gates"}
        )
        document = json.dumps(settings, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(document.encode()).hexdigest()

    def random_generator(self, purpose: str) -> np.random.Generator:
        """Give the random stream of one purpose (an asset), independent of all others."""
        digest = hashlib.sha256(f"{self.name}/{purpose}".encode()).digest()
        words = np.frombuffer(digest, dtype=np.uint32)
        return np.random.default_rng([self.random_seed, *words.tolist()])
