"""Settings by name, as a study file may write them: a list, a mapping, or names with nothing."""

from __future__ import annotations

import re
from typing import Any

from hybrid_assets.generators import GENERATORS

GENERATOR_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")  # it becomes part of table names


def named_settings(value: Any) -> Any:
    """Turn a list of names into names with default settings; so too a name with nothing."""
    if isinstance(value, (list, tuple)):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("expected names in the list")
        repeated = sorted({name for name in value if value.count(name) > 1})
        if repeated:
            raise ValueError(f"named more than once: {repeated}")
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {name: {} if settings is None else settings for name, settings in value.items()}
    return value


def generators_by_name(value: Any) -> Any:
    """Give each generator its kind, by default the name it carries."""
    named = named_settings(value)
    if not isinstance(named, dict):
        return named
    for name, settings in named.items():
        if not (isinstance(name, str) and len(name) <= 40 and GENERATOR_NAME.fullmatch(name)):
            raise ValueError(
                f"generator name {name!r}: expected lower-case words joined by single underscores, "
                "at most 40 characters"
            )
        if isinstance(settings, dict):
            named[name] = {"kind": name, **settings}
            kind = named[name]["kind"]
            if not isinstance(kind, str) or kind not in GENERATORS:
                known = ", ".join(GENERATORS)
                raise ValueError(f"unknown generator {kind!r}; known: {known}")
    return named
