"""The released rows as Parquet and as CSV, in blocks: the same values, the same bytes always."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

METADATA_PREFIX = "hybrid_assets."
ROWS_AT_ONCE = 65_536  # a row group; and of these many rows the cells are held as text
FORMULA = re.compile(r"[=@\t\r\n]|[+-](?![\d.]*$)")


def parquet_writer(file: IO[bytes], schema: pa.Schema) -> pq.ParquetWriter:
    """Begin a Parquet file with fixed options, without times, paths or a frame's index.

    The same blocks and metadata give the same bytes under one version of
    pyarrow, whose name is the only thing in the file that is not given.
    """
    return pq.ParquetWriter(
        pa.PythonFile(file, mode="w"),
        schema.remove_metadata(),
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
        write_page_checksum=True,
    )


def write_block(writer: pq.ParquetWriter, block: pa.Table) -> None:
    """Go on with the next rows, in row groups of `ROWS_AT_ONCE` and what is left of the block."""
    writer.write_table(block.replace_schema_metadata(None), row_group_size=ROWS_AT_ONCE)


def end_parquet(writer: pq.ParquetWriter, metadata: Mapping[str, str]) -> None:
    """Write what the file says of itself, keys prefixed with ``hybrid_assets.``, and end it."""
    named = {f"{METADATA_PREFIX}{key}": value for key, value in sorted(metadata.items())}
    writer.add_key_value_metadata(named)
    writer.close()


class ParquetRows:
    """The rows of a Parquet file, some at a time and as often as they are asked for.

    Parameters
    ----------
    file : open binary file
        As `parquet_writer` began it and `end_parquet` ended it; its checksums are verified.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = pq.ParquetFile(file, page_checksum_verification=True)

    def __len__(self) -> int:
        """Count the rows."""
        return int(self._file.metadata.num_rows)

    def __iter__(self) -> Iterator[pa.Table]:
        """Give at most `ROWS_AT_ONCE` at a time, in order; a table without rows gives one block."""
        schema = self._file.schema_arrow.remove_metadata()
        for batch in self._file.iter_batches(ROWS_AT_ONCE):
            yield pa.Table.from_batches([batch.replace_schema_metadata(None)], schema)
        if not len(self):
            yield schema.empty_table()

    @property
    def names(self) -> list[str]:
        """Names of the columns in order."""
        return list(self._file.schema_arrow.names)

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        told = self._file.metadata.metadata or {}
        prefix = METADATA_PREFIX.encode()
        return {
            key.removeprefix(prefix).decode(): value.decode()
            for key, value in told.items()
            if key.startswith(prefix)
        }


def csv_header(names: Iterable[str]) -> bytes:
    """Write the header line of a CSV file."""
    return _lines([list(names)])


def csv_lines(block: pa.Table, decimals: Mapping[str, int]) -> Iterator[bytes]:
    """Write rows as UTF-8 with line feeds, those of `ROWS_AT_ONCE` rows at a time.

    Numbers show the declared `decimals` of their column; others as many digits
    as tell them from every other number. Missing values are empty.
    """
    for first in range(0, len(block), ROWS_AT_ONCE):
        some = block.slice(first, ROWS_AT_ONCE)
        columns = [_cells(some[name], decimals.get(name)) for name in some.column_names]
        yield _lines(zip(*columns, strict=True))


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cells(values: pa.ChunkedArray, decimals: int | None) -> list[str]:
    write: Callable[[Any], str] = str
    if pa.types.is_floating(values.type):
        write = repr if decimals is None else f"{{:.{decimals}f}}".format
    return ["" if value is None else write(value) for value in values.to_pylist()]


def formula_columns(blocks: Iterable[pd.DataFrame]) -> tuple[str, ...]:
    """Name the columns whose name or text a spreadsheet would run as a formula.

    That is text with a leading ``=``, ``@`` or control character, or with a leading ``+`` or
    ``-`` that is not the sign of a number or alone (OWASP, *CSV Injection*).
    """
    named: dict[str, set[str]] = {}
    for block in blocks:
        for name in block.columns:
            named.setdefault(str(name), {str(name)}).update(_texts(block[name]))
    return tuple(name for name, texts in named.items() if any(map(FORMULA.match, texts)))


def _texts(values: pd.Series) -> set[str]:
    return {value for value in values.unique() if isinstance(value, str)}


def same_values(file: IO[bytes], blocks: Iterable[pa.Table]) -> bool:
    """Whether a CSV file holds the values of a table, told by its blocks, and no others; closes it.

    Missing text and empty text are the same in CSV.

    Raises
    ------
    ValueError
        If the header is not that of the blocks, or a cell is not of its column's type.
    """
    same = True
    with io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        lines = csv.reader(text)
        header = next(lines, [])
        for block in blocks:
            if header != block.column_names:
                raise ValueError("the columns differ")
            rows = list(islice(lines, len(block)))
            columns = list(zip(*rows, strict=True)) or [()] * len(header)
            same &= len(columns) == len(header) and all(map(_equal, columns, block.columns))
        return same and next(lines, None) is None


def _equal(cells: tuple[str, ...], values: pa.ChunkedArray) -> bool:
    read: Callable[[str], Any] = str
    if pa.types.is_integer(values.type):
        read = int
    elif pa.types.is_floating(values.type):
        read = float
    found = [read(cell) if cell else None for cell in cells]
    return found == [None if value == "" else value for value in values.to_pylist()]


def same_text(file: IO[bytes], blocks: Iterable[pa.Table], decimals: Mapping[str, int]) -> bool:
    """Whether a CSV file is byte by byte what `csv_header` and `csv_lines` write of the blocks."""
    header = b""
    for block in blocks:
        if not header:
            header = csv_header(block.column_names)
            if file.read(len(header)) != header:
                return False
        if any(file.read(len(lines)) != lines for lines in csv_lines(block, decimals)):
            return False
    return not file.read(1)
