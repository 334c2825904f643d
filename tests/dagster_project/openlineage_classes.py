"""OpenLineage's own Python classes as a reference for events: names, requirements, enums.

They are generated from the specification's JSON schemas, by the package openlineage-python.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import attrs


def facet_classes() -> dict[str, type]:
    """Give the class of every facet of the specification by the address of its schema."""
    generated = importlib.import_module("openlineage.client.generated")
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for one in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if attrs.has(one) and hasattr(one, "_get_schema"):
                found[one._get_schema()] = one
    return found


def faults(value: Any, kind: Any, place: str) -> Iterator[str]:
    """Say where a JSON value is not what a class, or a type made of classes, declares."""
    origin, arguments = get_origin(kind), get_args(kind)
    if arguments and NoneType in arguments:
        (kind,) = (one for one in arguments if one is not NoneType)
        yield from () if value is None else faults(value, kind, place)
    elif origin is list:
        for i, one in enumerate(value):
            yield from faults(one, arguments[0], f"{place}[{i}]")
    elif origin is dict:
        for name, one in value.items():
            if not place.endswith("acets"):  # facets are held against their own classes
                yield from faults(one, arguments[1], f"{place}.{name}")
    elif attrs.has(kind):
        yield from _field_faults(value, kind, place)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        yield from () if value in {one.value for one in kind} else [f"{place}: {value}"]
    elif kind in (str, bool, int) and not isinstance(value, kind):
        yield f"{place}: expected {kind.__name__}"


def _field_faults(value: dict[str, Any], kind: Any, place: str) -> Iterator[str]:
    hints, known = get_type_hints(kind), {field.name: field for field in attrs.fields(kind)}
    yield from (f"{place}: unknown {name}" for name in value.keys() - known.keys())
    for name, field in known.items():
        if name in value:
            yield from faults(value[name], hints[name], f"{place}.{name}")
        elif field.default is attrs.NOTHING:
            yield f"{place}: {name} is required"
