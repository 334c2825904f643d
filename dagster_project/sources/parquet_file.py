"""A Parquet file."""

from pathlib import Path
from typing import Literal

import pandas as pd

from dagster_project.sources.file_source import FileSource
from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import SourceError
from warehouse import BLOCK_ROWS, RawColumns

BATCH_ROWS = 50_000


class ParquetSource(FileSource):
    """Rows of one Parquet file.

    Parameters
    ----------
    path : str
        See `FileSource`.
    """

    kind: Literal["parquet"]

    def read(self, folder: Path, aside: Path) -> Columns:
        """Read every column."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self.file(folder)
        try:
            with pq.ParquetFile(file) as content:
                if content.metadata.num_rows <= BLOCK_ROWS:
                    table: pd.DataFrame = content.read().to_pandas(ignore_metadata=True)
                    return table
                batches = content.iter_batches(BATCH_ROWS)
                return RawColumns((pa.Table.from_batches([batch]) for batch in batches), aside)
        except (pa.ArrowException, OSError):
            raise SourceError(
                f"source parquet: expected a Parquet file at {file}; got something else"
            ) from None
