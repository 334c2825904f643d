"""What leaves the house: made through Dagster, verified by anyone, any byte of it."""

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from dagster_project.approvals import read_candidate, record_approval
from dagster_project.check_log import provenance
from dagster_project.command_line import app
from dagster_project.factory import study_definitions
from dagster_project.release_contents import ReleaseContents
from dagster_project.release_permission import today
from dagster_project.release_writing import _files
from dagster_project.resources import (
    HOME_VARIABLE,
    ComputeDevice,
    RefusingIOManager,
    StorageResource,
)
from dagster_project.study_file import StudyFile
from dagster_project.study_folders import STUDIES_VARIABLE
from dagster_project.verification import verified
from hybrid_assets.approval import Approval
from hybrid_assets.errors import ReleaseError
from hybrid_assets.release.bundle import write_rows
from hybrid_assets.release.card import ReleaseCard
from tests.dagster_project.conftest import SMALL_STUDY
from warehouse import Release, ReleaseSlot, TableBlocks, Warehouse, check_audit

ROOT = Path(__file__).parents[2]
OVERRIDE = {"generator": "cart", "person": "Ada Lovelace", "reason": "a test of releases"}
STUDY = SMALL_STUDY | {
    "generators": ["cart"],
    "gates": {"overrides": [OVERRIDE | {"gate": "privacy_verdict"}]},
    "release": {"license": "CC-BY-4.0", "descriptions": {"W4": "standard normal"}},
}
MADE = [
    *("seed_table", "splits", "propensity_model", "outcome_model", "seed_estimates"),
    *("positivity_evaluation", "cart/fitted_generator", "cart/synthetic_covariates"),
    *("cart/hybrid_triplets", "cart/full_synthetic", "cart/privacy_evaluation"),
]
CANDIDATE, BUNDLE = "cart/release_candidate", "cart/release_bundle"


@dataclasses.dataclass(frozen=True)
class Home:
    """Where a study was run, and its releases."""

    path: Path
    study: StudyFile

    @property
    def storage(self) -> StorageResource:
        return StorageResource(home=str(self.path))

    def make(self, *assets: str) -> str:
        """Materialize; give what the failure says, empty if there is none."""
        definitions = study_definitions(self.study, self.path)
        made = dg.materialize(
            [*(definitions.assets or ()), *(definitions.asset_checks or ())],
            selection=[dg.AssetKey(["small", *asset.split("/")]) for asset in assets],
            instance=dg.DagsterInstance.ephemeral(),
            resources={
                "storage": self.storage,
                "compute": ComputeDevice(device="cpu"),
                "io_manager": RefusingIOManager(),
            },
            raise_on_error=False,
        )
        failed = [e for e in made.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
        told = [e.step_failure_data.user_failure_data for e in failed]
        return "; ".join((each.description or "") if each else "error" for each in told)

    def approve(self, **changes: object) -> None:
        candidate = read_candidate(self.storage, self.study, "cart")
        assert candidate is not None
        stated = {
            "study": "small",
            "generator": "cart",
            "reviewer": "Grace Hopper",
            "decision": "approve",
            "reason": "read it all",
            "decided_on": today(),
            "signed": candidate.signed,
        }
        record_approval(self.storage, self.study, Approval.model_validate(stated | changes))

    @property
    def releases(self) -> list[Release]:
        return self.storage.releases("small").releases("cart")


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("released") / "home", StudyFile.model_validate(STUDY))
    assert home.make(*MADE, CANDIDATE) == ""
    return home


@pytest.fixture(scope="module")
def released(candidate: Home) -> Home:
    copy = Home(candidate.path.with_name("approved"), candidate.study)
    shutil.copytree(candidate.path, copy.path)
    copy.approve()
    assert copy.make(BUNDLE) == ""
    assert copy.make(BUNDLE) == ""
    return copy


@pytest.fixture
def copied(candidate: Home, tmp_path: Path) -> Home:
    shutil.copytree(candidate.path, tmp_path / "home")
    return Home(tmp_path / "home", candidate.study)


