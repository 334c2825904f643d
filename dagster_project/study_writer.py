"""The commented study file that `hybrid init` writes."""

import os
from collections.abc import Iterable
from pathlib import Path

import yaml

from dagster_project.study_draft import DraftedColumn
from dagster_project.study_file import StudyFile
from hybrid_assets.errors import StudyError
from hybrid_assets.small_cells import told_count

HEAD = """\
# Written by hybrid init; what it guessed is yours to correct.
# Next: hybrid check {name}
type: dagster_project.component.StudyComponent

attributes:
  name: {name}
  title: {title}
  owners: []  # e-mail addresses, or team:name

  source: {source}
  holdout: {holdout}  # people the generators never see: privacy is judged beside them

  treatment: {treatment}  # coded 0 and 1
  outcome: {outcome}  # 0/1 or a measurement
  identifiers: {identifiers}  # never leave the seed table
  missing: {missing}  # or drop_rows, category, impute, refuse
  covariates:  # kinds as guessed: binary, categorical, ordinal, integer, continuous
"""
TAIL = """\

  design: {design}  # or {other_design}
  assignment: observed  # keeps the study's confounding; randomised: an interventional table
  generators: {generators}  # of bootstrap (leaks, on purpose), cart, gan, llm
  n_synthetic: {n_synthetic}
  random_seed: {random_seed}
"""
OTHER_DESIGN = {
    "observational": "{kind: trial, probability: 0.5}",
    "trial": "{kind: observational}",
}


def study_file_text(study: StudyFile, columns: Iterable[DraftedColumn], *, n_rows: int) -> str:
    """Write a study as the YAML its author will edit.

    Parameters
    ----------
    study : StudyFile
        What was answered.
    columns : iterable of DraftedColumn
        Those left out become comments that say why.
    n_rows : int
        Of the table; counts of 1 to 9 people are not written down.
    """
    values = study.model_dump(mode="json", exclude_unset=True)
    shown = {name: _flow(value) for name, value in values.items()}
    shown["generators"] = _flow(list(study.generators))
    shown["other_design"] = OTHER_DESIGN[study.design.kind]
    lines = "".join(_covariate(column, n_rows) for column in columns)
    return HEAD.format(**shown) + lines + TAIL.format(**shown)


def _covariate(column: DraftedColumn, n_rows: int) -> str:
    remarks = [column.remark] if column.remark else []
    if column.kind is not None and column.n_missing:
        remarks.append(f"missing: {told_count(column.n_missing, n_rows)}")
    name, said = _flow(column.name), " ".join("; ".join(remarks).split())
    if column.kind is None:
        return f"    # {name}: left out; {said}\n"
    remark = f"  # {said}" if said else ""
    return f"    {name}: {{kind: {column.kind.value}}}{remark}\n"


class _OneLine(yaml.SafeDumper):
    """Escapes line ends and other marks that YAML would fold, or comments would end at."""


def _escaped(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_OneLine.add_representer(str, _escaped)


def _flow(value: object) -> str:
    """Write a value on one line, quoted where YAML would read it as something else."""
    text = yaml.dump(
        value, Dumper=_OneLine, default_flow_style=True, width=10**6, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


def write_new_file(file: Path, text: str) -> None:
    """Write a file that is not there yet, in folders made for it.

    Raises
    ------
    StudyError
        If it is there: nothing is ever overwritten.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise StudyError(f"expected no file at {file}; got one, and left it as it is") from None
    with open(descriptor, "w", encoding="utf-8") as written:
        written.write(text)
