"""A comma-separated file with a header line."""

import csv
import warnings
from pathlib import Path
from typing import Literal

import pandas as pd

from dagster_project.sources import csv_chunks
from dagster_project.sources.csv_chunks import CsvChunks
from dagster_project.sources.file_source import FileSource
from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import SourceError
from warehouse import RawColumns


class CsvSource(FileSource):
    """Rows of a UTF-8 CSV file.

    Parameters
    ----------
    path : str
        See `FileSource`.
    separator : str
        One character.
    """

    kind: Literal["csv"]
    separator: str = ","

    def read(self, folder: Path, aside: Path) -> Columns:
        """Read every column; an empty cell or NA is missing."""
        file = self.file(folder)
        header = self._header(file)
        try:
            with warnings.catch_warnings(), file.open(encoding="utf-8", newline="") as lines:
                # pandas only warns where rows are longer than the header, and shifts them
                warnings.simplefilter("error", pd.errors.ParserWarning)
                chunks = CsvChunks(lines, len(header), self.separator)
                first = next(chunks.read())
                if len(first) < csv_chunks.CHUNK_ROWS:
                    return first.set_axis(header, axis="columns")
                tables = (table.rename_columns(header) for table in chunks.tables())
                return RawColumns(tables, aside)
        except (ValueError, UnicodeDecodeError, pd.errors.ParserWarning):
            raise SourceError(
                f"source csv: expected UTF-8 text with {len(header)} columns separated by "
                f"{self.separator!r} in {file}; got lines that do not parse or have another "
                "number of fields (row names without a header?)"
            ) from None

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