def test_the_bundle_holds_what_was_promised(released: Home) -> None:
    first, second = released.releases
    assert [first.number, second.number] == [1, 2]
    assert {file.name for file in first.folder.iterdir()} == {
        *("synthetic.parquet", "synthetic.csv", "data_dictionary.json", "data_dictionary.csv"),
        *("card.html", "card.json", "croissant.json", "lineage.openlineage.jsonl"),
        *("config.resolved.yaml", "environment.lock", "approval.json", "gates.json"),
        *("release.json", "SHA256SUMS"),
    }
    rows = (first.folder / "synthetic.csv").read_text().splitlines()
    assert rows[0] == "W1,W2,W3,W4,W5,W6,A,Y"
    assert len(rows) == 401


def test_a_pristine_release_verifies(released: Home) -> None:
    checks = verified(released.releases[0].folder)
    assert {check.name: check.faults for check in checks if not check.passed} == {}
    assert checks[0].name == "checksums"
    assert len(checks) == 7


def test_each_of_200_changed_bytes_is_found(released: Home, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(released.releases[0].folder, folder)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o700)
    files = sorted(folder.iterdir())
    sizes = np.array([file.stat().st_size for file in files])
    rng = np.random.default_rng(20_260_101)
    # a file in turn, so that small ones get their share, then any byte of all of them
    places = [(files[i % len(files)], None) for i in range(100)]
    places += [(files[i], None) for i in rng.choice(len(files), 100, p=sizes / sizes.sum())]
    missed = []
    for file, _ in places:
        content = file.read_bytes()
        place, flip = int(rng.integers(len(content))), int(rng.integers(1, 256))
        changed = bytes([content[place] ^ flip])
        file.write_bytes(content[:place] + changed + content[place + 1 :])
        if all(check.passed for check in verified(folder)):
            missed.append((file.name, place, flip))
        file.write_bytes(content)
    assert len(places) == 200
    assert missed == []
    assert all(check.passed for check in verified(folder))


