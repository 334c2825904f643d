"""Rows that equal somebody's, counted over whole tables in blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from hybrid_assets.privacy.distinct import RowSet
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.schema import TableSchema


@dataclass(frozen=True)
class CopyCounts:
    """Copies among all rows and all people; attributes as in `DcrEvaluation`."""

    n_copies_in_train: int
    n_copies_in_holdout: int
    n_holdout_copies_in_train: int
    n_synthetic: int
    n_train: int
    n_holdout: int


def count_copies(
    blocks: Iterable[pd.DataFrame],
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    schema: TableSchema,
) -> CopyCounts:
    """Count the rows of a table in blocks that equal somebody's in the columns of `schema`."""
    encoder = RecordEncoder.fit(train, schema)
    people, unseen = (encoder.encode(table) for table in (train, holdout))
    of_train, of_holdout = RowSet(people), RowSet(unseen)
    n_rows = n_in_train = n_in_holdout = 0
    for block in blocks:
        points = encoder.encode(block)
        n_rows += len(points)
        n_in_train += int(of_train.holds(points).sum())
        n_in_holdout += int(of_holdout.holds(points).sum())
    n_by_chance = int(of_train.holds(unseen).sum())
    return CopyCounts(n_in_train, n_in_holdout, n_by_chance, n_rows, len(people), len(unseen))
