"""The recipe of the published papers, kept to reproduce them, and what marks its results."""

from typing import Literal

RecipeWord = Literal["targeted", "published"]

PUBLISHED_LABEL = "published recipe: not for release"
PUBLISHED_GENERATOR_LABEL = "be-great as published: comparison only"
IN_SAMPLE_INTERVALS = (
    "in-sample forests: standard error too small (nominal 95 % intervals of AIPW cover 40-68 %, "
    "of TMLE 5-40 %)"
)
