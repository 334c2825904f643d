"""Names of a seed table's columns, before any cell is looked at."""

from __future__ import annotations

from hybrid_assets.columnwise import Columns
from hybrid_assets.errors import SeedTableError
from hybrid_assets.study import Study

RESERVED_PREFIX = "__"


def require_columns(table: Columns, study: Study) -> None:
    """Refuse a table that lacks a column of the study, or whose names are ambiguous.

    Names are quoted only once the treatment or the outcome is among them and none is a number:
    in a file without a header line they are somebody's cells.

    Raises
    ------
    SeedTableError
        For the first thing that is wrong.
    """
    names = [str(name) for name in table.columns]
    _require_declared(names, study)
    _require_unique(names, study)
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise SeedTableError(
                study.name,
                f"(number {position})",
                expected="a name for each column",
                got="an empty name (row names written by a spreadsheet or data frame?)",
            )
        if name.startswith(RESERVED_PREFIX):
            raise SeedTableError(
                study.name,
                name,
                expected="a name that does not start with two underscores (reserved)",
                got="one that does",
            )
    if not len(table):
        raise SeedTableError(study.name, "(table)", expected="rows", got="an empty table")


def _require_declared(names: list[str], study: Study) -> None:
    ends = [study.treatment, study.outcome]
    listed = f"columns {', '.join(names)}"
    if not set(ends) & set(names):
        listed = f"{len(names)} columns, the outcome not among them either (no header line?)"
    elif any(_is_number(name) for name in names):
        listed = f"{len(names)} columns, numbers among their names (no header line?)"
    for name in [*ends, *(study.covariates or ()), *study.identifiers]:
        if name not in names:
            raise SeedTableError(
                study.name, name, expected="a column of the seed table", got=listed
            )


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _require_unique(names: list[str], study: Study) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if name.casefold() in seen:
            raise SeedTableError(
                study.name,
                name,
                expected="a unique column name (letter case does not count)",
                got="it more than once",
            )
        seen[name.casefold()] = name
