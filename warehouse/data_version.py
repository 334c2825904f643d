"""The data version of a table: a hash of what it holds, not of how it is stored.

Each column is hashed on its own: one byte that says whether there are nulls, the validity of each
row (one byte each, only if there are nulls), then the values, nulls as zero or empty. Numbers,
dates and times are their little-endian bytes; booleans one byte each; text is the 64-bit length
of each row, then all the UTF-8 bytes; decimals are hashed as text. The version is the SHA-256 of
the JSON text ``[n_rows, [[column name, logical type, column digest], ...]]``. Chunks and slices
do not matter; column names, their order, types, row order and every bit of every value do (so
-0.0 is not 0.0).
"""

import hashlib
import json

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
    columns = [
        [field.name, str(field.type), _column_digest(column)]
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    return hashlib.sha256(json.dumps([table.num_rows, columns]).encode()).hexdigest()


def _column_digest(column: pa.ChunkedArray) -> str:
    digest = hashlib.sha256(b"\x01" if column.null_count else b"\x00")
    if column.null_count:
        for chunk in column.chunks:
            digest.update(_bytes_of(chunk.is_valid()))
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        for chunk in column.chunks:
            digest.update(_bytes_of(chunk))
        return digest.hexdigest()
    for chunk in column.chunks:
        digest.update(_bytes_of(pc.binary_length(chunk).cast(pa.int64())))
    for chunk in column.chunks:
        digest.update(_text_bytes(chunk))
    return digest.hexdigest()


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
