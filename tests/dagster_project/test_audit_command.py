"""`hybrid audit` on a home small enough to read: answers, tampering, a person, refusals."""

import dataclasses
import hashlib
import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from dagster_project.command_line import app
from dagster_project.subjects import split_of
from warehouse import (
    AuditTrail,
    CheckRecord,
    DecisionStore,
    KeyedHash,
    ModelStore,
    Provenance,
    Warehouse,
)
from warehouse.audit_log import Materialization, append_entry
from warehouse.connection import BoundedWait, write_transaction

ORIGIN = Provenance("run-1", "code", "study", 42, {}, 1.0, "ada", "2026-01-31T12:00:00+00:00")
PERSON = "patient-1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A seed, its splits, a generator, a hybrid table with checks, and one release of it."""
    home = tmp_path / "home"
    monkeypatch.setenv("HYBRID_HOME", str(home))
    warehouse, trail = Warehouse(home, "small"), AuditTrail(home, "small")
    rows = pd.DataFrame({"patient": [PERSON, "patient-2"], "Y": [0, 1]})

    def origin(**upstream: str) -> Provenance:
        return dataclasses.replace(ORIGIN, upstream=upstream)

    def record(asset: str, table: pd.DataFrame, **upstream: str) -> str:
        return warehouse.record_table(asset, table, origin(**upstream)).data_version

    seed = record("seed_table", rows)
    parts = {"train": rows.iloc[:1], "holdout": rows.iloc[1:]}
    splits = record("splits", rows[["Y"]], seed_table=seed)
    columns = (("patient", "text"),)
    keyed = KeyedHash(home, make=True)
    split = split_of(columns, parts, keyed, seed_version=seed, splits_version=splits)
    trail.record_subjects(split, ORIGIN)
    model = ModelStore(home).save(lambda folder: (folder / "g.json").write_text("{}") and None)
    warehouse.record_model("cart/fitted_generator", model, origin(splits=splits))
    upstream = {"cart/fitted_generator (files)": model.sha256, "splits": splits}
    hybrid = record("cart/hybrid_triplets", rows[["Y"]], **upstream)
    results = [
        CheckRecord("cart/hybrid_triplets", hybrid, "effect_drift", passed, "blocking")
        for passed in (False, True)
    ]
    for result in results:
        trail.record_checks("cart/hybrid_triplets", [result], ORIGIN)
    candidate = record("cart/release_candidate", rows[["Y"]], **{"cart/hybrid_triplets": hybrid})
    signed, decisions = (
        origin(**{"cart/release_candidate": candidate}),
        DecisionStore(home, "small"),
    )
    for asset, run_id in (("override_digits", "run-1"), ("override_copies", "run-0")):
        overridden = dataclasses.replace(ORIGIN, run_id=run_id)
        decisions.record(f"cart/{asset}", b'{"person": "ada", "reason": "few"}', overridden)
    for word in ("refuse", "approve"):
        document = {"decision": word, "reviewer": "Grace [x]", "reason": "read"}
        decisions.record("cart/approval", json.dumps(document).encode(), signed)
    release(home, trail, signed)
    return home


def release(home: Path, trail: AuditTrail, origin: Provenance, number: str = "0001") -> None:
    head = trail.entries()[-1]
    folder = home / "releases" / "small" / "cart" / number
    folder.mkdir(parents=True)
    anchor = {"audit_head": {"n_entries": head.sequence, "entry_hash": head.entry_hash}}
    (folder / "release.json").write_text(json.dumps(anchor))
    digest = hashlib.sha256((folder / "release.json").read_bytes()).hexdigest()
    sums = f"{digest}  release.json\n".encode()
    (folder / "SHA256SUMS").write_bytes(sums)
    version = hashlib.sha256(sums).hexdigest()
    database = home / "warehouse" / "small.duckdb"
    with write_transaction(database, BoundedWait("it", 5)) as connection:
        made = Materialization("cart/release_bundle", "document", version, None, origin)
        append_entry(connection, made)


def signed(trail: AuditTrail) -> Provenance:
    upstream = next(e.upstream for e in trail.entries() if e.asset == "cart/release_bundle")
    return dataclasses.replace(ORIGIN, upstream=upstream)


def hybrid(*arguments: str, typed: str = "") -> tuple[int, str]:
    found = CliRunner().invoke(app, ["audit", *arguments], input=typed)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


def test_a_release_answers_in_one_step(home: Path) -> None:
    code, said = hybrid("small", "--generator", "cart", "--release", "1")
    assert code == 0
    seed = Warehouse(home, "small").table_version("seed_table").data_version
    assert f"{seed}  (2 rows)" in said
    assert KeyedHash(home).of("data version", seed) in said
    for fact in (
        "by ada, run run-1",
        "random seed",
        "42",
        "(cart/fitted_generator)",
        "effect_drift",
    ):
        assert fact in said
    assert "FAILED" not in said  # the check ended well the second time
    assert "cart/approval, " in said
    assert ": refuse; Grace [x]; read" in said
    assert ": approve; Grace [x]; read" in said
    tree = [line for line in said.splitlines() if "(table)" in line or "(model)" in line]
    assert [line.strip("│├└─ ").partition(" ")[0] for line in tree] == [
        "cart/release_candidate",
        "cart/hybrid_triplets",
        "cart/fitted_generator",
        "splits",
        "seed_table",
        "splits",
    ]
    assert said.rstrip().endswith("splits (table): above")


