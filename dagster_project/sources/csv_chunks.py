"""A long CSV file in chunks of rows, each column of the type that it has as a whole.

What a cell is depends, to pandas, on all cells of its column: 1 is a whole number, 1.0 beside 1.5,
and the word "1" beside "a". So the chunks are read twice: once for what each column holds, and
once more with its type.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa

CHUNK_ROWS = 250_000
_ARROW_TYPES = {
    "int64": pa.int64(),
    "uint64": pa.uint64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "object": pa.string(),
}


@dataclass(frozen=True)
class CsvChunks:
    """The rows of an open file.

    Parameters
    ----------
    lines : TextIO
        From its header line on; read again from the start for each pass.
    n_columns : int
    separator : str
    """

    lines: TextIO
    n_columns: int
    separator: str

    def read(self, first: int | None = None, **settings: Any) -> Iterator[pd.DataFrame]:
        """Parse `CHUNK_ROWS` rows at a time, the first time another number if it is given."""
        self.lines.seek(0)
        with pd.read_csv(
            self.lines,
            sep=self.separator,
            header=0,
            names=range(self.n_columns),
            index_col=False,
            low_memory=False,
            iterator=True,
            **settings,
        ) as parser:
            chunk = parser.get_chunk(first or CHUNK_ROWS)
            while True:
                yield chunk
                try:
                    chunk = parser.get_chunk(CHUNK_ROWS)
                except StopIteration:
                    return

    def tables(self) -> Iterator[pa.Table]:
        """Give the rows as the whole file would be read; of one schema, names are numbers.

        Raises
        ------
        ValueError, pandas.errors.ParserWarning
            If the file does not parse.
        """
        seen = [_Seen() for _ in range(self.n_columns)]
        for chunk in self.read():
            for column, cells in zip(seen, chunk.items(), strict=True):
                column.add(cells[1])
        types = {k: column.dtype for k, column in enumerate(seen)}
        told = {k: dtype for k, dtype in types.items() if dtype not in ("", "bool")}
        whole = {k: self._column(k) for k, dtype in types.items() if not dtype}
        n_read = 0
        # pandas takes a line that is too long where a chunk begins: these begin elsewhere
        for chunk in self.read(CHUNK_ROWS // 2, dtype=told):
            rows = slice(n_read, n_read + len(chunk))
            yield pa.table(
                {
                    str(k): _array(whole[k].iloc[rows] if k in whole else chunk[k], dtype)
                    for k, dtype in types.items()
                }
            )
            n_read += len(chunk)

    def _column(self, position: int) -> pd.Series:
        """Read one column whole, from its cells as they are written."""
        chunks = self.read(usecols=[position], dtype=object, na_filter=False)
        return _parsed(pd.concat([chunk[position] for chunk in chunks], ignore_index=True))


@dataclass
class _Seen:
    """What the chunks of a column held so far: types, nothing at all, and any word."""

    kinds: set[str] = field(default_factory=set)
    is_incomplete: bool = False
    has_words: bool = False

    def add(self, cells: pd.Series) -> None:
        kind = _kind(cells)
        if kind == "object" and not self.has_words:
            self.has_words = not _are_numbers(cells)
        self.kinds |= {kind} - {""}
        self.is_incomplete |= kind == ""

    @property
    def dtype(self) -> str:
        """The whole column's type; empty where types of chunks do not tell it."""
        if self.kinds <= {"int64", "float64"}:
            is_whole = self.kinds == {"int64"} and not self.is_incomplete
            return "int64" if is_whole else "float64"
        if self.kinds == {"bool"}:
            return "bool"
        if self.kinds == {"uint64"} and not self.is_incomplete:
            return "uint64"
        return "object" if self.has_words or "bool" in self.kinds else ""


def _kind(cells: pd.Series) -> str:
    """Give the type of a chunk's cells, empty if all are missing."""
    if cells.isna().all():
        return ""
    if cells.dtype == object and pd.api.types.infer_dtype(cells, skipna=True) == "boolean":
        return "bool"
    return str(cells.dtype)


def _are_numbers(cells: pd.Series) -> bool:
    """Whether all cells are numbers or missing, if too large ones to be read as such."""
    try:
        _parsed(cells, dtype="float64")
    except ValueError:
        return False
    return True


def _parsed(cells: pd.Series, dtype: str | None = None) -> pd.Series:
    """Parse the cells of one column as those of a file."""
    text = cells.to_csv(index=False, header=False, quoting=csv.QUOTE_ALL, lineterminator="\n")
    read = pd.read_csv(
        StringIO(text, newline=""),
        header=None,
        names=[0],
        index_col=False,
        low_memory=False,
        skip_blank_lines=False,
        dtype=dtype,
    )
    values: pd.Series = read[0]
    return values


def _array(cells: pd.Series, dtype: str) -> pa.Array:
    return pa.array(cells, _ARROW_TYPES[dtype or str(cells.dtype)], from_pandas=True)
