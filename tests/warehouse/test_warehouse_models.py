"""Saved models come back byte for byte or not at all."""

import json
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse import (
    CorruptModel,
    ModelNotFound,
    ModelStore,
    ModelVersion,
    Provenance,
    Warehouse,
)
from warehouse.errors import UnstorableModel


def write_forest(folder: Path) -> None:
    (folder / "trees").mkdir()
    (folder / "trees" / "0.json").write_text('{"leaf": 1}')
    (folder / "weights.safetensors").write_bytes(bytes(range(256)))


@pytest.fixture
def store(home: Path) -> ModelStore:
    return ModelStore(home)


@pytest.fixture
def saved(store: ModelStore) -> ModelVersion:
    return store.save(write_forest)


def test_save_and_open(store: ModelStore, saved: ModelVersion, home: Path) -> None:
    assert (saved.n_files, saved.n_bytes) == (2, 11 + 256)
    folder = store.open(saved)
    assert folder == home / "models" / saved.sha256 == store.open(saved.sha256)
    assert (folder / "weights.safetensors").read_bytes() == bytes(range(256))
    assert (folder / "trees" / "0.json").read_text() == '{"leaf": 1}'


def test_same_content_is_the_same_version(
    store: ModelStore, saved: ModelVersion, home: Path
) -> None:
    assert store.save(write_forest) == saved
    assert [folder.name for folder in (home / "models").iterdir()] == [saved.sha256]


def test_other_content_is_another_version(store: ModelStore, saved: ModelVersion) -> None:
    def write(folder: Path) -> None:
        write_forest(folder)
        (folder / "trees" / "0.json").rename(folder / "trees" / "1.json")

    assert store.save(write).sha256 != saved.sha256


def test_only_the_owner_can_read(store: ModelStore, saved: ModelVersion, home: Path) -> None:
    folder = store.open(saved)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in [home, folder, *folder.rglob("*")]}
    assert modes == {
        "hybrid": 0o700,
        saved.sha256: 0o700,
        "trees": 0o700,
        "0.json": 0o600,
        "weights.safetensors": 0o600,
        "manifest.json": 0o600,
    }


def alter_file(folder: Path) -> None:
    (folder / "trees" / "0.json").write_text('{"leaf": 2}')


def alter_file_and_manifest(folder: Path) -> None:
    alter_file(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["trees/0.json"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))


def remove_file(folder: Path) -> None:
    (folder / "trees" / "0.json").unlink()


def add_file(folder: Path) -> None:
    (folder / "extra.json").write_text("{}")


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def replace_by_link(folder: Path) -> None:
    target = shutil.move(folder / "weights.safetensors", folder.parent / "outside")
    (folder / "weights.safetensors").symlink_to(target)


@pytest.mark.file_only
@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (alter_file, r"has an altered file, 'trees/0\.json'"),
        (alter_file_and_manifest, r"has an altered manifest\.json"),
        (remove_file, r"has a missing or added file, 'trees/0\.json'"),
        (add_file, r"has a missing or added file, 'extra\.json'"),
        (remove_manifest, r"has lost its manifest\.json"),
        (replace_by_link, "now holds a file that the store never accepts"),
    ],
)
def test_tampered_models_are_refused_and_mended_by_saving_again(
    store: ModelStore, saved: ModelVersion, tamper: Callable[[Path], None], fault: str
) -> None:
    tamper(store.open(saved))
    with pytest.raises(CorruptModel, match=f"model {saved.sha256} {fault}; do not use it"):
        store.open(saved)
    assert store.save(write_forest) == saved
    assert (store.open(saved) / "trees" / "0.json").read_text() == '{"leaf": 1}'


@pytest.mark.parametrize("version", ["0" * 64, "../secrets", "", "ABC"])
def test_unknown_models(store: ModelStore, saved: ModelVersion, version: str) -> None:
    with pytest.raises(ModelNotFound, match="materialize the asset that fits it"):
        store.open(version)


@pytest.mark.parametrize(
    "name",
    ["a.pkl", "a.PICKLE", "a.joblib", "a.joblib.gz", "a.pt", "a.pth", "pytorch_model.bin", ".pkl"],
)
def test_pickle_carrying_files_are_refused(store: ModelStore, home: Path, name: str) -> None:
    with pytest.raises(UnstorableModel, match=f"'{name}' has a format that can carry a pickle"):
        store.save(lambda folder: (folder / name).touch())
    assert list((home / "models").iterdir()) == []


def test_links_empty_models_and_own_manifests_are_refused(store: ModelStore) -> None:
    with pytest.raises(UnstorableModel, match=r"'x\.json' is a link or device"):
        store.save(lambda folder: (folder / "x.json").symlink_to("/etc/hostname"))
    with pytest.raises(UnstorableModel, match="the model has no files"):
        store.save(lambda folder: None)
    with pytest.raises(UnstorableModel, match=r"manifest\.json is reserved"):
        store.save(lambda folder: (folder / "manifest.json").touch())


def test_a_failing_writer_leaves_nothing(store: ModelStore, home: Path) -> None:
    def fail(folder: Path) -> None:
        write_forest(folder)
        raise RuntimeError("training failed")

    with pytest.raises(RuntimeError, match="training failed"):
        store.save(fail)
    assert list((home / "models").iterdir()) == []


def test_leftovers_are_swept_after_a_day(
    store: ModelStore, saved: ModelVersion, home: Path
) -> None:
    fresh, old = home / "models" / ".unfinished-fresh", home / "models" / ".unfinished-old"
    for folder in (fresh, old):
        folder.mkdir()
        write_forest(folder)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    store.save(write_forest)
    assert sorted(p.name for p in (home / "models").iterdir()) == sorted([fresh.name, saved.sha256])


def test_current_model_of_an_asset(
    store: ModelStore, saved: ModelVersion, warehouse: Warehouse, origin: Provenance
) -> None:
    with pytest.raises(ModelNotFound, match="no model of 'gan/fitted_generator'; materialize"):
        warehouse.model("gan/fitted_generator")
    warehouse.record_model("gan/fitted_generator", ModelVersion("f" * 64, 1, 1), origin)
    warehouse.record_model("gan/fitted_generator", saved, origin)
    assert warehouse.model("gan/fitted_generator") == saved
    entries = warehouse.audit_entries()
    assert entries["data_version"].tolist() == ["f" * 64, saved.sha256]
    assert entries["n_rows"].isna().all()
