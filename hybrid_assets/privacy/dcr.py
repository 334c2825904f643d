"""Distance to the closest record, with what unseen people would give beside it."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.privacy.copies import CopyCounts, count_copies
from hybrid_assets.privacy.distinct import distinct_points
from hybrid_assets.privacy.nearest import (
    TIE_TOLERANCE,
    NearestPairs,
    nearest_distances,
    nearest_pairs,
)
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.schema import TableSchema


@dataclass(frozen=True)
class DistanceQuantiles:
    """Quantiles of distances to the closest record, in standard deviations.

    Attributes
    ----------
    q05, q25, q50, q75, q95 : float
        Not negative, in increasing order.
    """

    q05: float
    q25: float
    q50: float
    q75: float
    q95: float

    @classmethod
    def of(cls, distances: np.ndarray) -> Self:
        """Take the quantiles of distances of shape (n,)."""
        return cls(*(float(q) for q in np.quantile(distances, [0.05, 0.25, 0.5, 0.75, 0.95])))


@dataclass(frozen=True)
class DcrShare:
    """Share of synthetic rows that are closer to the training split than to the holdout.

    Attributes
    ----------
    value : float
        In [0, 1]; a row equally close to several people is split among them.
    expected : float
        What a generator that has not memorised anybody gives: n / (n + m).
    standard_error : float
        Over people, not rows: see `dcr_share`.
    z : float
        (value − expected) / standard_error; 0 where every person owns as much.
    """

    value: float
    expected: float
    standard_error: float
    z: float

    @property
    def ci_low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - 1.959964 * self.standard_error

    @property
    def ci_high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + 1.959964 * self.standard_error


@dataclass(frozen=True)
class DcrEvaluation:
    """How close synthetic rows come to real people.

    Compare `synthetic_to_train` with `holdout_to_train`: both look for the
    closest of the same people, and the holdout has certainly not copied them.
    `synthetic_to_holdout` searches a split of another size, where distances
    are larger if it is smaller; `share` allows for that.

    Attributes
    ----------
    synthetic_to_train, synthetic_to_holdout, holdout_to_train : DistanceQuantiles
    n_copies_in_train, n_copies_in_holdout : int
        Of all synthetic rows, those equal in every column to somebody of the split.
    n_holdout_copies_in_train : int
        Holdout rows equal to somebody in training: copies that are coincidence.
    n_synthetic, n_train, n_holdout : int
        Rows of the tables.
    n_measured : int
        Synthetic rows that distances and share are of, drawn at random: the rank of a quantile
        q is then known to ``sqrt(q (1 - q) / n_measured)``.
    share : DcrShare
    """

    synthetic_to_train: DistanceQuantiles
    synthetic_to_holdout: DistanceQuantiles
    holdout_to_train: DistanceQuantiles
    n_copies_in_train: int
    n_copies_in_holdout: int
    n_holdout_copies_in_train: int
    n_synthetic: int
    n_train: int
    n_holdout: int
    n_measured: int
    share: DcrShare

    @property
    def excess_copy_share(self) -> float:
        """Share of synthetic rows that copy a training row, beyond the holdout's share."""
        return (
            self.n_copies_in_train / self.n_synthetic
            - self.n_holdout_copies_in_train / self.n_holdout
        )


def distance_to_closest_record(
    records: pd.DataFrame, references: pd.DataFrame, encoder: RecordEncoder
) -> np.ndarray:
    """Give each record's distance to the closest reference.

    Parameters
    ----------
    records, references : DataFrame of shape (n, p) and (m, p)
    encoder : RecordEncoder
        Fitted to the training split.

    Returns
    -------
    ndarray of float64, shape (n,)
        Exactly 0 for a verbatim copy.

    Raises
    ------
    EvaluationError
        If `references` is empty or a value cannot be compared.
    """
    if references.empty:
        raise EvaluationError(
            f"study {encoder.schema.study!r}: there is no record to be close to (0 references)"
        )
    return nearest_distances(encoder.encode(records), encoder.encode(references))


