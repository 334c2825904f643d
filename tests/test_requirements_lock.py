"""Each lock is what pyproject asks for, whole, pinned and hashed."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).parents[1]
PINNED = re.compile(
    r"^([a-z0-9][a-z0-9-]*)==([^ ;\\]+)(.*)((?:\n    --hash=sha256:[0-9a-f]{64}.*)+)", re.M
)
EXTRAS = {
    "requirements.lock": ("dev", "browser", "soak", "buckets"),
    "deploy/requirements.lock": ("k8s", "lake", "ray", "dp", "signing"),
}
LOCKS = {file: (PROJECT / file).read_text(encoding="utf-8") for file in EXTRAS}
PINS = {
    file: {name: Version(version) for name, version, *_ in PINNED.findall(lock)}
    for file, lock in LOCKS.items()
}
each_lock = pytest.mark.parametrize("file", EXTRAS)


def asked_for(file: str) -> list[Requirement]:
    """List what pyproject asks for, extras of its own followed."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    waiting = [*project["dependencies"], *(each for name in EXTRAS[file] for each in extras[name])]
    found = []
    while waiting:
        asked = Requirement(waiting.pop())
        if asked.name == project["name"]:
            waiting += [each for name in asked.extras for each in extras[name]]
        else:
            found.append(asked)
    return found


@each_lock
def test_every_pin_satisfies_pyproject(file: str) -> None:
    pins = PINS[file]
    unmet = [str(r) for r in asked_for(file) if pins[canonicalize_name(r.name)] not in r.specifier]
    assert unmet == []


@each_lock
def test_every_line_is_a_pin_with_its_hashes_and_names_no_place(file: str) -> None:
    left = PINNED.sub("", LOCKS[file])
    assert [line for line in left.splitlines() if line and not line.startswith("#")] == []
    assert re.findall(r"://| @ |--index|--find-links|-e ", LOCKS[file]) == []


@each_lock
def test_what_the_installed_packages_need_is_pinned(file: str) -> None:
    """Goes from pyproject through the metadata of everything installed."""
    waiting = [(r.name, extra) for r in asked_for(file) for extra in ("", *r.extras)]
    seen: set[tuple[str, str]] = set()
    missing = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        if canonicalize_name(name) not in PINS[file]:
            missing.add(name)
        try:
            needed = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:  # of another extra or platform
            continue
        met = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": extra})]
        waiting += [(r.name, wanted) for r in met for wanted in ("", *r.extras)]
    assert missing == set()
    assert len(seen) > 100


def test_what_is_deployed_is_what_was_tested() -> None:
    tested, deployed = PINS.values()
    assert {name: deployed[name] for name in tested.keys() & deployed.keys()} == {
        name: tested[name] for name in tested.keys() & deployed.keys()
    }
