"""Which catalog a place of shared files belongs to, as both say: ``hybrid-home.json``.

A folder that is not mounted looks like an empty one. So a place that studies were moved to holds
the identity of its catalog, drawn once and kept in PostgreSQL beside the path of the place, where a
dump takes it along. A home that moves its studies back to files holds the place from then on: all
other hosts are refused.
"""

import json
from functools import cache
from pathlib import Path

from warehouse.bucket import SharedBucket
from warehouse.bucket_access import SCHEME
from warehouse.errors import StorageUnavailable
from warehouse.lake import studies_in
from warehouse.lake_instances import (
    catalog_errors,
    catalog_rows,
    change_catalog,
    lent_instance,
)
from warehouse.names import quoted_text
from warehouse.shared_files import SharedFiles, SharedFolder

MARKER = "hybrid-home.json"
_MAKE = (
    "CREATE SCHEMA IF NOT EXISTS hybrid",
    "CREATE TABLE IF NOT EXISTS hybrid.home (identity uuid NOT NULL, data_path text NOT NULL, "
    "is_this boolean PRIMARY KEY DEFAULT true CHECK (is_this))",
)
_MARK = "INSERT INTO hybrid.home VALUES (gen_random_uuid(), {}) ON CONFLICT DO NOTHING"
_IS_MARKED = "SELECT 1 FROM pg_tables WHERE schemaname = 'hybrid' AND tablename = 'home'"
_MARKED = "SELECT identity::text, data_path FROM hybrid.home"
_UNTOUCHED = "nothing was read or written"


def shared_place(data_path: str) -> SharedFiles:
    """Return the files below a folder or a bucket's prefix."""
    if data_path.startswith(SCHEME):
        return SharedBucket(data_path)
    return SharedFolder(Path(data_path), MARKER)


def mark_home(catalog: str, data_path: str, mover: str = "") -> None:
    """Let a catalog without studies and a place of files belong together; nothing if they do.

    Parameters
    ----------
    catalog, data_path : str
    mover : str
        The home that moves there, which may hold the place.

    Raises
    ------
    StorageUnavailable
        If either cannot be written, if the catalog has studies and no such place, or the place
        belongs to another catalog or is held by another home.
    """
    is_empty = not studies_in(catalog)
    if is_empty and _marked(catalog) is None:
        with catalog_errors():
            change_catalog(catalog, *_MAKE, _MARK.format(quoted_text(data_path)))
    identity, place = _identity(catalog, data_path), shared_place(data_path)
    if is_empty:
        place.put_new(MARKER, _marker(identity))
    _require_same(place, identity, mover)


def require_home(catalog: str, data_path: str) -> None:
    """Refuse a place that is not that of the catalog; asks the place alone after the first time.

    Raises
    ------
    StorageUnavailable
        If the place has no marker, or another catalog's; if it is held by a home that moves to
        files; if one of the two cannot be reached.
    """
    _require_same(shared_place(data_path), _identity(catalog, data_path))


def hold_home(catalog: str, data_path: str, mover: str) -> None:
    """Let no home write to a place of the catalog any more; raises as `require_home`."""
    require_home(catalog, data_path)
    shared_place(data_path).put(MARKER, _marker(_identity(catalog, data_path), mover))


def free_home(catalog: str, data_path: str, mover: str) -> bool:
    """Let all hosts write again what a home held: False if it did not."""
    place, identity = shared_place(data_path), _identity(catalog, data_path)
    is_held = place.get(MARKER) == _marker(identity, mover)
    if is_held:
        place.put(MARKER, _marker(identity))
    return is_held


@cache  # it never changes
def _identity(catalog: str, data_path: str) -> str:
    marked = _marked(catalog)
    if marked is None:
        raise StorageUnavailable(
            f"the catalog belongs to no place of files yet; hybrid warehouse migrate moves studies "
            f"to {data_path}, into a catalog without any; {_UNTOUCHED}"
        )
    identity, of_catalog = marked
    if of_catalog != data_path:
        raise StorageUnavailable(
            f"the catalog keeps its files in {of_catalog}, got {data_path}; name that place, or, "
            "if only a move that was cut off went there, drop the catalog's schemas hybrid and "
            f"hybrid_*; {_UNTOUCHED}"
        )
    return identity


def _marked(catalog: str) -> tuple[str, str] | None:
    with catalog_errors(), lent_instance(catalog) as instance:
        if not catalog_rows(instance, _IS_MARKED):
            return None
        identity, data_path = catalog_rows(instance, _MARKED)[0]
    return str(identity), str(data_path)


def _marker(identity: str, mover: str = "") -> bytes:
    held = {"held_by": mover} if mover else {}
    return json.dumps({"catalog": identity, **held}).encode()


def _require_same(place: SharedFiles, identity: str, mover: str = "") -> None:
    found = place.get(MARKER)
    if found in (_marker(identity), _marker(identity, mover)):
        return
    if found is None:
        raise StorageUnavailable(
            f"{place.place} holds no {MARKER}: it is not mounted here; mount it, or restore it; "
            f"{_UNTOUCHED}"
        )
    told = found[:300].decode(errors="replace")
    if found.startswith(_marker(identity)[:-1]):
        raise StorageUnavailable(
            f"{place.place} is held by a home that moves its studies to files, or did: {told}; "
            "there, hybrid warehouse migrate --to-files finishes a move that was cut off, and "
            f"migrate --catalog … --data-path … undoes it or moves back; {_UNTOUCHED}"
        )
    raise StorageUnavailable(
        f"{place.place} belongs to another catalog, by its {MARKER}: expected {identity}, got "
        f"{told}; {_UNTOUCHED}"
    )
