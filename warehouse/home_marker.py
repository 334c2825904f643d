"""Which catalog a place of shared files belongs to, as both say: ``hybrid-home.json``.

A folder that is not mounted looks like an empty one. So a place that studies were moved to holds
the identity of its catalog, drawn once and kept in PostgreSQL, where a dump takes it along.
"""

import json
from functools import cache
from pathlib import Path

from warehouse.bucket import SharedBucket
from warehouse.bucket_access import SCHEME
from warehouse.errors import StorageUnavailable
from warehouse.lake_instances import (
    catalog_errors,
    catalog_rows,
    change_catalog,
    lent_instance,
)
from warehouse.shared_files import SharedFiles, SharedFolder

MARKER = "hybrid-home.json"
_MARK = (
    "CREATE SCHEMA IF NOT EXISTS hybrid",
    "CREATE TABLE IF NOT EXISTS hybrid.home "
    "(identity uuid NOT NULL, is_this boolean PRIMARY KEY DEFAULT true CHECK (is_this))",
    "INSERT INTO hybrid.home VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING",
)
_IS_MARKED = "SELECT 1 FROM pg_tables WHERE schemaname = 'hybrid' AND tablename = 'home'"
_IDENTITY = "SELECT identity::text FROM hybrid.home"


def shared_place(data_path: str) -> SharedFiles:
    """Return the files below a folder or a bucket's prefix."""
    if data_path.startswith(SCHEME):
        return SharedBucket(data_path)
    return SharedFolder(Path(data_path))


def mark_home(catalog: str, data_path: str) -> None:
    """Let a catalog and a place of files belong together; nothing if they do.

    Raises
    ------
    StorageUnavailable
        If either cannot be written, or the place belongs to another catalog.
    """
    if _identity(catalog, data_path) is None:
        with catalog_errors():
            change_catalog(catalog, *_MARK)
    identity = _identity(catalog, data_path)
    place = shared_place(data_path)
    place.put_new(MARKER, json.dumps({"catalog": identity}).encode())
    _require_same(place, identity)


@cache  # of what belongs together: asked once by a process
def require_home(catalog: str, data_path: str) -> None:
    """Refuse a place that is not that of the catalog.

    Raises
    ------
    StorageUnavailable
        If the place has no marker, or another catalog's; if one of the two cannot be reached.
    """
    _require_same(shared_place(data_path), _identity(catalog, data_path))


def _identity(catalog: str, data_path: str) -> str | None:
    with catalog_errors(), lent_instance(catalog, data_path) as instance:
        if not catalog_rows(instance, _IS_MARKED):
            return None
        return str(catalog_rows(instance, _IDENTITY)[0][0])


def _require_same(place: SharedFiles, identity: str | None) -> None:
    found = place.get(MARKER)
    if found is None:
        raise StorageUnavailable(
            f"{place.place} holds no {MARKER}: it is not mounted here, or nothing was moved to it "
            "yet (hybrid warehouse migrate); nothing was read or written"
        )
    if found != json.dumps({"catalog": identity}).encode():
        raise StorageUnavailable(
            f"{place.place} belongs to another catalog, by its {MARKER}: expected "
            f"{identity or 'none, for this catalog has no home yet'}, got "
            f"{found[:80].decode(errors='replace')}; nothing was read or written"
        )
