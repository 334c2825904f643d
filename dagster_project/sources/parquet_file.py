"""A Parquet file."""

from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from dagster_project.sources.base import Source, existing_file
from hybrid_assets.errors import SourceError


class ParquetSource(Source):
    """Rows of one Parquet file.

    Parameters
    ----------
    path : str
        Absolute, or relative to the study file.
    """

    kind: Literal["parquet"]
    path: str

    lies_in_files: ClassVar[bool] = True

    def files(self, folder: Path) -> tuple[Path, ...]:
        """Give the one file."""
        return (existing_file(folder, self.path, "parquet"),)

    def read(self, folder: Path) -> pd.DataFrame:
        """Read every column."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = existing_file(folder, self.path, "parquet")
        try:
            table: pd.DataFrame = pq.ParquetFile(file).read().to_pandas(ignore_metadata=True)
        except (pa.ArrowException, OSError):
            raise SourceError(
                f"source parquet: expected a Parquet file at {file}; got something else"
            ) from None
        return table
