"""Guessing what the columns of a table are for, before its author says so."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dagster_project.sources.base import Source
from dagster_project.sources.csv_file import CsvSource
from dagster_project.sources.parquet_file import ParquetSource
from dagster_project.study_file import StudyFile
from hybrid_assets.columns import MAX_INFERRED_LEVELS, infer_column, is_zero_one
from hybrid_assets.errors import SeedTableError, SourceError
from hybrid_assets.schema import ColumnKind
from hybrid_assets.study import CovariateSettings

TREATMENT_WORDS = {
    *("treat", "treated", "treatment", "trt", "therapy", "drug", "intervention", "arm"),
    *("exposed", "exposure", "assigned", "assignment", "randomised", "randomized"),
}
OUTCOME_WORDS = {"outcome", "response", "endpoint", "died", "death", "dead", "event"}
IDENTIFIER_WORDS = {"id", "ids", "uuid", "mrn", "seqn", "record", "patientid", "subjectid"}
SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class GuessedRoles:
    """What names and values suggest; None where they suggest nothing, or more than one column.

    Attributes
    ----------
    treatment, outcome : str or None
    identifiers : tuple of str
    binary, numeric : tuple of str
        Columns that could be the treatment; that could be the outcome.
    """

    treatment: str | None
    outcome: str | None
    identifiers: tuple[str, ...]
    binary: tuple[str, ...]
    numeric: tuple[str, ...]


@dataclass(frozen=True)
class DraftedColumn:
    """What a covariate looks like.

    Attributes
    ----------
    name : str
    kind : ColumnKind or None
        None where it cannot be a covariate.
    remark : str
        Why it cannot, or what to look at.
    n_missing : int
    """

    name: str
    kind: ColumnKind | None
    remark: str
    n_missing: int


def table_source(file: Path) -> Source:
    """Give the source of a table by the end of its name.

    Raises
    ------
    SourceError
        If there is no such file, or it is neither text nor Parquet.
    """
    if not file.is_file():
        raise SourceError(f"expected a table at {file}; got nothing there")
    path = str(file.resolve())
    if file.suffix.lower() in (".parquet", ".pq"):
        return ParquetSource(kind="parquet", path=path)
    if file.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise SourceError(f"expected a .csv, .tsv, .txt or .parquet file; got {file.name}")
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        header = lines.readline()
    separator = max(
        SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), []))
    )
    if separator == ",":
        return CsvSource(kind="csv", path=path)
    return CsvSource(kind="csv", path=path, separator=separator)


def guess_roles(table: pd.DataFrame) -> GuessedRoles:
    """Guess treatment and outcome by name among the columns that could be it, identifiers by both.

    Roles are the author's to state: a guess needs a telling name, and only one of them.

    Parameters
    ----------
    table : DataFrame of shape (n, p)
        As read.
    """
    identifiers = tuple(name for name in table.columns if _is_identifier(table[name]))
    others = [name for name in table.columns if name not in identifiers]
    binary = [n for n in others if is_zero_one(table[n]) and table[n].nunique() == 2]
    numeric = [n for n in others if pd.api.types.is_numeric_dtype(table[n])]
    treatment = _only(n for n in binary if n.lower() == "a" or _words(n) & TREATMENT_WORDS)
    outcome = _only(
        n for n in numeric if n != treatment and (n.lower() == "y" or _words(n) & OUTCOME_WORDS)
    )
    return GuessedRoles(treatment, outcome, identifiers, tuple(binary), tuple(numeric))


def draft_columns(table: pd.DataFrame, study: StudyFile) -> list[DraftedColumn]:
    """Infer the kind of every column that has no role yet, as ``seed_table`` would.

    Parameters
    ----------
    table : DataFrame of shape (n, p)
        As read.
    study : StudyFile
        Names treatment, outcome and identifiers.
    """
    taken = {study.treatment, study.outcome, *study.identifiers}
    return [_drafted(table[name], study) for name in table.columns if name not in taken]


def _drafted(values: pd.Series, study: StudyFile) -> DraftedColumn:
    name, n_missing = str(values.name), int(values.isna().sum())
    if values.nunique() < 2:
        return DraftedColumn(name, None, "holds fewer than two values", n_missing)
    try:
        column = infer_column(values, name, CovariateSettings(), study)
    except SeedTableError as refusal:
        remark = f"expected {refusal.expected}; got {refusal.got}"
        return DraftedColumn(name, None, remark, n_missing)
    remark = f"{len(column.levels)} levels" if column.levels else ""
    if column.kind is ColumnKind.INTEGER and values.nunique() <= MAX_INFERRED_LEVELS:
        remark = f"{values.nunique()} whole numbers; if they are codes: categorical"
    return DraftedColumn(name, column.kind, remark, n_missing)


def _is_identifier(values: pd.Series) -> bool:
    """Whether a name says so, or every row has text of its own."""
    by_name = bool(_words(str(values.name)) & IDENTIFIER_WORDS)
    is_text = not pd.api.types.is_numeric_dtype(values) and pd.api.types.infer_dtype(values) in (
        "string",
        "mixed",
    )
    return by_name or (is_text and len(values) > MAX_INFERRED_LEVELS and values.is_unique)


def _words(name: str) -> set[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name))
    return set(re.split(r"[^a-z]+", parted.lower()))


def _only(names: Iterable[str]) -> str | None:
    found = list(names)
    return found[0] if len(found) == 1 else None
