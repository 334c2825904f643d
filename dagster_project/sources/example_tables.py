"""Packaged trials and cohorts as the tables their studies name; one function a file."""

from io import BytesIO

import pandas as pd


def nhefs_table(content: bytes) -> pd.DataFrame:
    """Read the Stata file; labelled levels become the numbers behind them."""
    table = pd.read_stata(BytesIO(content))
    labelled = table.select_dtypes("category").columns
    return table.astype({name: "float64" for name in labelled})


def actg175_table(content: bytes) -> pd.DataFrame:
    """Keep the two combination arms: zidovudine with zalcitabine (1) or with didanosine (0).

    Adds ``zalcitabine``, the treatment, in place of ``arms`` (2 and 1).
    Hammer et al. 1996, doi:10.1056/NEJM199610103351501.
    """
    people = pd.read_csv(BytesIO(content), index_col=0)
    people = people.loc[people["arms"].isin((1, 2))].reset_index(drop=True)
    return people.assign(zalcitabine=(people["arms"] == 2).astype("int64")).drop(columns="arms")
