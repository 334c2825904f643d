"""Commands of a release: making the next one, and verifying one anywhere."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.approvals import read_approval, read_candidate
from dagster_project.audit_answer import release_numbers, releases_of
from dagster_project.instance import prepare_instance
from dagster_project.refusals import DONE, FAILED, console, refusals, refuse, say
from dagster_project.release_commands import GeneratorOption
from dagster_project.release_permission import NOBODY, approval_command, candidate_of, today
from dagster_project.resources import StorageResource
from dagster_project.run_display import RunDisplay
from dagster_project.study_commands import StudyName
from dagster_project.study_file import StudyFile
from dagster_project.study_folders import find_study
from dagster_project.study_run import run_study
from dagster_project.verification import verified
from hybrid_assets.release.verify import NOT_RECOMPUTED

NOT_APPROVED = 3


def release(study: StudyName, generator: GeneratorOption) -> None:
    """Make the next release of a generator's table: its candidate and gates, then the folder.

    Exits with 1 if a gate is shut, and with 3 if a reviewer has to decide first: it then prints
    the command. Nothing is released without both.

    Example: hybrid release nhefs --generator cart
    """
    with refusals():
        stated, _ = find_study(study)
        if generator not in stated.generators:
            known = ", ".join(stated.generators)
            refuse(f"study {study!r}: unknown generator {generator!r}; known: {known}")
        prepare_instance()
        _run(stated, candidate_of(generator), generator)
        if objection := _objection(stated, generator):
            say(f"{study}, {generator}: {objection}. A reviewer decides with:")
            console.print(f"  {approval_command(study, generator)}", markup=False, soft_wrap=True)
            raise typer.Exit(NOT_APPROVED)
        run_id = _run(stated, f"{generator}/release_bundle", generator)
        folder = _released_by(run_id, study, generator)
    console.print(f"released: {folder}\nverify it with: hybrid verify {folder}", markup=False)


def _run(study: StudyFile, asset: str, generator: str) -> str:
    """Make an asset of the job and give the run's id; exits with 1 if a check stops it."""
    with RunDisplay(console) as display:
        finished = run_study(study.name, "release", display, assets=[asset])
    for check in finished.failed_checks:
        console.print(f"check not passed  {check}", style="yellow", markup=False)
    if finished.failed_checks:
        candidate = read_candidate(StorageResource(), study, generator)
        say(candidate.report.refusal if candidate else "")
    if finished.failed_checks or not finished.success:
        raise typer.Exit(FAILED)
    return finished.run_id


def _released_by(run_id: str, study: str, generator: str) -> Path:
    storage = StorageResource()
    trail = storage.audit_trail(study)
    logged = releases_of(trail.entries(), generator)
    numbers = dict(
        zip((entry.run_id for entry in logged), release_numbers(trail, logged), strict=True)
    )
    return storage.releases(study).folder(generator, numbers[run_id])


def _objection(study: StudyFile, generator: str) -> str:
    """Say what a reviewer still has to decide; empty if nothing."""
    storage = StorageResource()
    approval = read_approval(storage, study.name, generator)
    candidate = read_candidate(storage, study, generator)
    if candidate is None or approval is None:
        return NOBODY
    return approval.objection(candidate.signed, today())


def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of a release.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    key: Annotated[
        Path | None, typer.Option(help="Public key (PEM) that must have signed it.")
    ] = None,
) -> None:
    """Recompute a release from its folder alone: no study, no database, no network.

    Hashes, signature, Parquet against CSV, dictionary against rows, every document written again
    from card.json, and the effects estimated from the rows. Exits with 1 if anything differs.

    Example: hybrid verify releases/nhefs/cart/0001
    """
    if key is not None and not key.is_file():
        refuse(f"--key: expected a file at {key}; got none")
    if not folder.is_dir():
        refuse(f"expected the folder of a release at {folder}; got none")
    checks = verified(folder, None if key is None else key.read_bytes())
    passed = all(check.passed for check in checks)
    if as_json:
        told = {
            "verified": passed,
            "checks": [asdict(check) for check in checks],
            "not_recomputed": NOT_RECOMPUTED,
        }
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for check in checks:
            mark = "[green]✓[/green]" if check.passed else "[red]✗[/red]"
            console.print(f"{mark} {check.name}")
            for fault in check.faults:
                say(f"    {fault}")
        console.print(f"not recomputed: {NOT_RECOMPUTED}", style="dim", soft_wrap=True)
    raise typer.Exit(DONE if passed else FAILED)
