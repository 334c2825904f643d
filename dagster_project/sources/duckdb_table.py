"""A table of a DuckDB file of the user's own."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from dagster_project.sources.base import Source, existing_file
from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import SourceError
from warehouse import WarehouseError, duckdb_table_version, read_duckdb_table

Made = TypeVar("Made")


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
        return self._told(lambda file: duckdb_table_version(file, self.table), folder)

    def read(self, folder: Path, aside: Path) -> Columns:
        """Read every column."""
        return self._told(lambda file: read_duckdb_table(file, self.table, aside), folder)

    def _told(self, make: Callable[[Path], Made], folder: Path) -> Made:
        try:
            return make(existing_file(folder, self.path, "duckdb"))
        except WarehouseError as error:
            raise SourceError(f"source duckdb: {error}") from None
