"""The data version of a table: a hash of what it holds, not of how it is stored.

Each column is hashed on its own: its values, nulls as zero or empty; for text the length of each
row too; and, only if there are nulls, the validity of each row (one byte each). Numbers, dates and
times are their little-endian bytes; booleans one byte each; text is its UTF-8 bytes and, as
lengths, 64-bit numbers; decimals are hashed as text. A column's digest is the SHA-256 of the
SHA-256 of values, of lengths (of nothing, for numbers) and of validity (of nothing, without
nulls), and the version the SHA-256 of the JSON text ``[n_rows, [[column name, logical type, column
digest], ...]]``. Blocks, chunks and slices do not matter; column names, their order, types, row
order and every bit of every value do (so -0.0 is not 0.0).
"""

import hashlib
import json
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def data_version(table: pa.Table) -> str:
    """Return the hash that identifies the content of a table.

    Parameters
    ----------
    table : pyarrow.Table
        Columns of the types that `warehouse.arrow_tables.storable_table` gives.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.
    """
    return data_version_of([table])


def data_version_of(blocks: Iterable[pa.Table]) -> str:
    """Return the same of a table that comes in blocks, at least one, all of one schema."""
    running: RunningVersion | None = None
    for block in blocks:
        running = running or RunningVersion(block.schema)
        running.add(block)
    if running is None:
        raise ValueError("expected at least one block of rows; got none")
    return running.version


class RunningVersion:
    """The data version of the rows that were added so far.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of every block; types as `data_version` takes them.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns = [_RunningColumn(field.type) for field in schema]
        self._n_rows = 0

    def add(self, block: pa.Table) -> None:
        """Go on with the next rows."""
        for running, column in zip(self._columns, block.columns, strict=True):
            for chunk in column.chunks:
                running.add(chunk)
        self._n_rows += block.num_rows

    @property
    def version(self) -> str:
        """The data version, as if the rows had come as one table."""
        columns = [
            [field.name, str(field.type), running.digest]
            for field, running in zip(self._schema, self._columns, strict=True)
        ]
        return hashlib.sha256(json.dumps([self._n_rows, columns]).encode()).hexdigest()


class _RunningColumn:
    def __init__(self, kind: pa.DataType) -> None:
        self._is_decimal = pa.types.is_decimal(kind)
        self._is_text = self._is_decimal or pa.types.is_string(kind)
        self._values, self._lengths, self._validity = (hashlib.sha256() for _ in range(3))
        self._n_rows, self._has_nulls = 0, False

    def add(self, values: pa.Array) -> None:
        if values.null_count and not self._has_nulls:
            self._has_nulls = True
            self._validity.update(b"\x01" * self._n_rows)
        if self._has_nulls:
            self._validity.update(_bytes_of(values.is_valid()))
        if self._is_decimal:
            values = values.cast(pa.string())
        if self._is_text:
            self._lengths.update(_bytes_of(pc.binary_length(values).cast(pa.int64())))
            self._values.update(_text_bytes(values))
        else:
            self._values.update(_bytes_of(values))
        self._n_rows += len(values)

    @property
    def digest(self) -> str:
        parts = (self._values, self._lengths, self._validity)
        return hashlib.sha256(b"".join(part.digest() for part in parts)).hexdigest()


def _bytes_of(values: pa.Array) -> memoryview:
    """Return fixed-width values, shape (n,), as little-endian bytes, nulls as zero."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    elif pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    elif pa.types.is_temporal(values.type):
        values = values.cast(pa.int64())
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
    little_endian = numbers.astype(numbers.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little_endian).view(np.uint8).data


def _text_bytes(values: pa.StringArray) -> memoryview:
    """Return the UTF-8 bytes of all rows in a line, nulls as empty."""
    filled = values.fill_null("")
    _, offset_buffer, text_buffer = filled.buffers()
    if len(filled) == 0 or text_buffer is None:
        return memoryview(b"")
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)
    first, last = offsets[filled.offset], offsets[filled.offset + len(filled)]
    return memoryview(text_buffer)[first:last]
