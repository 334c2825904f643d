"""`hybrid init`: from a table to a study file, by guesses that its author confirms."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console

from dagster_project.resources import hybrid_home
from dagster_project.study_draft import (
    DraftedColumn,
    draft_columns,
    require_decimal_points,
    table_source,
)
from dagster_project.study_file import StudyFile
from dagster_project.study_folders import (
    DEFAULT_FOLDER,
    STUDIES_VARIABLE,
    study_files,
    user_folders,
)
from dagster_project.study_questions import Answers, Questions
from dagster_project.study_roles import Guess, GuessedRoles, guess_roles
from dagster_project.study_writer import study_file_text, write_new_file
from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import StudyError

MIN_SYNTHETIC = 100


def new_study(file: Path, folder: Path | None, answers: Answers, console: Console) -> Path:
    """Write a study file for a table; ask `console` for what `answers` leave open.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    StudyError
        If something is neither said, nor guessed, nor answered, or there is such a study.
    SourceError, pydantic.ValidationError
        If the table cannot be read, or the answers do not make a study.
    """
    source = table_source(file)
    name = answers.name or _name_after(file)
    if name in study_files():
        raise StudyError(f"study {name!r}: there is one already, in {study_files()[name]}")
    table = source.read(file.parent, hybrid_home())
    if not table.columns.is_unique:
        raise StudyError(f"{file.name}: expected a name of its own for each column; some repeat")
    require_decimal_points(table, file)
    questions, guessed = Questions(answers, console), guess_roles(table)
    study = _study(table, {"name": name, "source": source}, questions, guessed)
    show_roles(console, study, guessed, answers)
    columns = draft_columns(table, study)
    show_columns(console, columns)
    kinds = {c.name: {"kind": c.kind.value} for c in columns if c.kind is not None}
    n_incomplete = sum(c.n_missing > 0 for c in columns if c.kind is not None)
    policy = {"missing": questions.missing(n_incomplete), "covariates": kinds}
    study = StudyFile.model_validate(study.model_dump(exclude_unset=True) | policy)
    written = (folder or _first_folder()).resolve() / name / "defs.yaml"
    write_new_file(written, study_file_text(study, columns, n_rows=len(table)))
    return written


def show_roles(console: Console, study: StudyFile, guessed: GuessedRoles, answers: Answers) -> None:
    """Print who has a role, and of what was accepted unseen that it is guessed, and why."""
    ends = [
        (study.treatment, "treatment", answers.treatment, guessed.treatment),
        (study.outcome, "outcome", answers.outcome, guessed.outcome),
    ]
    rows = [(name, role, _why(name, said, guess)) for name, role, said, guess in ends]
    named = answers.identifiers is not None
    reasons = {} if named else guessed.identifiers
    rows += [(n, "identifier", _guessed(reasons.get(n))) for n in study.identifiers]
    if not study.identifiers:
        nobody = None if named else "no name and no value tells people apart"
        rows.append(("(none)", "identifier", _guessed(nobody)))
    for row in rows:
        _print_row(console, *row)


def _why(name: str, said: str | None, guess: Guess | None) -> str:
    is_guess = said is None and guess is not None and guess.column == name
    return _guessed(guess.reason if is_guess and guess else None)


def _guessed(reason: str | None) -> str:
    return f"guessed: {reason}" if reason else "as you said"


def _print_row(console: Console, name: str, what: str, remark: str) -> None:
    line = f"  {name:<30} {what:<12} {remark}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def show_columns(console: Console, columns: list[DraftedColumn]) -> None:
    """Print what each covariate is taken for; names and kinds, no value."""
    for column in columns:
        kind = column.kind.value if column.kind else "left out"
        _print_row(console, column.name, kind, column.remark)


def next_steps(file: Path) -> list[str]:
    """List the commands that come after, for a study file just written."""
    name, folder = file.parent.name, file.parent.parent
    steps = [f"hybrid check {name}", f"hybrid run {name} --rows 500", f"hybrid run {name}"]
    if folder in [known.resolve() for known in user_folders()]:
        return steps
    known = os.environ.get(STUDIES_VARIABLE)
    named = f"{known}{os.pathsep}{folder}" if known else str(folder)
    return [f"export {STUDIES_VARIABLE}={shlex.quote(named)}", *steps]


def _study(
    table: Columns, named: dict[str, Any], questions: Questions, guessed: GuessedRoles
) -> StudyFile:
    treatment = questions.treatment(guessed)
    outcome = questions.outcome(guessed, treatment)
    identifiers = questions.identifiers(guessed, {treatment, outcome})
    absent = [name for name in (treatment, outcome, *identifiers) if name not in table.columns]
    if absent:
        raise StudyError(f"expected columns of the table; it has no {', '.join(absent)}")
    chance = questions.probability()
    trial = {"kind": "trial", "probability": chance}
    return StudyFile.model_validate(
        {
            **named,
            "title": f"Effect of {treatment} on {outcome}",
            "treatment": treatment,
            "outcome": outcome,
            "identifiers": identifiers,
            "holdout": {"share": 0.2},
            "design": {"kind": "observational"} if chance is None else trial,
            "generators": ["cart"],
            "n_synthetic": max(MIN_SYNTHETIC, len(table)),
            "random_seed": 1,
        }
    )


def _name_after(file: Path) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_")[:41]
    return plain if plain[:1].isalpha() else f"study_{plain}"[:41]


def _first_folder() -> Path:
    return next(iter(user_folders()), DEFAULT_FOLDER)
