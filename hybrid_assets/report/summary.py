"""What a study's report says, as data: every view of it shows these and no other numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hybrid_assets.fidelity import EffectDiagnosis, PredictiveScore
from hybrid_assets.privacy.dcr import DcrEvaluation
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.privacy.verdict import Verdict

TableKind = Literal["seed", "hybrid", "full synthetic", "paired"]


@dataclass(frozen=True)
class EffectInterval:
    """One estimator's answer on one table, with 95 % intervals.

    Attributes
    ----------
    estimate : float
    ci_low, ci_high : float
        As if every row were a person.
    ci_low_adjusted, ci_high_adjusted : float or None
        With the standard error times √(1 + n_synthetic / n_seed); None for the
        seed, whose rows are people.
    """

    estimate: float
    ci_low: float
    ci_high: float
    ci_low_adjusted: float | None = None
    ci_high_adjusted: float | None = None


@dataclass(frozen=True)
class ComparisonRow:
    """One table of the study beside the others.

    Attributes
    ----------
    table : str
        What to call it, e.g. "gan hybrid".
    kind : {"seed", "hybrid", "full synthetic", "paired"}
    n_rows : int
    estimates : mapping of str to EffectInterval
        By the estimator's word.
    generator : str or None
        None for the seed.
    predictive_score : PredictiveScore or None
    psi_exact : float or None
        The effect that a hybrid table has by construction.
    difference_to_truth : float or None
        Of the study's main estimate, where the truth is known.
    difference_to_seed_in_se : float or None
        Distance of the main estimate (of `psi_exact`, for a hybrid table) to
        the seed's, in the seed's standard errors.
    dcr : DcrEvaluation or None
        Over the covariates for a hybrid table, over all columns otherwise.
    interval_note : str
        What the reader of this table's intervals must know; mostly empty.
    diagnosis : EffectDiagnosis or None
        Where a synthetic table's effect went.
    privacy_verdict : Verdict or None
        None for a table that is not attacked.
    """

    table: str
    kind: TableKind
    n_rows: int
    estimates: Mapping[str, EffectInterval]
    generator: str | None = None
    predictive_score: PredictiveScore | None = None
    psi_exact: float | None = None
    difference_to_truth: float | None = None
    difference_to_seed_in_se: float | None = None
    dcr: DcrEvaluation | None = None
    interval_note: str = ""
    diagnosis: EffectDiagnosis | None = None
    privacy_verdict: Verdict | None = None


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes
    ----------
    title, caption : str
        The caption says how to read it, and stands in for it where it cannot
        be seen.
    png : bytes
    """

    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class CheckResult:
    """One asset check.

    Attributes
    ----------
    name, explanation : str
    passed : bool
    severity : {"blocking", "error", "warning"}
        A failed blocking check stops a release.
    """

    name: str
    passed: bool
    severity: Literal["blocking", "error", "warning"]
    explanation: str


@dataclass(frozen=True)
class MadeFrom:
    """One thing that the report was made from, as the audit log has it.

    Attributes
    ----------
    asset : str
    kind : {"table", "files", "model"}
        Files are those that an asset keeps beside its table.
    n_rows : int or None
        Of a table.
    version : str
        Of its content: a keyed hash, since a plain one of people's rows would confirm guesses.
    code_version, user : str
        Which code made it, and who ran it.
    made_at : str
        Date and time, UTC.
    """

    asset: str
    kind: Literal["table", "files", "model"]
    n_rows: int | None
    version: str
    code_version: str
    user: str
    made_at: str


@dataclass(frozen=True)
class ReportSummary:
    """Everything a study's report says.

    Attributes
    ----------
    study, title, description : str
    design : {"trial", "observational"}
        How people came by their treatment.
    assignment : {"observed", "randomised"}
        How hybrid rows came by theirs.
    n_rows, n_holdout, n_synthetic : int
        People whose effect is estimated, people set aside before any generator
        was fitted, and rows of each synthetic table.
    main_estimator : str
        Whose estimates the differences are about.
    study_hash : str
    random_seed : int
    rows : tuple of ComparisonRow
        The seed first.
    true_effect, true_effect_se : float or None
        Where a simulation knows it, with its Monte-Carlo error.
    pictures : tuple of Picture
    notes : tuple of str
        What the reader must not miss.
    checks : tuple of CheckResult
    risks : mapping of str to PrivacyEvaluation
        Of the hybrid tables, by generator; the label audit among the findings
        where it was made.
    label_audits : mapping of str to str
        By generator: how its label audit stands, in words.
    made_from : tuple of MadeFrom
        What the page was made from, the seed first.
    label : str
        Marks the whole page, e.g. as not for release; mostly empty.
    """

    study: str
    title: str
    description: str
    design: Literal["trial", "observational"]
    assignment: Literal["observed", "randomised"]
    n_rows: int
    n_holdout: int
    n_synthetic: int
    study_hash: str
    random_seed: int
    rows: tuple[ComparisonRow, ...]
    main_estimator: str = "tmle"
    true_effect: float | None = None
    true_effect_se: float | None = None
    pictures: tuple[Picture, ...] = field(default=())
    notes: tuple[str, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    risks: Mapping[str, PrivacyEvaluation] = field(default_factory=dict)
    label_audits: Mapping[str, str] = field(default_factory=dict)
    made_from: tuple[MadeFrom, ...] = ()
    label: str = ""

    @property
    def code_versions(self) -> list[str]:
        """Versions of the code that made the page's sources, each once."""
        return list(dict.fromkeys(source.code_version for source in self.made_from))

    @property
    def interval_notes(self) -> list[str]:
        """Warnings about intervals, each once."""
        return list(dict.fromkeys(row.interval_note for row in self.rows if row.interval_note))

    @property
    def no_pass_because(self) -> list[str]:
        """Why tables cannot pass the privacy evaluation, where they cannot; each reason once."""
        told = (risk.no_pass_because.values() for risk in self.risks.values())
        return list(dict.fromkeys(reason for each in told for reason in each))

    @property
    def estimators(self) -> list[str]:
        """Words of the estimators used on any table, in order of appearance."""
        return list(dict.fromkeys(word for row in self.rows for word in row.estimates))
