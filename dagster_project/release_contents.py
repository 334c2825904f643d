"""What a release holds, gathered from the candidate and the evaluations; nothing confidential."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from dagster_project.asset_run import AssetRun
from dagster_project.assets.release_candidate import SCHEMA_FILE, SEED_FILE
from dagster_project.code_version import science_version
from dagster_project.environment_lock import environment_lock
from dagster_project.gate_results import GATE_FILE
from dagster_project.openlineage import openlineage_events
from dagster_project.privacy_results import EVALUATION_FILE, EVALUATIONS
from dagster_project.privacy_spending import privacy_loss
from dagster_project.private_branch import is_private
from dagster_project.release_permission import (
    candidate_of,
    require_approval,
    require_passed,
    require_present,
    today,
)
from dagster_project.study_file import StudyFile
from hybrid_assets.errors import ReleaseError
from hybrid_assets.estimators.inference import inference_factor
from hybrid_assets.gates import GateReport
from hybrid_assets.privacy.ledger import PrivacyLoss
from hybrid_assets.release.bundle import ENVIRONMENT, GATES, LINEAGE
from hybrid_assets.release.card import AuditHead, EffectFidelity, Origin, ReleaseCard, SeedEffect
from hybrid_assets.release.dictionary import DictionaryColumn, data_dictionary, released_schema
from hybrid_assets.release.limits import limits
from hybrid_assets.release.measured_coverage import MEASURED_COVERAGE
from hybrid_assets.release.public_settings import public_settings
from hybrid_assets.release.table_effects import AnalysisPlan, table_effects
from hybrid_assets.schema import TableSchema
from warehouse import KeyedHash, TableBlocks, Trace

SEED: Final = "seed_table"


@dataclass(frozen=True, eq=False, repr=False)
class ReleaseContents:
    """Everything of a release but its number.

    Attributes
    ----------
    rows : TableBlocks
        Those that leave.
    draft : ReleaseCard
        Numbered 0, before any audit log.
    others : dict of str to bytes
        Files that are not written from the card.
    n_entries : int
        Of the audit log when the release was begun: what was checked holds while there are no more.
    """

    rows: TableBlocks
    draft: ReleaseCard
    others: dict[str, bytes]
    n_entries: int


def release_contents(run: AssetRun) -> ReleaseContents:
    """Gather a generator's release.

    Raises
    ------
    ReleaseError
        If it may not leave: see `release_permission`.
    """
    n_entries = len(run.audit_trail.entries())
    candidate, generator, study = candidate_of(run.generator), run.generator, run.study
    gates, origin, approval = require_passed(run), require_present(run), require_approval(run)
    require_same_loss(study.name, gates.facts.privacy_loss, privacy_loss(run))
    rows, files = run.stored(candidate), run.files(candidate)
    schema = TableSchema.model_validate_json(files[SCHEMA_FILE])
    columns = data_dictionary(_frames(rows), schema, study.release.descriptions)
    told = fingerprint(run)
    draft = ReleaseCard(
        study=study.name,
        title=study.title,
        description=study.description,
        generator=generator,
        number=0,
        released_on=today(),
        n_rows=rows.n_rows,
        design=study.design.kind,
        assignment=study.assignment,
        columns=columns,
        effect=_effect(study, json.loads(files[SEED_FILE]), rows, columns, gates),
        privacy=EVALUATIONS.validate_json(files[EVALUATION_FILE]),
        gates=gates,
        approval=approval,
        limits=limits(
            study.design.kind,
            holds_counterfactuals=study.release.include_counterfactuals,
            is_private=is_private(study, generator),
            n_rows=rows.n_rows,
            people_drawn=run.people_drawn(),
        ),
        settings=public_settings(study, generator),
        origin=_origin(origin, told),
        audit_head=AuditHead(n_entries=0, entry_hash=""),
    )
    events = openlineage_events(run.storage, study, candidate, fingerprint=told)
    lines = [json.dumps(event, sort_keys=True, ensure_ascii=False) for event in events]
    others = {
        GATES: files[GATE_FILE],
        ENVIRONMENT: environment_lock(),
        LINEAGE: "\n".join([*lines, ""]).encode(),
    }
    return ReleaseContents(rows, draft, others, n_entries)


def require_same_loss(study: str, told: PrivacyLoss | None, now: PrivacyLoss | None) -> None:
    """Refuse a card that would tell another loss than the ledger, be it more or less.

    Raises
    ------
    ReleaseError
    """
    if now is not None and (told is None or now.rho != told.rho):
        raise ReleaseError(
            f"study {study!r}: expected the privacy loss that the candidate tells; got another, "
            f"{now.claim}: hybrid release makes the candidate again"
        )


def fingerprint(run: AssetRun) -> Callable[[str], str]:
    """Give what may be told of a confidential hash: an HMAC under the home's own key."""
    key = KeyedHash(run.storage.path)
    return lambda version: key.of("data version", version)


def _effect(
    study: StudyFile,
    seed: dict[str, Any],
    rows: TableBlocks,
    columns: tuple[DictionaryColumn, ...],
    gates: GateReport,
) -> EffectFidelity:
    """Set the study's estimate, the exact effect and what the rows give side by side."""
    facts = gates.facts
    plan = AnalysisPlan(
        nuisance=study.nuisance,
        known_propensity=facts.treated_probability,
        n_people=facts.n_seed,
    )
    rounded = ("ci_low", "ci_high", "clipped_share", "ess_treated", "ess_control")
    return EffectFidelity(
        seed=SeedEffect(
            estimate=facts.seed_estimate,
            standard_error=facts.seed_standard_error,
            n_people=facts.n_seed,
            **{name: seed[name] for name in rounded},
        ),
        exact=facts.psi_exact,
        drift_in_standard_errors=facts.drift,
        inference_factor=inference_factor(rows.n_rows, plan.n_people),
        plan=plan,
        estimates=table_effects(
            _frames(rows), rows.n_rows, released_schema(columns, study.name), plan
        ),
        measured_coverage=MEASURED_COVERAGE,
    )


def _frames(rows: TableBlocks) -> Iterator[pd.DataFrame]:
    return (block.to_pandas() for block in rows.blocks())


def _origin(found: Trace, told: Callable[[str], str]) -> Origin:
    (*_, seed) = found.versions_of(SEED)
    return Origin(
        candidate=found.target.data_version,
        seed_table=told(seed.data_version),
        study_settings=told(found.target.study_hash),
        code_version=science_version(),
    )
