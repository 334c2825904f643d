"""Covariate generators by the word a study calls them."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from hybrid_assets.generators.base import (
    CovariateGenerator,
    GeneratorSettings,
    ScoresRows,
    require_complete,
)
from hybrid_assets.generators.bootstrap import BootstrapGenerator
from hybrid_assets.generators.cart import CartGenerator
from hybrid_assets.generators.dp import DpGenerator, DpSettings
from hybrid_assets.generators.drawing import ValidRows, draw_valid
from hybrid_assets.generators.drawn_block import DrawReport
from hybrid_assets.generators.gan import GanGenerator
from hybrid_assets.generators.great import GreatGenerator
from hybrid_assets.generators.llm import LlmGenerator

GENERATORS: dict[str, type[CovariateGenerator]] = {
    "bootstrap": BootstrapGenerator,
    "cart": CartGenerator,
    "gan": GanGenerator,
    "llm": LlmGenerator,
    "great": GreatGenerator,
    "dp": DpGenerator,
}


def scores_rows(kind: str) -> bool:
    """Whether generators of a kind can say how likely they find rows."""
    return issubclass(GENERATORS[kind], ScoresRows)


if TYPE_CHECKING:
    UndecidedGeneratorSettings = GeneratorSettings
else:
    UndecidedGeneratorSettings = Union[tuple(g.settings_class for g in GENERATORS.values())]  # noqa: UP007
AnyGeneratorSettings = Annotated[UndecidedGeneratorSettings, Field(discriminator="kind")]

__all__ = [
    "GENERATORS",
    "AnyGeneratorSettings",
    "CovariateGenerator",
    "DpSettings",
    "DrawReport",
    "GeneratorSettings",
    "ScoresRows",
    "UndecidedGeneratorSettings",
    "ValidRows",
    "draw_valid",
    "require_complete",
    "scores_rows",
]
