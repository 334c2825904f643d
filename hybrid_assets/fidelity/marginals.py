"""Each column's law against the training split's, with the holdout's own distance beside."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.errors import EvaluationError
from hybrid_assets.schema import ColumnSchema, TableSchema


def marginals(
    train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, schema: TableSchema
) -> pd.DataFrame:
    """Compare each column's law with the training split's.

    Parameters
    ----------
    train, holdout, synthetic : DataFrame
        Canonical tables with the columns of `schema`.

    Returns
    -------
    DataFrame
        One row per column: ``column``, ``kind``, ``statistic`` ("KS" for
        numbers: largest gap between the distribution functions; "TV" for
        listed levels: share of rows to move), ``distance`` (synthetic),
        ``holdout_distance`` (what unseen people give by chance), ``sd_ratio``
        and ``holdout_sd_ratio`` (to the training split's standard deviation;
        missing for levels and constant columns).
    """
    for name, table in {"train": train, "holdout": holdout, "synthetic": synthetic}.items():
        if table.empty:
            raise EvaluationError(f"study {schema.study!r}: the {name} table has no rows")
    rows = []
    for column in schema.columns:
        real, unseen, made = (t[column.name] for t in (train, holdout, synthetic))
        distance = _total_variation if column.is_discrete_set else _kolmogorov_smirnov
        rows.append(
            {
                "column": column.name,
                "kind": column.kind.value,
                "statistic": "TV" if column.is_discrete_set else "KS",
                "distance": distance(made, real),
                "holdout_distance": distance(unseen, real),
                "sd_ratio": _sd_ratio(made, real, column),
                "holdout_sd_ratio": _sd_ratio(unseen, real, column),
            }
        )
    return pd.DataFrame(rows)


def _total_variation(values: pd.Series, reference: pd.Series) -> float:
    shares = values.astype(object).value_counts(normalize=True)
    expected = reference.astype(object).value_counts(normalize=True)
    return 0.5 * float(shares.sub(expected, fill_value=0.0).abs().sum())


def _kolmogorov_smirnov(values: pd.Series, reference: pd.Series) -> float:
    first, second = np.sort(values.to_numpy(float)), np.sort(reference.to_numpy(float))
    at = np.concatenate([first, second])
    gaps = np.searchsorted(first, at, side="right") / len(first) - np.searchsorted(
        second, at, side="right"
    ) / len(second)
    return float(np.abs(gaps).max())


def _sd_ratio(values: pd.Series, reference: pd.Series, column: ColumnSchema) -> float:
    if column.is_discrete_set:
        return float("nan")
    sd = float(reference.to_numpy(float).std())
    return float(values.to_numpy(float).std()) / sd if sd > 0 else float("nan")
