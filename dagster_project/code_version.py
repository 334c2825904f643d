"""Which code made a table: a hash over the sources that decide its content."""

import hashlib
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parent.parent
SCIENCE = ("hybrid_assets", "warehouse", "dagster_project")


@cache
def science_version() -> str:
    """Give sixteen hex digits that change with any line of the science."""
    digest = hashlib.sha256()
    for folder in SCIENCE:
        for file in sorted((PROJECT / folder).rglob("*")):
            if file.suffix in (".py", ".sql", ".html"):
                digest.update(file.relative_to(PROJECT).as_posix().encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
