"""Guessing what the covariates of a table are, before its author says so."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dagster_project.sources.base import Source
from dagster_project.sources.csv_file import CsvSource
from dagster_project.sources.parquet_file import ParquetSource
from dagster_project.study_file import StudyFile
from dagster_project.study_roles import OF_THEIR_OWN, is_nearly_unique
from hybrid_assets.columns import MAX_INFERRED_LEVELS, holds_lists, infer_column
from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import SeedTableError, SourceError
from hybrid_assets.schema import ColumnKind
from hybrid_assets.study import CovariateSettings

SEPARATORS = ",;\t|"
NUMBER_WITH_COMMA = r"[+-]?\d+(,\d+)?"


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


def require_decimal_points(table: Columns, file: Path) -> None:
    """Refuse numbers with commas in them, which would be taken for text.

    Raises
    ------
    SourceError
        Names the columns.
    """
    names = [str(name) for name in table.columns if _has_commas(table[name])]
    if names:
        raise SourceError(
            f"{file.name}: expected numbers with a decimal point, as 1.5; got commas in the "
            f"numbers of {', '.join(names)} (export the table with points)"
        )


def _has_commas(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values) or holds_lists(values):
        return False
    words = values.dropna().astype(str).str.strip()
    return bool(words.str.contains(",").any() and words.str.fullmatch(NUMBER_WITH_COMMA).all())


def draft_columns(table: Columns, study: StudyFile) -> list[DraftedColumn]:
    """Infer the kind of every column that has no role yet, as ``seed_table`` would.

    Parameters
    ----------
    table : Columns
        As read.
    study : StudyFile
        Names treatment, outcome and identifiers.
    """
    taken = {study.treatment, study.outcome, *study.identifiers}
    return [_drafted(table[name], study) for name in table.columns if name not in taken]


def _drafted(values: pd.Series, study: StudyFile) -> DraftedColumn:
    name, n_missing = str(values.name), int(values.isna().sum())
    if holds_lists(values):
        return DraftedColumn(name, None, "holds lists", n_missing)
    if pd.api.types.is_numeric_dtype(values) and values.isin([np.inf, -np.inf]).any():
        return DraftedColumn(name, None, "expected finite values; got infinite ones", n_missing)
    if values.nunique() < 2:
        return DraftedColumn(name, None, "holds fewer than two values", n_missing)
    try:
        column = infer_column(values, name, CovariateSettings(), study)
    except SeedTableError as refusal:
        remark = f"expected {refusal.expected}; got {refusal.got}"
        return DraftedColumn(name, None, remark, n_missing)
    remark = f"{len(column.levels)} levels" if column.levels else ""
    if is_nearly_unique(values):
        remark = f"{OF_THEIR_OWN}; an identifier?"
    elif column.kind is ColumnKind.INTEGER and values.nunique() <= MAX_INFERRED_LEVELS:
        remark = f"{values.nunique()} whole numbers; if they are codes: categorical"
    return DraftedColumn(name, column.kind, remark, n_missing)
