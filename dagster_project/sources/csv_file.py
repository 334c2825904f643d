"""A comma-separated file with a header line."""

import csv
import warnings
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from dagster_project.sources.base import Source, existing_file
from hybrid_assets.errors import SourceError


class CsvSource(Source):
    """Rows of a UTF-8 CSV file.

    Parameters
    ----------
    path : str
        Absolute, or relative to the study file.
    separator : str
        One character.
    """

    kind: Literal["csv"]
    path: str
    separator: str = ","

    lies_in_files: ClassVar[bool] = True

    def files(self, folder: Path) -> tuple[Path, ...]:
        """Give the one file."""
        return (existing_file(folder, self.path, "csv"),)

    def read(self, folder: Path) -> pd.DataFrame:
        """Read every column; an empty cell or NA is missing."""
        file = existing_file(folder, self.path, "csv")
        header = self._header(file)
        try:
            with warnings.catch_warnings():
                # pandas only warns where rows are longer than the header, and shifts them
                warnings.simplefilter("error", pd.errors.ParserWarning)
                table = pd.read_csv(
                    file,
                    sep=self.separator,
                    header=0,
                    names=range(len(header)),
                    index_col=False,
                    low_memory=False,
                )
        except (ValueError, UnicodeDecodeError, pd.errors.ParserWarning):
            raise SourceError(
                f"source csv: expected UTF-8 text with {len(header)} columns separated by "
                f"{self.separator!r} in {file}; got lines that do not parse or have another "
                "number of fields (row names without a header?)"
            ) from None
        return table.set_axis(header, axis="columns")

    def _header(self, file: Path) -> list[str]:
        """Read the names as written: pandas would rename a repeated column."""
        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                header = next(csv.reader(lines, delimiter=self.separator), None)
        except (UnicodeDecodeError, csv.Error, TypeError):
            header = None
        if not header:
            raise SourceError(
                f"source csv: expected a header line of UTF-8 text in {file}; got none"
            )
        return header
