"""Settings by name, as a study file may write them: a list, a mapping, or names with nothing."""

from __future__ import annotations

from typing import Any

from hybrid_assets.generators import GENERATORS


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
        if not (isinstance(name, str) and name.isidentifier() and name == name.lower()):
            raise ValueError(f"generator name {name!r}: expected a lower-case word")
        if isinstance(settings, dict):
            named[name] = {"kind": name, **settings}
            kind = named[name]["kind"]
            if not isinstance(kind, str) or kind not in GENERATORS:
                known = ", ".join(GENERATORS)
                raise ValueError(f"unknown generator {kind!r}; known: {known}")
    return named
