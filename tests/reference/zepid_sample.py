"""Cut zEpid's sample data down to one row per person: ``zepid_sample.csv.gz``.

Source: ``zepid/datasets/data.dat`` in the wheel zepid 0.9.1, Copyright (c) 2018
Paul Zivich, MIT License (text below); simulated by Jessie Edwards. 547 people
with HIV: `art` (treatment), `dead` by week 45 (missing if lost), `cd4_wk45`
(missing if dead or lost), covariates at the start.

Needs pandas and zepid (pip install --no-deps zepid==0.9.1; it is not imported).
Run: python tests/reference/zepid_sample.py

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (zepid), to deal in the
Software without restriction, including without limitation the rights to use,
copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the
Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions: The above copyright notice and this
permission notice shall be included in all copies or substantial portions of
the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND,
EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO
EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR
OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING
FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.
"""

from importlib.metadata import distribution
from pathlib import Path

import pandas as pd

COLUMNS = ["id", "enter", "out", "male", "age0", "cd40", "dvl0", "cd4", "dvl", "art"]
COLUMNS += ["drop", "dead", "t"]
LAST_WEEK = 45


def people(visits: pd.DataFrame) -> pd.DataFrame:
    visits = visits.sort_values(["id", "enter"])
    first, last = visits.groupby("id").first(), visits.groupby("id").last()
    table = first[["male", "age0", "cd40", "dvl0", "art"]]
    dead = last["dead"].where(~((last["drop"] == 1) & (last["out"] <= LAST_WEEK)))
    dead = dead.mask((dead == 1) & (last["out"] > LAST_WEEK), 0)
    cd4 = visits[visits["out"] <= LAST_WEEK].groupby("id")["cd4"].last()
    return table.assign(dead=dead, cd4_wk45=cd4.mask(dead == 1)).astype("Int64")


if __name__ == "__main__":
    data = distribution("zepid").locate_file("zepid/datasets/data.dat")
    visits = pd.read_csv(data, sep=r"\s+", header=None, names=COLUMNS)
    target = Path(__file__).with_suffix(".csv.gz")
    people(visits).to_csv(target, index=False, compression={"method": "gzip", "mtime": 0})
