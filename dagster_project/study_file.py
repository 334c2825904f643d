"""The YAML a user edits: a study, where its rows are, and who answers for it."""

from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from dagster._utils.pydantic_yaml import enrich_validation_errors_with_source_position
from dagster_shared.yaml_utils import parse_yaml_with_source_position
from pydantic import Field, model_validator

from dagster_project.sources import AnySource
from dagster_project.sources.base import KnownEffect
from hybrid_assets.errors import StudyError
from hybrid_assets.study import Strict, Study

Owner = Annotated[str, Field(pattern=r"^(team:[A-Za-z0-9_-]+|[^@\s:]+@[^@\s:]+\.[^@\s:]+)$")]


class Holdout(Strict):
    """People the generators never see: a share of the seed, or a table of its own.

    Parameters
    ----------
    share : float
        Of the seed's rows, within each arm; over 0 and at most 0.5.
    source : source, optional
        Another table with the seed's columns, instead of a share.
    """

    share: float | None = Field(default=None, gt=0.0, le=0.5)
    source: AnySource | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_of_the_two(cls, value: Any) -> Any:
        given = value if isinstance(value, dict) else {}
        if len([key for key in ("share", "source") if given.get(key) is not None]) != 1:
            raise ValueError("holdout: expected either a share or a source")
        return value

    @property
    def chosen_share(self) -> float:
        """The share; asked for only where there is no source."""
        return self.share or 0.0


class StudyFile(Study):
    """A study with its source, its holdout and its owners.

    Parameters
    ----------
    source : source
        Of the seed table.
    holdout : Holdout
        One fifth of the seed unless the file says otherwise.
    owners : tuple of str
        E-mail addresses or ``team:name``.
    """

    source: AnySource
    holdout: Holdout = Holdout(share=0.2)
    owners: tuple[Owner, ...] = ()

    @model_validator(mode="after")
    def _holdout_is_other_people(self) -> Self:
        if self.holdout.source == self.source:
            raise ValueError("holdout: expected other people than the seed's; got its own source")
        return self

    @property
    def known_effect(self) -> KnownEffect | None:
        """The true effect, where the seed is simulated."""
        return self.source.known_effect


def read_study_file(file: Path) -> StudyFile:
    """Read a ``defs.yaml`` that lies anywhere.

    Raises
    ------
    StudyError
        If the file has no ``attributes``.
    pydantic.ValidationError
        If they do not make a study; names the file and the line.
    """
    with file.open(encoding="utf-8") as lines:
        if not isinstance(yaml.safe_load(lines), dict):
            raise StudyError(f"study file {file}: expected the keys type and attributes; got none")
    parsed = parse_yaml_with_source_position(file.read_text(encoding="utf-8"), str(file))
    positions = parsed.source_position_tree.children.get("attributes")
    if positions is None:
        raise StudyError(f"study file {file}: expected the key attributes; got none")
    with enrich_validation_errors_with_source_position(positions, ["attributes"]):
        return StudyFile.model_validate(parsed.value["attributes"])
