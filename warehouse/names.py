"""Names of studies, assets, tables and SQL identifiers."""

import re

from warehouse.errors import InvalidName

_STUDY = re.compile(r"[a-z][a-z0-9_]{0,62}")
# No double and no trailing underscore in a part, so that "/" <-> "__" is one to one.
_ASSET_PART = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
_ASSET = re.compile(rf"{_ASSET_PART}(?:/{_ASSET_PART})*")
_LONGEST_ASSET = 120


def check_study(study: str) -> str:
    """Return `study` unchanged if it can name a database file.

    Raises
    ------
    InvalidName
        If it does not match ``[a-z][a-z0-9_]{0,62}``.
    """
    if not _STUDY.fullmatch(study):
        raise InvalidName(
            f"study {study!r} cannot name a database file; start with a lower-case letter and use "
            "at most 63 lower-case letters, digits and underscores"
        )
    return study


def table_name(asset: str) -> str:
    """Return the table that holds `asset`: ``"gan/hybrid_triplets"`` -> ``"gan__hybrid_triplets"``.

    Raises
    ------
    InvalidName
        If a part is not made of lower-case words joined by single underscores, which also keeps
        an asset from naming a path outside its folder.
    """
    if len(asset) > _LONGEST_ASSET or not _ASSET.fullmatch(asset):
        raise InvalidName(
            f"asset {asset!r} cannot name a table; use lower-case words joined by single "
            f"underscores, parts separated by '/', at most {_LONGEST_ASSET} characters"
        )
    return asset.replace("/", "__")


def quoted(identifier: str) -> str:
    """Return `identifier` as a quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """Return `text` as an SQL string, for statements such as COMMENT that take no parameters."""
    return "'" + text.replace("'", "''") + "'"
