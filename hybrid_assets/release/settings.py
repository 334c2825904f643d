"""What a study's author says about its releases."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

NO_LICENSE = "not stated: ask the publisher before use"
INTENDED_USE = (
    "Planning, teaching, software tests and choosing an estimator; re-analysis of the average "
    "effect with the widened interval. Not for decisions on a person, and not as new evidence "
    "beside the study: the rows know no more than its people."
)


class ReleaseSettings(BaseModel):
    """Words on the card, and whether the truth goes with the table. Everything here is public.

    Parameters
    ----------
    license : str
        Name or SPDX word of the terms of use.
    publisher, contact : str
        Who answers for a release, and where questions go.
    intended_use : str
        What the table is for, and what it is not for.
    include_counterfactuals : bool
        Adds each row's mean outcome under control and under treatment, which
        are the outcome model's own predictions: for teaching and benchmarks.
    descriptions : dict of str to str
        Column -> what it holds and its unit, for the data dictionary.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    license: str = NO_LICENSE
    publisher: str = ""
    contact: str = ""
    intended_use: str = INTENDED_USE
    include_counterfactuals: bool = False
    descriptions: dict[str, str] = {}
