"""How many rows have left already, by the audit log."""

import json
from typing import Final

import pandas as pd

CANDIDATE: Final = "release_candidate"
BUNDLE: Final = "release_bundle"


def rows_released_before(entries: pd.DataFrame, data_version: str) -> int:
    """Count the rows of other tables that the study has released.

    All of them, whatever seed they were made from: a person who was added or a
    new split leaves nearly everybody in. A table that was released twice tells
    nothing new and counts once; the generators of a study draw on one budget.

    Parameters
    ----------
    entries : DataFrame
        The study's audit log.
    data_version : str
        Of the table that is about to be released; if it was before, it is not counted.
    """
    upstream = entries.loc[entries["asset"].str.endswith(f"/{BUNDLE}"), "upstream"]
    released = {
        version
        for links in upstream.map(json.loads)
        for asset, version in links.items()
        if asset.endswith(f"/{CANDIDATE}")
    }
    candidates = entries[
        entries["asset"].str.endswith(f"/{CANDIDATE}")
        & (entries["kind"] == "table")
        & entries["data_version"].isin(released - {data_version})
    ]
    return int(candidates.drop_duplicates("data_version")["n_rows"].sum())
