"""A table of a DuckDB file of the user's own."""

from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from dagster_project.sources.base import Source, existing_file
from hybrid_assets.errors import SourceError
from warehouse import (
    WarehouseError,
    data_version,
    read_duckdb_table,
    storable_table,
)


class DuckdbSource(Source):
    """Rows of one table or view, opened read-only.

    Parameters
    ----------
    path : str
        Absolute, or relative to the study file.
    table : str
        Name, with its schema where it is not ``main``: ``schema.table``.
    """

    kind: Literal["duckdb"]
    path: str
    table: str

    lies_in_files: ClassVar[bool] = True

    def files(self, folder: Path) -> tuple[Path, ...]:
        """Give the one file."""
        return (existing_file(folder, self.path, "duckdb"),)

    def version(self, folder: Path) -> str:
        """Hash the table alone: another table of the file is nothing new."""
        return data_version(storable_table(self.read(folder)))

    def read(self, folder: Path) -> pd.DataFrame:
        """Read every column."""
        file = existing_file(folder, self.path, "duckdb")
        try:
            return read_duckdb_table(file, self.table)
        except WarehouseError as error:
            raise SourceError(f"source duckdb: {error}") from None
