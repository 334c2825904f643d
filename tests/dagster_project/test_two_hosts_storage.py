"""Two hosts with one ``storage.json``: made on one, decided, released and audited on the other."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from dagster_project.command_line import app
from dagster_project.resources import HOME_VARIABLE
from dagster_project.study_file import StudyFile
from dagster_project.study_folders import STUDIES_VARIABLE
from dagster_project.subjects import split_of, uses_of
from tests.dagster_project.test_release_bundle import BUNDLE, CANDIDATE, MADE, STUDY, Home
from tests.dagster_project.test_warehouse_commands import ORIGIN
from warehouse import (
    AuditTrail,
    KeyedHash,
    LakeSettings,
    PageStore,
    Warehouse,
    check_audit,
    use_storage,
)

pytestmark = pytest.mark.lake


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The second host, on which the commands are given."""
    file = tmp_path / "studies" / "small" / "defs.yaml"
    file.parent.mkdir(parents=True)
    component = {"type": "dagster_project.component.StudyComponent", "attributes": STUDY}
    file.write_text(yaml.safe_dump(component))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "second"))
    monkeypatch.setenv(STUDIES_VARIABLE, str(tmp_path / "studies"))
    monkeypatch.setenv("HYBRID_AUDIT_KEY", "5a" * 32)
    return Home(tmp_path / "second", StudyFile.model_validate(STUDY))


def hybrid(*words: str) -> str:
    answered = CliRunner().invoke(app, list(words))
    assert answered.exit_code == 0, answered.output
    return " ".join(answered.output.split())


def test_one_host_makes_and_another_decides_releases_and_audits(
    tmp_path: Path, new_bucket_lake: LakeSettings, asked: Home
) -> None:
    first = Home(tmp_path / "first", asked.study)
    for home in (first, asked):
        use_storage(home.path, new_bucket_lake)
    assert first.make(*MADE, CANDIDATE) == ""
    origin = AuditTrail(first.path, "small").entries()[-1]
    signing = ("approve", "small", "--generator", "cart", "--reviewer", "G. H.", "--reason", "read")
    assert "approve" in hybrid(*signing)
    assert asked.make(BUNDLE) == ""
    (released,) = asked.releases
    (seen,) = first.releases
    assert (seen.number, seen.sha256) == (released.number, released.sha256)
    assert "checksums" in hybrid("verify", str(asked.path / "releases/small/cart/0001"))
    folder = first.storage.releases("small").folder("cart", 1)
    assert "not recomputed" in hybrid("verify", str(folder))
    assert "nothing differs" in hybrid("audit", "small", "--check")
    assert "G. H." in hybrid("audit", "small", "--generator", "cart", "--release", "1")
    assert check_audit(first.path, "small") == check_audit(asked.path, "small")
    assert f"lake {new_bucket_lake.data_path}/tables" in hybrid("warehouse", "show")
    assert origin in AuditTrail(asked.path, "small").entries()


def test_reports_and_people_are_found_from_another_host(
    tmp_path: Path, new_lake: LakeSettings, asked: Home
) -> None:
    first = tmp_path / "first"
    for home in (first, asked.path):
        use_storage(home, new_lake)
    warehouse, trail = Warehouse(first, "small"), AuditTrail(first, "small")
    rows = pd.DataFrame({"patient": ["p 1", "p 2"], "Y": [0, 1]})
    seed = warehouse.record_table("seed_table", rows, ORIGIN).data_version
    parts = {"train": rows.iloc[:1], "holdout": rows.iloc[1:]}
    keyed, columns = KeyedHash(first, make=True), (("patient", "text"),)
    split = split_of(columns, parts, keyed, seed_version=seed, splits_version="5" * 64)
    trail.record_subjects(split, ORIGIN)
    (use,) = uses_of(AuditTrail(asked.path, "small"), KeyedHash(asked.path), {"patient": "p 2"})
    assert use.parts == ("holdout",)
    PageStore(first, "small").record("study_report", b"<p>seen</p>", ORIGIN)
    page = Path(hybrid("report", "small"))
    assert page == asked.path / "reports" / "small" / "study_report.html"
    assert page.read_bytes() == b"<p>seen</p>"
