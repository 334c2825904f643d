"""Which packages made something: names and versions of what is installed, and no places."""

import platform
import re
from importlib.metadata import distributions


def environment_lock() -> bytes:
    """List Python's version and every installed package as ``name==version``, sorted."""
    found = {(_plain(each.name), each.version) for each in distributions() if each.name}
    lines = [f"{name}=={version}" for name, version in found]
    return "\n".join([f"# Python {platform.python_version()}", *sorted(lines), ""]).encode()


def _plain(name: str) -> str:
    """Write a name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
