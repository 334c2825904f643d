"""What is estimated: whose outcomes under both treatments, and how they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EstimandWord = Literal["ate", "att", "atc", "risk_ratio", "odds_ratio"]
Population = Literal["everyone", "treated", "control"]
Contrast = Literal["difference", "ratio", "odds"]


@dataclass(frozen=True)
class Estimand:
    """A contrast of E[Y(1)] and E[Y(0)] in a population.

    Attributes
    ----------
    population : {"everyone", "treated", "control"}
        Whose means are compared.
    contrast : {"difference", "ratio", "odds"}
        Their difference, their ratio or the ratio of their odds. The last two
        are for a 0/1 outcome; their standard errors are those of the
        logarithm, and so are their intervals before they are exponentiated.
    """

    population: Population
    contrast: Contrast

    @property
    def is_ratio(self) -> bool:
        """Whether errors are on the log scale and no effect is 1."""
        return self.contrast != "difference"


ESTIMANDS: dict[EstimandWord, Estimand] = {
    "ate": Estimand("everyone", "difference"),
    "att": Estimand("treated", "difference"),
    "atc": Estimand("control", "difference"),
    "risk_ratio": Estimand("everyone", "ratio"),
    "odds_ratio": Estimand("everyone", "odds"),
}
