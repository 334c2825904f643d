"""A place of shared files that is not the catalog's own is refused, before anything is done."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import PostgresServer
from warehouse import (
    DecisionStore,
    KeyedHash,
    LakeSettings,
    ModelStore,
    PageStore,
    Provenance,
    ReleaseStore,
    StorageUnavailable,
    UnfinishedParts,
    Warehouse,
    mark_home,
    migrate,
    require_home,
    use_storage,
)
from warehouse.home_marker import MARKER, shared_place

pytestmark = pytest.mark.lake
LAKES = {"folder": "new_lake", "bucket": "new_bucket_lake"}
OPENING: list[Callable[[Path], object]] = [
    lambda home: Warehouse(home, "nhefs"),
    lambda home: DecisionStore(home, "nhefs"),
    lambda home: PageStore(home, "nhefs"),
    lambda home: ReleaseStore(home, "nhefs"),
    lambda home: ModelStore(home),
    lambda home: KeyedHash(home),
    lambda home: UnfinishedParts(home, "nhefs", "gan/x", "k"),
]


@pytest.fixture(params=LAKES)
def lake(request: pytest.FixtureRequest) -> LakeSettings:
    require_home.cache_clear()  # what another test of this process has seen
    found: LakeSettings = request.getfixturevalue(LAKES[request.param])
    return found


def refused(home: Path, fault: str) -> None:
    for opening in OPENING:
        with pytest.raises(StorageUnavailable, match=fault):
            opening(home)


def test_a_place_that_is_not_mounted_is_refused(
    lake: LakeSettings, tmp_path: Path, origin: Provenance
) -> None:
    use_storage(tmp_path / "home", lake)
    shared_place(lake.data_path).remove(MARKER)
    refused(tmp_path / "home", f"holds no {MARKER}: it is not mounted here, or nothing was moved")
    assert shared_place(lake.data_path).names("") == []
    mark_home(lake.catalog, lake.data_path)  # mounted
    rows = pd.DataFrame({"x": [1]})
    assert Warehouse(tmp_path / "home", "nhefs").record_table("seed_table", rows, origin)


def test_another_deployments_place_is_refused(
    lake: LakeSettings, postgres: PostgresServer, tmp_path: Path
) -> None:
    place = shared_place(lake.data_path)
    marked = place.get(MARKER)
    uuid.UUID(json.loads(marked or b"")["catalog"])
    with postgres.new_database() as catalog:
        use_storage(tmp_path / "home", LakeSettings(catalog=catalog, data_path=lake.data_path))
        refused(tmp_path / "home", "belongs to another catalog.*expected none, for this catalog")
        use_storage(tmp_path / "home", None)
        other = LakeSettings(catalog=catalog, data_path=lake.data_path)
        with pytest.raises(StorageUnavailable, match="belongs to another catalog, by its hybrid"):
            migrate(tmp_path / "home", other)
        assert not (tmp_path / "home" / "storage.json").exists()
    assert place.get(MARKER) == marked


def test_a_move_marks_the_place_once(lake: LakeSettings, tmp_path: Path) -> None:
    place = shared_place(lake.data_path)
    before = place.get(MARKER)
    for home in (tmp_path / "one", tmp_path / "other"):
        migrate(home, lake)
    assert place.get(MARKER) == before
    place.remove(MARKER)
    migrate(tmp_path / "third", lake)
    assert place.get(MARKER) == before  # the identity is the catalog's
    assert place.names("") == [MARKER]