def evaluate_dcr(
    synthetic: pd.DataFrame,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    schema: TableSchema,
    copies: CopyCounts | None = None,
    *,
    workers: Executor | None = None,
) -> DcrEvaluation:
    """Measure distances from synthetic rows to people, and between people.

    Parameters
    ----------
    synthetic, train, holdout : DataFrame
        With the columns of `schema`; others are ignored. Training rows are
        those that the generator has seen.
    schema : TableSchema
        Columns that count, e.g. ``schema.covariates``.
    copies : CopyCounts, optional
        Of the whole tables, where those given are random samples of them.
    workers : Executor, optional
        Searches blocks of many rows; this process if None.

    Raises
    ------
    EvaluationError
        If a split has fewer than 2 rows or a value cannot be compared.
    """
    for name, table in {"synthetic": synthetic, "holdout": holdout}.items():
        if len(table) < 2:
            raise EvaluationError(
                f"study {schema.study!r}: distances need at least 2 {name} rows; got {len(table)}"
            )
    encoder = RecordEncoder.fit(train, schema)
    points, people, unseen = (encoder.encode(table) for table in (synthetic, train, holdout))
    found = _Owners.of(points, people, unseen, workers)
    to_train, to_holdout = (
        found.train.distances[found.row_of],
        found.holdout.distances[found.row_of],
    )
    between = nearest_distances(unseen, people, workers)
    return DcrEvaluation(
        synthetic_to_train=DistanceQuantiles.of(to_train),
        synthetic_to_holdout=DistanceQuantiles.of(to_holdout),
        holdout_to_train=DistanceQuantiles.of(between),
        **asdict(copies or count_copies([synthetic], train, holdout, schema)),
        n_measured=len(points),
        share=found.share(),
    )


def dcr_share(points: np.ndarray, train: np.ndarray, holdout: np.ndarray) -> DcrShare:
    """Share of rows closer to training than to holdout, judged over people.

    Each synthetic row is owned by its nearest real record, in equal parts if
    several are equally near; c_r is the share of rows that record r owns. If
    the n training records are a random sample of all N = n + m, the sum of
    their c_r has mean n/N and standard error
    √(n (1 − n/N) Σ (c_r − 1/N)² / (N − 1)) (a sample total without
    replacement: Cochran 1977, *Sampling Techniques*, theorem 2.2). A binomial
    error over rows is too small: rows that fall near the same person are one
    piece of news.

    Parameters
    ----------
    points, train, holdout : ndarray of float64, shape (k, p), (n, p), (m, p)
        Encoded rows.
    """
    return _Owners.of(points, train, holdout).share()


@dataclass(frozen=True)
class _Owners:
    """Nearest records of the distinct synthetic rows, in training and in the holdout.

    Attributes
    ----------
    row_of : ndarray of int64, shape (k,)
        Distinct synthetic row of each synthetic row.
    train, holdout : NearestPairs
        Owners are distinct records of the split.
    n_at_train, n_at_holdout : ndarray of int64
        People at each distinct record.
    """

    row_of: np.ndarray
    train: NearestPairs
    holdout: NearestPairs
    n_at_train: np.ndarray
    n_at_holdout: np.ndarray

    @classmethod
    def of(
        cls,
        points: np.ndarray,
        train: np.ndarray,
        holdout: np.ndarray,
        workers: Executor | None = None,
    ) -> Self:
        rows, row_of = distinct_points(points)
        people, person_at = distinct_points(train)
        unseen, unseen_at = distinct_points(holdout)
        return cls(
            row_of,
            nearest_pairs(rows, people, workers),
            nearest_pairs(rows, unseen, workers),
            np.bincount(person_at),
            np.bincount(unseen_at),
        )

    def share(self) -> DcrShare:
        n_train, n_people = self.n_at_train.sum(), self.n_at_train.sum() + self.n_at_holdout.sum()
        least = np.minimum(self.train.distances, self.holdout.distances)
        n_owners = np.zeros(len(least))
        pairs = []
        splits = (self.train, self.n_at_train), (self.holdout, self.n_at_holdout)
        for found, n_at in splits:
            nearest = found.distances[found.rows] <= least[found.rows] * (1 + TIE_TOLERANCE)
            rows, owners = found.rows[nearest], found.owners[nearest]
            n_owners += np.bincount(rows, weights=n_at[owners], minlength=len(least))
            pairs.append((rows, owners))
        weight = np.bincount(self.row_of) / len(self.row_of) / n_owners
        owned = [
            np.bincount(owners, weights=weight[rows], minlength=len(n_at))
            for (rows, owners), (_, n_at) in zip(pairs, splits, strict=True)
        ]
        value, expected = float(np.sum(owned[0] * self.n_at_train)), float(n_train / n_people)
        variance = sum(
            float(np.sum(n_at * (c - 1 / n_people) ** 2))
            for c, (_, n_at) in zip(owned, splits, strict=True)
        ) / (n_people - 1)
        se = float(np.sqrt(n_train * (1 - expected) * variance))
        return DcrShare(value, expected, se, (value - expected) / se if se > 1e-12 else 0.0)
