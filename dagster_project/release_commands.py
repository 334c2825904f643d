"""Commands before and after a release: a reviewer's decision."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from dagster_project.approvals import Candidate, read_candidate, record_approval
from dagster_project.refusals import FAILED, console, refusals, say
from dagster_project.release_permission import (
    remake,
    require_judged_rows,
    require_last_version,
    require_same_budget,
    require_same_gates,
    require_same_settings,
    today,
)
from dagster_project.resources import StorageResource
from dagster_project.study_commands import StudyName
from dagster_project.study_file import StudyFile
from dagster_project.study_folders import find_study
from hybrid_assets.approval import Approval
from hybrid_assets.errors import ReleaseError, StudyError
from warehouse import latest_entry, trace

GeneratorOption = Annotated[str, typer.Option(help="Whose table.")]


def approve(
    study: StudyName,
    generator: GeneratorOption,
    reviewer: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why; printed on the release.")],
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse the table instead.")] = False,
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day it holds (local date)."),
    ] = None,
) -> None:
    """Approve a generator's release candidate, or refuse it, as a named reviewer.

    Prints what is signed: every gate, the privacy verdict, the effect, the rows; at a terminal it
    then asks. The decision is bound to these bytes and to this evidence: other rows, or other
    gates, need another.

    Example: hybrid approve nhefs --generator cart --reviewer "Grace Hopper" --reason "read it all"
    """
    with refusals(), _failures():
        stated, folder = find_study(study)
        candidate = _candidate(stated, folder, generator)
        _print_candidate(candidate)
        _print_decisions(StorageResource(), stated, candidate)
        approval = Approval(
            study=study,
            generator=generator,
            reviewer=reviewer,
            decision="refuse" if refuse else "approve",
            reason=reason,
            decided_on=today(),
            expires_on=_last_day(expires),
            signed=candidate.signed,
        )
        approval.require_signable(candidate.report)
        if sys.stdin.isatty():
            typer.confirm(f"Sign this: {approval.decision}?", abort=True)
        record_approval(StorageResource(), stated, approval)
    console.print(f"{approval.words}; logged.", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _failures() -> Iterator[None]:
    """Say what cannot be signed, and exit with 1: what was asked is understood."""
    try:
        yield
    except ReleaseError as error:
        say(str(error))
        raise typer.Exit(FAILED) from None


def _candidate(study: StudyFile, folder: Path, generator: str) -> Candidate:
    if generator not in study.generators:
        known = ", ".join(study.generators)
        raise StudyError(f"study {study.name!r}: unknown generator {generator!r}; known: {known}")
    storage = StorageResource()
    candidate = read_candidate(storage, study, generator)
    if candidate is None:
        raise ReleaseError(
            f"study {study.name!r}: no release candidate of {generator!r} yet; make it: "
            f"hybrid release {study.name} --generator {generator}"
        )
    if candidate.moved:
        raise ReleaseError(
            f"study {study.name!r}: the release candidate of {generator!r} was made from earlier "
            f"versions of {', '.join(candidate.moved)}. {remake(study.name, generator)}"
        )
    entries = storage.audit_trail(study.name).entries()
    found = trace(entries, latest_entry(entries, candidate.asset))
    require_same_settings(study, found)
    require_last_version(study, folder, found)
    require_judged_rows(study, storage.warehouse(study.name), generator)
    require_same_gates(study, candidate.report)
    version = candidate.signed.data_version
    require_same_budget(storage.warehouse(study.name), candidate.report, version)
    return candidate


def _last_day(expires: datetime | None) -> date | None:
    if expires is not None and expires.date() < today():
        raise ReleaseError(f"--expires: expected {today()} or later; got {expires.date()}")
    return None if expires is None else expires.date()


def _print_candidate(candidate: Candidate) -> None:
    """Print what is about to be signed."""
    report, facts = candidate.report, candidate.report.facts
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title=f"{report.study}: {candidate.asset}")
    for name in ("gate", "evidence", "what to do", "override"):
        table.add_column(name)
    for gate in report.gates:
        shown = (f"{gate.verdict.symbol} {gate.name}", gate.evidence, gate.advice)
        table.add_row(*(escape(cell) for cell in (*shown, gate.override_words)))
    console.print(table)
    for line in (
        f"rows             {facts.n_rows:,}; {facts.n_rows_released_before:,} released before",
        f"effect           {facts.psi_exact:.6g} by construction; seed's TMLE "
        f"{facts.seed_estimate:.6g} (SE {facts.seed_standard_error:.3g})",
        f"privacy verdict  {facts.privacy_verdict} under policy {facts.privacy_policy}",
        *((f"seed version     {facts.seed_version}",) if facts.seed_version else ()),
        f"table            {candidate.signed.data_version}",
        f"gates.json       {candidate.signed.gates_sha256}",
        f"words, settings  {candidate.signed.settings_sha256}",
    ):
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _print_decisions(storage: StorageResource, study: StudyFile, candidate: Candidate) -> None:
    """Print what was decided before, on these bytes and on others."""
    for decided in storage.decisions(study.name).history(f"{candidate.report.generator}/approval"):
        words = "its file is altered or missing: see hybrid audit --check"
        if decided.is_intact:
            approval = Approval.model_validate_json(decided.read())
            other = approval.signed.differs_in(candidate.signed)
            words = f"{approval.words} ({f'other {other}' if other else 'these bytes'})"
        console.print(f"  decided before   {words}", highlight=False, markup=False, soft_wrap=True)
