"""Rows that have left, counted from an audit log."""

import json

import pandas as pd
import pytest

from dagster_project.released_rows import rows_released_before

SAME = "the version of the table that is about to leave"


def candidate(generator: str, version: str, people: str, n_rows: int) -> dict[str, object]:
    return {
        "asset": f"{generator}/release_candidate",
        "kind": "table",
        "data_version": version,
        "upstream": json.dumps({"splits": people, f"{generator}/hybrid_triplets": "0"}),
        "n_rows": n_rows,
    }


def release(generator: str, version: str) -> dict[str, object]:
    return {
        "asset": f"{generator}/release_bundle",
        "kind": "document",
        "data_version": "of its checksums",
        "upstream": json.dumps({f"{generator}/release_candidate": version}),
        "n_rows": None,
    }


@pytest.mark.parametrize(
    ("entries", "n_rows"),
    [
        ([candidate("cart", "v1", "people", 100)], 0),
        ([candidate("cart", "v1", "people", 100), release("cart", "v1")], 100),
        ([candidate("cart", "v1", "others", 100), release("cart", "v1")], 100),
        ([candidate("cart", SAME, "people", 2), release("cart", SAME)], 0),
        ([candidate("cart", "v1", "people", 100)] * 3 + [release("cart", "v1")] * 2, 100),
        (
            [
                *(candidate("cart", f"v{i}", "people", 100) for i in range(3)),
                candidate("gan", "v9", "people", 50),
                *(release("cart", "v1"), release("cart", "v2"), release("gan", "v9")),
            ],
            250,
        ),
    ],
    ids=["never left", "left", "another seed", "this table", "twice", "generators share"],
)
def test_rows_that_left_are_counted_once(entries: list[dict[str, object]], n_rows: int) -> None:
    log = pd.DataFrame(entries)
    assert rows_released_before(log, SAME) == n_rows