def test_a_table_that_comes_in_many_blocks_leaves_as_the_same_rows(
    released: Home, copied: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.table_blocks.BLOCK_ROWS", 150)
    monkeypatch.setattr("warehouse.table_blocks._BATCH_ROWS", 50)
    monkeypatch.setattr("hybrid_assets.release.table_files.ROWS_AT_ONCE", 70)
    copied.approve()
    assert copied.make(BUNDLE) == ""
    folder, whole = copied.releases[0].folder, released.releases[0].folder
    assert pq.read_metadata(folder / "synthetic.parquet").num_row_groups == 3 + 3 + 2
    for name in ("synthetic.csv", "data_dictionary.json"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    cards = [json.loads((each / "card.json").read_text()) for each in (folder, whole)]
    assert cards[0]["effect"] == cards[1]["effect"]
    assert [check.faults for check in verified(folder)] == [()] * 7


def test_verification_needs_only_the_folder(released: Home, tmp_path: Path) -> None:
    shutil.copytree(released.releases[0].folder, tmp_path / "handed_over")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HYBRID_")}

    def verify() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "dagster_project.command_line",
                "verify",
                "handed_over",
                "--json",
            ],
            cwd=tmp_path,
            env=inherited | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    done = verify()
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verified"] is True
    (tmp_path / "handed_over" / "card.html").chmod(0o600)
    with (tmp_path / "handed_over" / "card.html").open("a") as page:
        page.write(" ")
    done = verify()
    assert done.returncode == 1
    assert json.loads(done.stdout)["checks"] == [
        {"name": "checksums", "faults": ["card.html is altered"]}
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["handed_over"]


def test_the_audit_log_and_the_release_hold_each_other(released: Home) -> None:
    first, second = released.releases
    entries = Warehouse(released.path, "small").audit_entries()
    made = entries[entries["asset"] == BUNDLE]
    assert made["data_version"].tolist() == [first.sha256, second.sha256]
    told = json.loads((second.folder / "release.json").read_text())
    before = entries.iloc[told["audit_head"]["n_entries"] - 1]
    assert told["audit_head"]["entry_hash"] == before["entry_hash"]
    assert json.loads(made["upstream"].iloc[0])[CANDIDATE] == told["candidate"]
    assert check_audit(released.path, "small").faults == ()


def test_a_second_release_differs_in_its_number_alone(released: Home) -> None:
    first, second = (each.folder for each in released.releases)
    differing = {
        f.name for f in first.iterdir() if f.read_bytes() != (second / f.name).read_bytes()
    }
    assert differing == {
        *("card.html", "card.json", "croissant.json", "release.json", "SHA256SUMS"),
        "synthetic.parquet",
    }
    cards = [json.loads((folder / "card.json").read_text()) for folder in (first, second)]
    changed = {key for key in cards[0] if cards[0][key] != cards[1][key]}
    assert changed == {"number", "audit_head"}


def test_nothing_of_the_study_leaves_with_it(released: Home) -> None:
    files = {f.name: f.read_text("latin-1") for f in released.releases[0].folder.iterdir()}
    warehouse = Warehouse(released.path, "small")
    seed = warehouse.table_version("seed_table").data_version
    hidden = [seed, released.study.content_hash, warehouse.model("outcome_model").sha256]
    hidden += [str(released.path), "random_seed", "paper1_trial"]
    assert {(name, text) for name in files for text in hidden if text in files[name]} == set()
    lineage = files.pop("lineage.openlineage.jsonl")  # names the truth's columns, no value
    assert "__propensity" in lineage
    assert {name for name in files if "__propensity" in files[name]} == set()


def test_nothing_leaves_without_an_approval(copied: Home) -> None:
    said = copied.make(BUNDLE)
    assert "nobody has approved these rows. A reviewer decides with: hybrid approve small" in said
    copied.approve(decision="refuse", reason="too few people")
    assert "refused by Grace Hopper: too few people" in copied.make(BUNDLE)
    yesterday = today() - timedelta(days=1)
    copied.approve(decided_on=date(2020, 1, 1), expires_on=yesterday)
    assert "expired on" in copied.make(BUNDLE)
    candidate = read_candidate(copied.storage, copied.study, "cart")
    assert candidate is not None
    copied.approve(signed=candidate.signed.model_copy(update={"data_version": "0" * 64}))
    assert "Grace Hopper decided on other rows; decide again" in copied.make(BUNDLE)
    copied.approve(reviewer="ADA Lovelace")
    assert "ADA Lovelace overrides privacy_verdict: somebody else has to" in copied.make(BUNDLE)
    assert copied.releases == []


def test_a_shut_gate_stops_the_bundle_itself(copied: Home) -> None:
    shut = Home(copied.path, StudyFile.model_validate(STUDY | {"gates": {}}))
    shut.make(CANDIDATE)
    shut.approve()
    assert "privacy_verdict is shut" in shut.make(BUNDLE)
    assert shut.releases == []


def test_digits_are_judged_before_they_are_rounded(copied: Home) -> None:
    triplets, warehouse = "cart/hybrid_triplets", Warehouse(copied.path, "small")
    rows = warehouse.read_table(triplets)
    rows.loc[:2, "W4"] += 0.001
    made = provenance(copied.study, "by hand", {}, seconds=0.0)
    warehouse.record_table(triplets, rows, made, model=warehouse.model(triplets))
    assert copied.make("cart/privacy_evaluation", CANDIDATE) != ""
    candidate = read_candidate(copied.storage, copied.study, "cart")
    assert candidate is not None
    (shut,) = candidate.report.shut
    assert shut.evidence.startswith("cells beyond the declared digits, before rounding: W4 3")


def test_an_approval_is_void_when_anything_before_it_moves(copied: Home) -> None:
    copied.approve()
    moved = copied.study.model_copy(update={"random_seed": 8})
    other = Home(copied.path, moved)
    assert other.make("cart/fitted_generator", "cart/synthetic_covariates") == ""
    said = copied.make(BUNDLE)
    assert "made from earlier versions of cart/" in said
    assert copied.releases == []


def test_other_words_on_the_card_void_an_approval(copied: Home) -> None:
    copied.approve()
    words = STUDY["release"] | {"intended_use": "Any use whatever."}
    other = Home(copied.path, StudyFile.model_validate(STUDY | {"release": words}))
    said = "Grace Hopper decided on other settings or words of the card; decide again"
    assert said in other.make(BUNDLE)
    assert copied.make(BUNDLE) == ""


def test_what_an_earlier_seed_gave_is_told_and_does_not_leave(
    tmp_path: Path, trial_rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = STUDY | {"source": {"kind": "csv", "path": str(tmp_path / "seed_{version}.csv")}}
    trial_rows.to_csv(tmp_path / "seed_2026-01.csv", index=False)
    (tmp_path / "studies" / "small").mkdir(parents=True)
    component = {"type": "dagster_project.component.StudyComponent", "attributes": stated}
    (tmp_path / "studies" / "small" / "defs.yaml").write_text(yaml.safe_dump(component))
    home = Home(tmp_path / "home", StudyFile.model_validate(stated))
    monkeypatch.setenv(HOME_VARIABLE, str(home.path))
    monkeypatch.setenv(STUDIES_VARIABLE, str(tmp_path / "studies"))
    sign = ["approve", "small", "--generator", "cart", "--reviewer", "G. H.", "--reason", "read"]
    assert home.make(*MADE, CANDIDATE) == ""
    signed = CliRunner().invoke(app, sign)
    assert (signed.exit_code, "seed version     2026-01" in signed.output) == (0, True)
    assert home.make(BUNDLE) == ""
    card = (home.releases[0].folder / "card.html").read_text()
    assert "<dt>version of the seed</dt><dd>2026-01</dd>" in card
    assert all(check.passed for check in verified(home.releases[0].folder))
    trial_rows.iloc[1:].to_csv(tmp_path / "seed_2026-02.csv", index=False)
    refused = "expected tables made from the last version of the seed, 2026-02; got 2026-01"
    assert refused in home.make(BUNDLE)
    signed = CliRunner().invoke(app, sign)
    assert (signed.exit_code, refused in " ".join(signed.output.split())) == (1, True)
    assert len(home.releases) == 1


def test_a_signed_release(copied: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography")
    from tests.hybrid_assets.release.test_release_attestation import private_key

    (tmp_path / "key.pem").write_bytes(private_key())
    monkeypatch.setenv("HYBRID_SIGNING_KEY", str(tmp_path / "key.pem"))
    copied.approve()
    assert copied.make(BUNDLE) == ""
    folder = copied.releases[0].folder
    public = (folder / "signing_key.pub").read_bytes()
    assert all(check.passed for check in verified(folder, public))
    assert b"PRIVATE" not in b"".join(file.read_bytes() for file in folder.iterdir())
    monkeypatch.setenv("HYBRID_SIGNING_KEY", str(tmp_path / "none.pem"))
    assert "HYBRID_SIGNING_KEY: expected a readable file" in copied.make(BUNDLE)


def test_an_unsigned_release_does_not_pass_for_a_signed_one(released: Home) -> None:
    checks = {c.name: c.faults for c in verified(released.releases[0].folder, b"any key")}
    assert checks["signature"] == ("the release is not signed",)


def test_the_truth_leaves_only_when_asked_for_and_is_recomputed(copied: Home) -> None:
    asked = STUDY | {"release": {"include_counterfactuals": True}}
    with_truth = Home(copied.path, StudyFile.model_validate(asked))
    assert with_truth.make(CANDIDATE) == ""
    with_truth.approve()
    assert with_truth.make(BUNDLE) == ""
    folder = with_truth.releases[0].folder
    header = (folder / "synthetic.csv").read_text().splitlines()[0]
    assert header.endswith("A,Y,outcome_control_mean,outcome_treated_mean")
    assert "must not use them as covariates" in (folder / "card.html").read_text()
    assert [check.name for check in verified(folder) if not check.passed] == []


def test_what_is_logged_after_the_check_stops_a_release(tmp_path: Path) -> None:
    draft = ReleaseCard.model_construct(study="small")
    rows = TableBlocks([pd.DataFrame({"x": [1]})], tmp_path)
    contents = ReleaseContents(rows, draft, {}, n_entries=5)
    files = write_rows(rows.blocks(), (), io.BytesIO(), io.BytesIO())
    with pytest.raises(ReleaseError, match="study 'small': expected nothing new in the audit log"):
        _files(contents, files, ReleaseSlot(number=1, n_entries=6, entry_hash=""), None)
