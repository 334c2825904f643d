"""requirements.lock is what pyproject asks for, whole, pinned and hashed."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).parents[1]
LOCK = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
PINNED = re.compile(
    r"^([a-z0-9][a-z0-9-]*)==([^ ;\\]+)(.*)((?:\n    --hash=sha256:[0-9a-f]{64}.*)+)", re.M
)
PINS = {name: Version(version) for name, version, *_ in PINNED.findall(LOCK)}
EXTRAS = ("dev", "browser", "soak", "buckets")


def asked_for() -> list[Requirement]:
    """List what pyproject asks for, extras of its own followed."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    waiting = [*project["dependencies"], *(each for name in EXTRAS for each in extras[name])]
    found = []
    while waiting:
        asked = Requirement(waiting.pop())
        if asked.name == project["name"]:
            waiting += [each for name in asked.extras for each in extras[name]]
        else:
            found.append(asked)
    return found


def test_every_pin_satisfies_pyproject() -> None:
    unmet = [str(r) for r in asked_for() if PINS[canonicalize_name(r.name)] not in r.specifier]
    assert unmet == []


def test_every_line_is_a_pin_with_its_hashes_and_names_no_place() -> None:
    left = PINNED.sub("", LOCK)
    assert [line for line in left.splitlines() if line and not line.startswith("#")] == []
    assert re.findall(r"://| @ |--index|--find-links|-e ", LOCK) == []


def test_what_the_installed_packages_need_is_pinned() -> None:
    """Goes from pyproject through the metadata of everything installed."""
    waiting = [(r.name, extra) for r in asked_for() for extra in ("", *r.extras)]
    seen: set[tuple[str, str]] = set()
    missing = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        if canonicalize_name(name) not in PINS:
            missing.add(name)
        try:
            needed = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:  # of another extra or platform
            continue
        met = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": extra})]
        waiting += [(r.name, wanted) for r in met for wanted in ("", *r.extras)]
    assert missing == set()
    assert len(seen) > 100
