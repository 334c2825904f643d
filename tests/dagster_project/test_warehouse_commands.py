"""`hybrid warehouse`, and a whole study in a lake."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from dagster_project.command_line import app
from dagster_project.study_file import StudyFile
from warehouse import (
    AuditTrail,
    LakeSettings,
    Provenance,
    Warehouse,
    check_audit,
    lake_settings,
    use_storage,
)

ORIGIN = Provenance("run-1", "code", "study", 42, {}, 1.0, "ada", "2026-01-31T12:00:00+00:00")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HYBRID_HOME", str(tmp_path / "home"))
    table = pd.DataFrame({"x": [1, 2]})
    Warehouse(tmp_path / "home", "nhefs").record_table("seed_table", table, ORIGIN)
    return tmp_path / "home"


def asked(*words: str) -> tuple[int, str]:
    answered = CliRunner().invoke(app, ["warehouse", *words])
    return answered.exit_code, " ".join(answered.output.split())


def test_show_names_the_place_and_the_studies(home: Path) -> None:
    code, told = asked("show")
    assert code == 0
    assert f"tables, audit log files in {home / 'warehouse'}" in told
    assert f"decisions, privacy ledger {home}/decisions" in told
    assert f"key of keyed hashes {home / 'keys' / 'audit.key'} (this host)" in told
    assert "nhefs 1 1" in told


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["migrate"], "name --catalog and --data-path, or --to-files"),
        (["migrate", "--catalog", "host=x"], "name --catalog and --data-path, or --to-files"),
        (["migrate", "--catalog", "a", "--data-path", "b", "--to-files"], "or --to-files"),
        (["migrate", "--catalog", "password=s3cret", "--data-path", "b"], "with no password"),
        (["migrate", "--to-files"], "keeps its studies there already; nothing was moved"),
        (["forget", "--days", "1"], "files, which hold no old snapshots"),
    ],
)
def test_what_cannot_be_done_is_refused(home: Path, words: list[str], fault: str) -> None:
    code, told = asked(*words)
    assert code == 2
    assert fault in told
    assert "s3cret" not in told
    assert lake_settings(home) is None


@pytest.mark.lake
def test_a_home_moves_to_a_lake_and_back(home: Path, new_lake: LakeSettings) -> None:
    code, told = asked("migrate", "--catalog", new_lake.catalog, "--data-path", new_lake.data_path)
    assert (code, told.startswith("studies moved: 1; tables: 1, entries")) == (0, True)
    assert "nhefs 1 1 1" in asked("show")[1]
    assert asked("forget", "--days", "0")[1].startswith("nhefs:")
    assert asked("migrate", "--to-files")[0] == 0
    assert Warehouse(home, "nhefs").verify_tables() == 1


@pytest.mark.lake
def test_a_study_in_a_lake_gives_the_bytes_that_it_gives_in_files(
    tmp_path: Path,
    new_lake: LakeSettings,
    small_study: Callable[..., StudyFile],
    materialize: Callable[..., object],
) -> None:
    home = tmp_path / "home"
    versions = []
    for lake in (None, new_lake):
        use_storage(home, lake)
        materialize(small_study())
        made = AuditTrail(home, "small").entries()
        versions.append({(e.asset, e.kind): e.data_version for e in made if e.kind != "document"})
        assert check_audit(home, "small").faults == ()
    assert len(versions[0]) > 20
    assert versions[0] == versions[1]
