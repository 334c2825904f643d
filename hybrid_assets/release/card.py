"""The card of a release, as data: its page and its other documents say this and nothing else."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hybrid_assets.approval import Approval
from hybrid_assets.gates import GateReport
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.release.dictionary import DictionaryColumn
from hybrid_assets.release.table_effects import AnalysisPlan, MeasuredCoverage, TableEffect

SCHEMA_VERSION: Literal["1"] = "1"
OF_ONE_RELEASE = {"number", "released_on", "approval", "audit_head"}


class Part(BaseModel):
    """Frozen, strict about its keys; NaN and infinity are kept as words."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class SeedEffect(Part):
    """The study's own estimate: TMLE of the average treatment effect.

    Attributes
    ----------
    estimate, standard_error, ci_low, ci_high : float
        In units of the outcome; 95 % interval.
    n_people : int
        People it was estimated from.
    clipped_share : float or None
        Share of people whose propensity was bounded; None where it would tell
        of fewer than ten.
    ess_treated, ess_control : float
        Effective numbers of people in each arm.
    """

    estimate: float
    standard_error: float
    ci_low: float
    ci_high: float
    n_people: int
    clipped_share: float | None
    ess_treated: float
    ess_control: float


class EffectFidelity(Part):
    """The effect in the study, in the population of the table, and in the table's rows.

    Attributes
    ----------
    seed : SeedEffect
    exact : float
        Of the population that the rows are drawn from, by construction.
    drift_in_standard_errors : float
        Distance of `exact` to the seed's estimate.
    inference_factor : float
        √(1 + rows / people).
    plan : AnalysisPlan
        How `estimates` were made.
    estimates : tuple of TableEffect
    measured_coverage : tuple of MeasuredCoverage
        What the factor is worth where the truth is known.
    """

    seed: SeedEffect
    exact: float
    drift_in_standard_errors: float
    inference_factor: float
    plan: AnalysisPlan
    estimates: tuple[TableEffect, ...]
    measured_coverage: tuple[MeasuredCoverage, ...]


class Origin(Part):
    """Where the table came from, without what would tell of the seed.

    Attributes
    ----------
    candidate : str
        SHA-256 data version of the released table.
    seed_table, study_settings : str
        HMACs under a key that stays with the study.
    code_version : str
    """

    candidate: str
    seed_table: str
    study_settings: str
    code_version: str


class AuditHead(Part):
    """End of the study's audit log just before the release: what is cut off later is missed.

    Attributes
    ----------
    n_entries : int
    entry_hash : str
    snapshot : int or None
        Of the warehouse, if it keeps earlier ones.
    """

    n_entries: int
    entry_hash: str
    snapshot: int | None = None


class ReleaseCard(Part):
    """Everything the card of a release says.

    Attributes
    ----------
    schema_version : str
    study, title, description, generator : str
    number : int
        Of the release.
    released_on : date
    n_rows : int
    design : {"trial", "observational"}
        How people came by their treatment.
    assignment : {"observed", "randomised"}
        How the rows came by theirs.
    columns : tuple of DictionaryColumn
    effect : EffectFidelity
    privacy : PrivacyEvaluation
    gates : GateReport
    approval : Approval
    limits : tuple of str
    settings : dict
        See `public_settings`.
    origin : Origin
    audit_head : AuditHead
    """

    schema_version: Literal["1"] = SCHEMA_VERSION
    study: str
    title: str
    description: str
    generator: str
    number: int
    released_on: date
    n_rows: int
    design: Literal["trial", "observational"]
    assignment: Literal["observed", "randomised"]
    columns: tuple[DictionaryColumn, ...]
    effect: EffectFidelity
    privacy: PrivacyEvaluation
    gates: GateReport
    approval: Approval
    limits: tuple[str, ...]
    settings: dict[str, Any]
    origin: Origin
    audit_head: AuditHead

    @property
    def name(self) -> str:
        """Such as ``nhefs/cart/0001``."""
        return f"{self.study}/{self.generator}/{self.number:04d}"

    @property
    def holds_counterfactuals(self) -> bool:
        """Whether the truth of each row is among the columns."""
        return any(column.role == "counterfactual mean" for column in self.columns)

    @property
    def numbers_sha256(self) -> str:
        """Digest of all that does not change when the same table is released again."""
        content = self.model_dump_json(exclude=OF_ONE_RELEASE)
        return hashlib.sha256(content.encode()).hexdigest()

    def to_json(self) -> bytes:
        """Write ``card.json``."""
        return (self.model_dump_json(indent=1) + "\n").encode()
