"""`hybrid audit`: what something was made of, whether the home is intact, where a person went."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from dagster_project.audit_answer import (
    AuditAnswer,
    audit_asset,
    audit_release,
    release_numbers,
    releases_of,
)
from dagster_project.audit_display import print_answer, print_check, print_uses
from dagster_project.refusals import DONE, FAILED, console, refusals, refuse, say
from dagster_project.resources import hybrid_home
from dagster_project.subjects import asked_columns, untold, uses_of
from dagster_project.undrawn_people import untold_undrawn, with_undrawn
from warehouse import AuditTrail, KeyedHash, check_audit, stored_studies


def audit(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study that was run.")],
    asset: Annotated[
        str, typer.Argument(metavar="[ASSET]", help="Such as cart/hybrid_triplets.")
    ] = "",
    generator: Annotated[str, typer.Option(help="Its last release, or its hybrid table.")] = "",
    release: Annotated[int, typer.Option(help="Number of a release of --generator.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Recompute every hash; exit with 1 if one differs.")
    ] = False,
    subject: Annotated[
        bool, typer.Option("--subject", help="Where a person's row was used; asks who.")
    ] = False,
) -> None:
    """Tell what a release, an asset or the report was made of: seed, code, settings, checks.

    The answer comes from the audit log alone. With --subject the person's identifiers are asked
    for, or read from standard input, one a line: never write them on the command line.

    Example: hybrid audit nhefs --generator cart
    """
    with refusals():
        trail = _trail(study)
        if check:
            raise typer.Exit(_checked(study))
        if subject:
            raise typer.Exit(_print_uses(trail))
        answer = _answer(trail, asset, generator, release)
        if as_json:
            sys.stdout.write(f"{answer.as_json()}\n")
        else:
            print_answer(console, answer, KeyedHash(hybrid_home()))


def _trail(study: str) -> AuditTrail:
    home = hybrid_home()
    known = stored_studies(home)
    released = [folder.name for folder in (home / "releases").glob("*")]
    if study not in {*known, *released}:
        refuse(f"no audit log of {study!r} in {home}; studies run there: {', '.join(known)}")
    return AuditTrail(home, study)


def _checked(study: str) -> int:
    found = check_audit(hybrid_home(), study)
    print_check(console, study, found)
    return FAILED if found.faults else DONE


def _answer(trail: AuditTrail, asset: str, generator: str, release: int) -> AuditAnswer:
    if (release and not generator) or (asset and generator):
        refuse("name an asset, or --generator, or --generator with --release")
    if not generator:
        return audit_asset(trail, asset or "study_report")
    made = release_numbers(trail, releases_of(trail.entries(), generator))
    if not release and not made:
        return audit_asset(trail, f"{generator}/hybrid_triplets")
    return audit_release(trail, generator, release or made[-1])


def _print_uses(trail: AuditTrail) -> int:
    splits, keyed = trail.subject_splits(), KeyedHash(hybrid_home())
    if not splits:
        refuse(f"study {trail.study!r}: no version of the seed has left digests of its people yet")
    cannot_tell = [*untold(splits, keyed), *untold_undrawn(splits, trail)]
    columns = asked_columns(splits)
    values = dict(zip(columns, _typed(columns), strict=True))
    uses = with_undrawn(uses_of(trail, keyed, values), trail, values)
    print_uses(console, uses, trail)
    for gap in cannot_tell:
        say(f"cannot be told of {gap}")
    return FAILED if cannot_tell else DONE


def _typed(columns: Sequence[str]) -> list[str]:
    if sys.stdin.isatty():
        return [
            str(typer.prompt(column, default="", show_default=False, hide_input=True))
            for column in columns
        ]
    lines = [line.rstrip("\r\n") for line in sys.stdin]
    if len(lines) != len(columns):
        refuse(
            f"expected {len(columns)} lines, one for each of {', '.join(columns)}; got {len(lines)}"
        )
    return lines