def test_a_generator_alone_means_its_last_release(home: Path) -> None:
    assert "small: cart/release_bundle" in hybrid("small", "--generator", "cart")[1]
    assert "small: cart/hybrid_triplets" in hybrid("small", "cart/hybrid_triplets")[1]


def test_a_release_keeps_its_number_after_one_that_was_never_logged(home: Path) -> None:
    trail = AuditTrail(home, "small")
    release(home, trail, signed(trail), "0003")  # 0002 was killed before it was logged
    assert hybrid("small", "--generator", "cart", "--release", "3")[0] == 0
    assert (
        "no release cart/2; it has 2" in hybrid("small", "--generator", "cart", "--release", "2")[1]
    )
    said = hybrid("small", "--subject", typed=f"{PERSON}\n")[1]
    assert "releases: cart/0001, cart/0003" in said


def test_brackets_are_printed(home: Path) -> None:
    origin = dataclasses.replace(
        ORIGIN, user="ada [/lab]", upstream={"donor [/far] (source)": "d" * 64}
    )
    rows = pd.DataFrame({"Y": [1]})
    made = Warehouse(home, "small").record_table("cart/hybrid_triplets", rows, origin)
    check = CheckRecord(
        "cart/hybrid_triplets", made.data_version, "mean of age [/years]", True, "blocking"
    )
    AuditTrail(home, "small").record_checks("cart/hybrid_triplets", [check], origin)
    code, said = hybrid("small", "cart/hybrid_triplets")
    assert code == 0
    assert said.count("ada [/lab]") == 2
    assert "mean of age [/years]" in said
    assert "donor [/far] (source)" in said


def test_the_json_holds_every_upstream_version(home: Path) -> None:
    code, said = hybrid("small", "--generator", "cart", "--json")
    answer = json.loads(said)
    assert code == 0
    log = {e.asset: e.data_version for e in AuditTrail(home, "small").entries()}
    decided = ("cart/override_digits", "cart/approval", "cart/approval")
    assert [e["asset"] for e in answer["decisions"]] == list(decided)
    words = [e["decision"].get("decision", "override") for e in answer["decisions"]]
    assert words == ["override", "refuse", "approve"]
    assert {e["asset"]: e["data_version"] for e in answer["entries"]} == {
        asset: version
        for asset, version in log.items()
        if "(" not in asset and asset not in (*decided, "cart/override_copies")
    }
    assert [seed["n_rows"] for seed in answer["seeds"]] == [2]
    assert answer["random_seeds"] == [42]
    assert [model["asset"] for model in answer["generator_models"]] == ["cart/fitted_generator"]
    assert [(c["check_name"], c["passed"]) for c in answer["checks"]] == [("effect_drift", True)]


def test_an_intact_home_checks_and_a_tampered_one_does_not(home: Path) -> None:
    code, said = hybrid("small", "--check")
    assert (code, "nothing differs" in said) == (0, True), said
    with duckdb.connect(str(home / "warehouse" / "small.duckdb")) as connection:
        connection.execute("UPDATE audit.log SET user_name = 'eve' WHERE sequence = 4")
    code, said = hybrid("small", "--check")
    assert code == 1
    assert "audit log entry 4 was altered" in said
    assert "1 differ" in said


def test_a_lost_database_is_seen_from_its_releases(home: Path) -> None:
    (home / "warehouse" / "small.duckdb").unlink()
    code, said = hybrid("small", "--check")
    assert code == 1
    assert "release cart/0001 was made when the audit log had" in said


def test_a_person_is_traced_from_standard_input(home: Path) -> None:
    code, said = hybrid("small", "--subject", typed=f"{PERSON}\n")
    assert code == 0
    assert "train: the generators" in said
    assert "generators: cart" in said
    assert "releases: cart/0001" in said
    assert PERSON not in said
    assert "No version of the seed" in hybrid("small", "--subject", typed="nobody\n")[1]


def test_a_lost_key_is_said_and_never_made_anew(home: Path) -> None:
    key = home / "keys" / "audit.key"
    key.unlink()
    code, said = hybrid("small", "--subject", typed=f"{PERSON}\n")
    assert code == 2
    assert "audit.key: the key is missing, so that nobody can tell which person" in said
    code, said = hybrid("small", "--generator", "cart")
    assert code == 0
    assert "the key is missing: restore keys/audit.key from a backup" in said
    assert not key.exists()
    KeyedHash(home, make=True).of("subject", "x")
    code, said = hybrid("small", "--subject", typed=f"{PERSON}\n")
    assert code == 1
    assert "cannot be told of seed version" in said
    assert "hashed with another key" in said


def test_nobody_is_looked_for_before_digests_are_kept(home: Path) -> None:
    Warehouse(home, "other").record_table("seed_table", pd.DataFrame({"Y": [1]}), ORIGIN)
    code, said = hybrid("other", "--subject", typed="x\n")
    assert code == 2
    assert "no version of the seed has left digests of its people yet" in said


@pytest.mark.parametrize(
    ("arguments", "typed", "refusal"),
    [
        (["smal"], "", "no audit log of 'smal'"),
        (["small", "gan/hybrid_triplets"], "", "has made no 'gan/hybrid_triplets'; so far: cart/"),
        (["small", "--generator", "cart", "--release", "2"], "", "no release cart/2; it has 1"),
        (["small", "--release", "1"], "", "--generator with --release"),
        (["small", "--subject"], "", "expected 1 lines, one for each of patient; got 0"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    home: Path, arguments: list[str], typed: str, refusal: str
) -> None:
    code, said = hybrid(*arguments, typed=typed)
    assert code == 2
    assert refusal in said
