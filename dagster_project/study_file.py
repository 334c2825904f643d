"""The YAML a user edits: a study, where its rows are, and who answers for it."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from dagster._utils.pydantic_yaml import enrich_validation_errors_with_source_position
from dagster_shared.check import CheckError
from dagster_shared.yaml_utils import parse_yaml_with_source_position
from dagster_shared.yaml_utils.source_position import ValueAndSourcePositionTree
from pydantic import Field, model_validator

from dagster_project.schedule import Schedule
from dagster_project.sources import AnySource
from dagster_project.sources.base import KnownEffect
from hybrid_assets.errors import StudyError
from hybrid_assets.study import AssignmentDesign, ObservationalDesign, Strict, Study

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


class Pairing(Strict):
    """Repair of poor overlap with outcomes of another study's people.

    Parameters
    ----------
    donor : source or "self"
        A table with the study's columns and people under both treatments
        where the study has none. ``self`` means the study's own synthetic
        rows, which know nothing that the study does not.
    donor_design : AssignmentDesign
        How the donor's treatment was assigned; observational by default.
    force : bool
        Needed for ``self``: the result is no estimate of the effect.
    """

    donor: AnySource | Literal["self"]
    donor_design: AssignmentDesign = ObservationalDesign(kind="observational")
    force: bool = False

    @model_validator(mode="after")
    def _self_is_forced(self) -> Self:
        if self.donor == "self" and not self.force:
            raise ValueError(
                "donor: expected another study's table; a study paired with its own synthetic "
                "rows is further from the truth than without (force: true makes it all the same, "
                "labelled as no estimate of the effect)"
            )
        if self.force and self.donor != "self":
            raise ValueError("force: expected with donor: self only")
        return self


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
    pairing : Pairing, optional
        Adds ``<generator>/paired_table`` for every generator.
    schedule : Schedule, optional
        When the study is refreshed by itself.
    on_new_seed : bool
        Whether it is refreshed once for each new version of its source.
    """

    source: AnySource
    schedule: Schedule | None = Field(default=None, exclude=True)  # decides no result: no part
    on_new_seed: bool = Field(default=False, exclude=True)  # of the content hash
    holdout: Holdout = Holdout(share=0.2)
    owners: tuple[Owner, ...] = ()
    pairing: Pairing | None = None

    @model_validator(mode="after")
    def _holdout_is_other_people(self) -> Self:
        if self.holdout.source == self.source:
            raise ValueError("holdout: expected other people than the seed's; got its own source")
        return self

    @model_validator(mode="after")
    def _donor_is_other_people(self) -> Self:
        if self.pairing is not None and self.pairing.donor == self.source:
            raise ValueError("pairing: expected other people than the seed's; got its own source")
        if self.pairing is not None and self.recipe == "published":
            raise ValueError(
                "pairing: expected recipe targeted (hybrid paper-tables has the published one)"
            )
        return self

    @model_validator(mode="after")
    def _watched_source_can_change(self) -> Self:
        if self.on_new_seed and not self.source.lies_in_files:
            raise ValueError("on_new_seed: expected a source that lies in files of your own")
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
        If the file cannot be read, is not YAML of plain values, or has no ``attributes``.
    yaml.YAMLError
        If it is not YAML; names the file and the line.
    pydantic.ValidationError
        If its attributes do not make a study; names the file and the line.
    """
    parsed = _parsed(file)
    positions = parsed.source_position_tree.children.get("attributes")
    if positions is None:
        raise StudyError(f"study file {file}: expected the key attributes; got none")
    with enrich_validation_errors_with_source_position(positions, ["attributes"]):
        return StudyFile.model_validate(parsed.value["attributes"])


def _parsed(file: Path) -> ValueAndSourcePositionTree:
    try:
        return parse_yaml_with_source_position(file.read_text(encoding="utf-8"), str(file))
    except yaml.MarkedYAMLError:
        raise
    except yaml.YAMLError:
        wanted, got = "YAML", "a character that YAML does not allow"
    except CheckError:  # how Dagster says that there is nothing in it
        wanted, got = "the keys type and attributes", "none"
    except UnicodeDecodeError:
        wanted, got = "UTF-8 text", "other bytes"
    except OSError as error:
        wanted, got = "a file that can be read", error.strerror or type(error).__name__
    except Exception as error:  # the loader fails in its own ways on tags, keys and depth
        wanted, got = "YAML of plain keys, text and numbers", type(error).__name__
    raise StudyError(f"study file {file}: expected {wanted}; got {got}")
