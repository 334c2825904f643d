"""The data version follows the content and nothing else."""

import hashlib
import json
import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from warehouse.arrow_tables import storable_table
from warehouse.data_version import data_version

BASE = pd.DataFrame({"x": [1.5, np.nan], "label": ["ab", ""]})


def version(table: pd.DataFrame | pa.Table) -> str:
    return data_version(storable_table(table))


def test_by_hand() -> None:
    def digest(values: bytes, lengths: bytes = b"", validity: bytes = b"") -> str:
        parts = (values, lengths, validity)
        return hashlib.sha256(b"".join(hashlib.sha256(p).digest() for p in parts)).hexdigest()

    floats = digest(struct.pack("<2d", 1.5, 0.0), validity=b"\x01\x00")
    text = digest(b"ab", struct.pack("<2q", 2, 0))
    columns = [["x", "double", floats], ["label", "string", text]]
    expected = hashlib.sha256(json.dumps([2, columns]).encode()).hexdigest()
    assert version(BASE) == expected


def test_chunks_slices_and_text_kind_do_not_matter() -> None:
    table = pa.table(
        {
            "x": [9.0, 1.5, None, 3.0],
            "label": ["long", "ab", "", None],
            "b": [True, None, False, True],
            "t": pa.array([0, 1, None, 3], pa.timestamp("ns")),
        }
    )
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 2), table.slice(3)])
    assert version(chunked) == version(table)
    rebuilt = pa.Table.from_pylist(table.slice(1, 2).to_pylist(), schema=table.schema)
    assert version(table.slice(1, 2)) == version(rebuilt)
    large = table.set_column(1, "label", table["label"].cast(pa.large_string()))
    assert version(large) == version(table)
    encoded = table.set_column(1, "label", table["label"].dictionary_encode())
    assert version(encoded) == version(table)


def test_index_does_not_matter() -> None:
    assert version(BASE.set_index(pd.Index([5, 3]))) == version(BASE)


@pytest.mark.parametrize(
    "changed",
    [
        BASE.assign(x=[1.5, 0.0]),
        BASE.assign(x=[np.nextafter(1.5, 2), np.nan]),
        BASE.assign(label=["a", "b"]),
        BASE.assign(label=["ab", None]),
        BASE.rename(columns={"x": "y"}),
        BASE[["label", "x"]],
        BASE.iloc[::-1],
        BASE.iloc[:1],
        BASE.astype({"x": "float32"}),
    ],
)
def test_any_change_of_content_matters(changed: pd.DataFrame) -> None:
    assert version(changed) != version(BASE)


def test_signed_zero_and_types_matter() -> None:
    assert version(pd.DataFrame({"x": [0.0]})) != version(pd.DataFrame({"x": [-0.0]}))
    assert version(pd.DataFrame({"x": [0]})) != version(pd.DataFrame({"x": [0.0]}))
    assert version(pd.DataFrame({"x": [None]})) == version(pd.DataFrame({"x": [np.nan]}, dtype="O"))
