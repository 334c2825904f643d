"""How many rows have left already, by the audit log."""

import json
from typing import Final

import pandas as pd

from warehouse import data_version, storable_table

CANDIDATE: Final = "release_candidate"
BUNDLE: Final = "release_bundle"


def rows_released_before(entries: pd.DataFrame, *, people: str, table: pd.DataFrame) -> int:
    """Count the rows of other tables that were released of the same training people.

    A table that was released twice tells nothing new and counts once; the
    generators of a study draw on one budget.

    Parameters
    ----------
    entries : DataFrame
        The study's audit log.
    people : str
        Data version of ``splits``: who the training people are.
    table : DataFrame
        What is about to be released; if it was before, it is not counted.
    """
    upstream = entries["upstream"].map(json.loads)
    is_bundle = entries["asset"].str.endswith(f"/{BUNDLE}")
    released = {
        version
        for links in upstream[is_bundle]
        for asset, version in links.items()
        if asset.endswith(f"/{CANDIDATE}")
    }
    is_of_these_people = upstream.map(lambda links: links.get("splits") == people)
    candidates = entries[
        entries["asset"].str.endswith(f"/{CANDIDATE}")
        & (entries["kind"] == "table")
        & is_of_these_people
        & entries["data_version"].isin(released - {data_version(storable_table(table))})
    ]
    return int(candidates.drop_duplicates("data_version")["n_rows"].sum())
