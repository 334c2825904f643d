"""Which assets make A and Y on a generator's branch: the study's, or a private branch's own."""

from typing import Final, NamedTuple

from dagster_project.study_file import StudyFile
from hybrid_assets.generators import DpSettings

PRIVATE_ASSETS: Final = ("propensity_model", "outcome_model", "private_estimates")


class MadeWith(NamedTuple):
    """Names of the assets that make A and Y on a generator's branch.

    Attributes
    ----------
    propensity, outcome, target : str
        The target holds the arm means that the hybrid keeps.
    """

    propensity: str
    outcome: str
    target: str


def is_private(study: StudyFile, generator: str) -> bool:
    """Whether a study's generator promises differential privacy."""
    return isinstance(study.generators.get(generator), DpSettings)


def made_with(study: StudyFile, generator: str) -> MadeWith:
    """Name the study's models and estimates, or a private branch's own."""
    if is_private(study, generator):
        return MadeWith(*(f"{generator}/{name}" for name in PRIVATE_ASSETS))
    return MadeWith("propensity_model", "outcome_model", "seed_estimates")
