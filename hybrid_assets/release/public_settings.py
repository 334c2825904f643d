"""The settings of a study that may be read by anyone: a list of what is told, not of what is not.

Left out on purpose: where the seed lies, who owns the study, which columns identify people, and
the random seed (whoever has it can undo the draws behind the rows).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybrid_assets.study import Study

PUBLIC = (
    "name",
    "title",
    "description",
    "treatment",
    "outcome",
    "missing",
    "design",
    "assignment",
    "recipe",
    "nuisance",
    "estimators",
    "estimands",
    "subgroups",
    "n_synthetic",
    "privacy",
    "release",
)
NOT_TOLD = "(a path or address: not told)"


def public_settings(study: Study, generator: str) -> dict[str, Any]:
    """Give the public settings of a study as plain words and numbers, defaults filled in.

    Parameters
    ----------
    study : Study
    generator : str
        Whose settings are told; those of others are not.
    """
    settings = study.model_dump(mode="json", include=set(PUBLIC))
    own = study.generators[generator].model_dump(mode="json")
    thresholds = study.gates.model_dump(mode="json", exclude={"overrides"})
    return {
        **{name: settings[name] for name in PUBLIC},
        "generator": {"name": generator, **{key: _told(value) for key, value in own.items()}},
        "gates": thresholds,
    }


def settings_yaml(settings: Mapping[str, Any]) -> bytes:
    """Write ``config.resolved.yaml``."""
    import yaml

    text: str = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True, width=100)
    return text.encode()


def _told(value: Any) -> Any:
    """Hide what may say where something lies on the study's machines."""
    is_place = isinstance(value, str) and any(mark in value for mark in "/\\~")
    return NOT_TOLD if is_place else value
