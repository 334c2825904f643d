"""The released table as Parquet and as CSV: the same values, the same bytes every time."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hybrid_assets.blocks import BLOCK_ROWS

METADATA_PREFIX = "hybrid_assets."
FORMULA = re.compile(r"[=@\t\r\n]|[+-](?![\d.]*$)")


def parquet_bytes(table: pd.DataFrame, metadata: Mapping[str, str]) -> bytes:
    """Write a table with fixed options, without times, paths or the frame's index.

    The same table and metadata give the same bytes under one version of
    pyarrow, whose name is the only thing in the file that is not given here.

    Parameters
    ----------
    table : DataFrame, shape (n, p)
        Of int64, float64 and text.
    metadata : mapping of str to str
        Kept in the file's own metadata, keys prefixed with ``hybrid_assets.``.
    """
    content = pa.Table.from_pandas(table, preserve_index=False)
    named = {f"{METADATA_PREFIX}{key}": value for key, value in sorted(metadata.items())}
    buffer = io.BytesIO()
    pq.write_table(
        content.replace_schema_metadata(named),
        buffer,
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
        row_group_size=65_536,
        write_page_checksum=True,
    )
    return buffer.getvalue()


def read_parquet(content: bytes) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read what `parquet_bytes` wrote: the table and its metadata."""
    read = pq.read_table(io.BytesIO(content), page_checksum_verification=True)
    metadata = {key.decode(): value.decode() for key, value in (read.schema.metadata or {}).items()}
    return read.replace_schema_metadata(None).to_pandas(), {
        key.removeprefix(METADATA_PREFIX): value
        for key, value in metadata.items()
        if key.startswith(METADATA_PREFIX)
    }


def csv_bytes(table: pd.DataFrame, decimals: Mapping[str, int]) -> bytes:
    """Write a table as UTF-8 with a header line and line feeds.

    Numbers show the declared `decimals` of their column; others as many digits
    as tell them from every other number. Missing values are empty.
    """
    content = io.BytesIO()
    text = io.TextIOWrapper(content, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    for first in range(0, len(table), BLOCK_ROWS):
        some = table.iloc[first : first + BLOCK_ROWS]
        columns = [_cells(some[name], decimals.get(str(name))) for name in table.columns]
        writer.writerows(zip(*columns, strict=True))
    return content.getvalue()


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


def _cells(values: pd.Series, decimals: int | None) -> list[str]:
    missing = values.isna()
    if pd.api.types.is_float_dtype(values):
        written = [repr(v) if decimals is None else f"{v:.{decimals}f}" for v in values.tolist()]
    else:
        written = [str(v) for v in values.tolist()]
    return ["" if gone else cell for cell, gone in zip(written, missing, strict=True)]


def read_csv(content: bytes, like: pd.DataFrame) -> pd.DataFrame:
    """Read what `csv_bytes` wrote, with the column types of `like`.

    Raises
    ------
    ValueError
        If the header is not that of `like`, or a cell is not of its column's type.
    """
    header, *rows = csv.reader(io.StringIO(content.decode()))
    if header != list(like.columns):
        raise ValueError("the columns differ")
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    return pd.DataFrame(
        {
            name: pd.Series(list(cells), dtype=object).map(_reader(like[name])).astype(dtype)
            for name, cells, dtype in zip(header, columns, like.dtypes, strict=True)
        }
    )


def _reader(values: pd.Series) -> Callable[[str], float | str]:
    if pd.api.types.is_integer_dtype(values):
        return int
    if pd.api.types.is_float_dtype(values):
        return lambda cell: float(cell or "nan")
    return str
