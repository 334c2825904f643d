"""A Parquet file."""

from pathlib import Path
from typing import Literal

import pandas as pd

from dagster_project.sources.file_source import FileSource
from hybrid_assets.errors import SourceError


class ParquetSource(FileSource):
    """Rows of one Parquet file.

    Parameters
    ----------
    path : str
        See `FileSource`.
    """

    kind: Literal["parquet"]

    def read(self, folder: Path) -> pd.DataFrame:
        """Read every column."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self.file(folder)
        try:
            table: pd.DataFrame = pq.ParquetFile(file).read().to_pandas(ignore_metadata=True)
        except (pa.ArrowException, OSError):
            raise SourceError(
                f"source parquet: expected a Parquet file at {file}; got something else"
            ) from None
        return table
