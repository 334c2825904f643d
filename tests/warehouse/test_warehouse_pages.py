"""Pages: the one that the log names is the one that is read, on every host."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse import (
    CorruptDocument,
    LakeSettings,
    PageStore,
    Provenance,
    Warehouse,
    check_audit,
    use_storage,
)
from warehouse.databases import kept_files

ASSET = "gan/study_report"
LAKES = {"folder": "new_lake", "bucket": "new_bucket_lake"}


def name_of(content: bytes) -> str:
    return f"pages/nhefs/gan__study_report/{hashlib.sha256(content).hexdigest()}.html"


def test_the_page_and_the_one_before_it_are_kept(home: Path, origin: Provenance) -> None:
    pages, shown = PageStore(home, "nhefs"), home / "reports" / "nhefs" / "gan__study_report.html"
    assert pages.file(ASSET) == shown
    assert not shown.exists()
    for content in (b"first", b"second", b"third"):
        assert pages.record(ASSET, content, origin) == shown
        assert shown.read_bytes() == content
    kept = [name_of(content) for content in (b"second", b"third")]
    assert kept_files(home).names("pages") == sorted(kept)
    assert [path.name for path in shown.parent.iterdir()] == ["gan__study_report.html"]
    assert Warehouse(home, "nhefs").audit_entries()["kind"].tolist() == ["document"] * 3
    found = check_audit(home, "nhefs")
    assert (found.faults, found.n_documents) == ((), 1)


def test_a_page_whose_writer_was_killed_takes_nobodys_place(home: Path, origin: Provenance) -> None:
    pages = PageStore(home, "nhefs")
    shown = pages.record(ASSET, b"logged", origin)
    kept_files(home).put(name_of(b"not logged"), b"not logged")
    assert check_audit(home, "nhefs").faults == ()
    shown.unlink()
    assert pages.file(ASSET).read_bytes() == b"logged"
    pages.record(ASSET, b"next", origin)
    kept = [name_of(content) for content in (b"logged", b"next")]
    assert kept_files(home).names("pages") == sorted(kept)


def test_a_copy_is_mended_from_the_page(home: Path, origin: Provenance) -> None:
    pages = PageStore(home, "nhefs")
    pages.record(ASSET, b"first", origin)
    shown = pages.record(ASSET, b"second", origin)
    shown.write_bytes(b"first")  # its writer was killed before he copied the second
    assert check_audit(home, "nhefs").faults == ()
    shown.write_bytes(b"altered")
    (fault,) = check_audit(home, "nhefs").faults
    assert fault.startswith(f"audit log entry 2: the document {ASSET} was altered in its copy ")
    assert pages.file(ASSET).read_bytes() == b"second"
    assert check_audit(home, "nhefs").faults == ()


def alter(home: Path, content: bytes) -> None:
    kept_files(home).put(name_of(content), b"altered")


def lose(home: Path, content: bytes) -> None:
    kept_files(home).remove(name_of(content))


@pytest.mark.parametrize(("damage", "word"), [(alter, "was altered"), (lose, "is missing")])
def test_a_damaged_page_is_refused(
    home: Path, origin: Provenance, damage: Callable[[Path, bytes], None], word: str
) -> None:
    pages = PageStore(home, "nhefs")
    shown = pages.record(ASSET, b"page", origin)
    damage(home, b"page")
    assert pages.file(ASSET).read_bytes() == b"page"  # this home has its copy
    shown.unlink()
    with pytest.raises(CorruptDocument, match=f"{name_of(b'page')} is not what was logged as gan/"):
        pages.file(ASSET)
    assert check_audit(home, "nhefs").faults == (f"audit log entry 1: the document {ASSET} {word}",)


@pytest.mark.lake
@pytest.mark.parametrize("lake", LAKES)
def test_a_page_is_the_last_one_on_every_host(
    tmp_path: Path, lake: str, request: pytest.FixtureRequest, origin: Provenance
) -> None:
    shared: LakeSettings = request.getfixturevalue(LAKES[lake])
    homes = tmp_path / "one", tmp_path / "other"
    for home in homes:
        use_storage(home, shared)
    one, other = (PageStore(home, "nhefs") for home in homes)
    for page in (b"first", b"second"):
        one.record(ASSET, page, origin)
        assert other.file(ASSET).read_bytes() == page
    assert other.file(ASSET).is_relative_to(homes[1])
    other.record(ASSET, b"third", origin)
    assert check_audit(homes[0], "nhefs").faults == ()  # its copy is of the second
    assert one.file(ASSET).read_bytes() == b"third"
