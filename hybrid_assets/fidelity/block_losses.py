"""How likely a generator finds people and its hybrid rows, block by block."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

UNSEEN = "holdout people"


def block_losses(log_prob: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Give mean log losses by block: NLL(W), NLL(A | W) and NLL(Y | A, W) add up to a row's.

    People whom the generator was fitted to and unseen people differ by what
    it knows by heart. The chain rule is exact in each column order; over
    several orders, logs are averaged.

    Parameters
    ----------
    log_prob : mapping of str to DataFrame of shape (n_rows, n_blocks)
        Log probabilities in nats by table, such as ``"training people"``;
        one is `UNSEEN`. A column for each block.

    Returns
    -------
    DataFrame
        One row for each table and block: ``table_kind``, ``measure``,
        ``value`` (nats per row), ``standard_error`` (over rows),
        ``holdout_value`` (of unseen people), ``n_rows``.
    """
    unseen = log_prob[UNSEEN].mean()
    return pd.DataFrame(
        [
            {
                "table_kind": table,
                "measure": f"log_loss_{block}",
                "value": -scores[block].mean(),
                "standard_error": scores[block].std(ddof=1) / np.sqrt(len(scores)),
                "holdout_value": -unseen[block],
                "n_rows": len(scores),
            }
            for table, scores in log_prob.items()
            for block in scores.columns
        ]
    )
