"""What would leave, the gates before it, and who signs for it, as Dagster and the terminal show."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from dagster_project.approvals import Candidate, read_approval, read_candidate
from dagster_project.command_line import app
from dagster_project.factory import study_definitions
from dagster_project.resources import (
    HOME_VARIABLE,
    ComputeDevice,
    RefusingIOManager,
    StorageResource,
)
from dagster_project.study_file import StudyFile
from dagster_project.study_folders import STUDIES_VARIABLE
from hybrid_assets.gates import GATE_MEANINGS, GateReport
from tests.dagster_project.conftest import SMALL_STUDY
from warehouse import CorruptDocument, Provenance, Warehouse

OVERRIDE = {
    "gate": "privacy_verdict",
    "generator": "cart",
    "person": "Ada Lovelace",
    "reason": "a test | with <b>marks</b>",
}
OVERRIDDEN = {"gates": {"overrides": [OVERRIDE]}}
NOT_NEEDED = ("fidelity_evaluation", "effect_estimates", "ate_estimates", "release_bundle")
CART = ("cart",)


class Project:
    """A small study whose state lies in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.storage = StorageResource(home=str(folder / "home"))
        self.warehouse = Warehouse(folder / "home", "small")

    def materialize(
        self, job: str, generators: tuple[str, ...] = ("cart", "bootstrap"), **changes: object
    ) -> dg.ExecuteInProcessResult:
        study = StudyFile.model_validate(SMALL_STUDY | changes)
        definitions = study_definitions(study, self.folder)
        unwanted = {*SMALL_STUDY["generators"], "study_report", "generator_comparison"}
        left_out = [
            key
            for asset in definitions.assets or ()
            for key in asset.keys
            if key.path[-1] in NOT_NEEDED or key.path[1] in unwanted - set(generators)
        ]
        return dg.materialize(
            [*(definitions.assets or ()), *(definitions.asset_checks or ())],
            selection=dg.AssetSelection.tag("job", job) - dg.AssetSelection.assets(*left_out),
            instance=dg.DagsterInstance.ephemeral(),
            resources={
                "storage": self.storage,
                "compute": ComputeDevice(device="cpu"),
                "io_manager": RefusingIOManager(),
            },
            raise_on_error=False,
        )

    def report(self, generator: str) -> GateReport:
        return self.candidate(generator).report

    def candidate(self, generator: str, **changes: object) -> Candidate:
        study = StudyFile.model_validate(SMALL_STUDY | changes)
        found = read_candidate(self.storage, study, generator)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("project"))
    assert made.materialize("refresh").success
    return made


@pytest.fixture(scope="module")
def released(project: Project) -> dg.ExecuteInProcessResult:
    return project.materialize("release", **OVERRIDDEN)


@pytest.fixture
def copied(project: Project, released: dg.ExecuteInProcessResult, tmp_path: Path) -> Project:
    """Give the project with its candidates, to be changed."""
    shutil.copytree(project.folder / "home", tmp_path / "home")
    return Project(tmp_path)


@pytest.fixture
def hybrid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Give the command, in the home of `copied`; it returns its code and what it printed."""
    study = {
        "type": "dagster_project.component.StudyComponent",
        "attributes": SMALL_STUDY | OVERRIDDEN,
    }
    (tmp_path / "studies" / "small").mkdir(parents=True)
    (tmp_path / "studies" / "small" / "defs.yaml").write_text(yaml.safe_dump(study))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv(STUDIES_VARIABLE, str(tmp_path / "studies"))

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, arguments)
        return done.exit_code, done.output

    return run


def outcomes(result: dg.ExecuteInProcessResult, generator: str) -> dict[str, dg.AssetCheckResult]:
    found = result.get_asset_check_evaluations()
    return {e.check_name: e for e in found if e.asset_key.path[1] == generator}


def test_a_bootstrap_stays_behind_its_gates(
    project: Project, released: dg.ExecuteInProcessResult
) -> None:
    checks = outcomes(released, "bootstrap")
    assert list(checks) == [f"gate_{name}" for name in GATE_MEANINGS]
    shut = [name for name, found in checks.items() if not found.passed]
    assert shut == ["gate_recipe", "gate_exact_copies", "gate_privacy_verdict"]
    assert all(found.blocking for found in checks.values())
    told = checks["gate_recipe"].metadata["what_to_do"].value
    assert told.startswith("The bootstrap hands out real people's covariates")
    assert [f"gate_{gate.name}" for gate in project.report("bootstrap").shut] == shut


def test_an_override_lets_cart_pass_and_is_seen_everywhere(
    project: Project, released: dg.ExecuteInProcessResult
) -> None:
    found = outcomes(released, "cart")
    assert all(check.passed for check in found.values())
    told = {key: value.value for key, value in found["gate_privacy_verdict"].metadata.items()}
    assert told["gate"] == "OVERRIDDEN"
    assert told["override"] == "Ada Lovelace: a test | with <b>marks</b>"
    assert [o.person for o in project.report("cart").overrides] == ["Ada Lovelace"]
    entries = project.warehouse.audit_entries()
    logged = entries[entries["asset"] == "cart/override_privacy_verdict"]
    assert (len(logged), logged["kind"].item()) == (1, "document")
    (decision,) = project.storage.decisions("small").history("cart/override_privacy_verdict")
    assert json.loads(decision.read()) == OVERRIDE
    (event,) = (
        e for e in released.get_asset_materialization_events() if e.asset_key.path[1] == "cart"
    )
    shown = event.materialization.metadata["gates"].value
    assert "| ! privacy_verdict | OVERRIDDEN | " in shown
    assert "Ada Lovelace: a test \\| with <b>marks</b> |" in shown
    assert "| ✓ positivity | OPEN | " in shown


def test_the_candidate_is_the_hybrid_table_at_its_declared_digits(
    project: Project, released: dg.ExecuteInProcessResult
) -> None:
    assert released.get_asset_materialization_events()
    made = project.warehouse.read_table("cart/release_candidate")
    hybrid = project.warehouse.read_table("cart/hybrid_triplets")
    assert list(made.columns) == ["W1", "W2", "W3", "W4", "W5", "W6", "A", "Y"]
    assert made["W4"].to_numpy() == pytest.approx(np.round(hybrid["W4"], 2), abs=1e-12)
    assert (made["Y"] == hybrid["Y"]).all()
    facts = project.report("cart").facts
    assert (facts.n_rows, facts.n_members, facts.n_rows_released_before) == (400, 240, 0)
    assert facts.psi_exact == pytest.approx(facts.seed_estimate, abs=1e-9)


def test_counterfactual_means_leave_only_if_asked_for_and_a_person_answers(
    copied: Project,
) -> None:
    settings = {"release": {"include_counterfactuals": True}}
    assert not copied.materialize("release", CART, **settings).success
    made = copied.warehouse.read_table("cart/release_candidate")
    assert list(made.columns[-2:]) == ["outcome_control_mean", "outcome_treated_mean"]
    effect = (made["outcome_treated_mean"] - made["outcome_control_mean"]).mean()
    assert effect == pytest.approx(copied.report("cart").facts.psi_exact, abs=1e-4)
    (shut,) = copied.report("cart").shut
    assert shut.evidence.endswith("not attacked: outcome_control_mean, outcome_treated_mean")
    copied.materialize("release", CART, **OVERRIDDEN, **settings)
    assert copied.report("cart").is_passed


def refusal(result: dg.ExecuteInProcessResult) -> str:
    failures = [e for e in result.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    data = failures[0].step_failure_data.user_failure_data
    assert data is not None
    return str(data.description)


def test_evidence_about_earlier_rows_is_refused(copied: Project) -> None:
    rows = copied.warehouse.read_table("splits")
    copied.warehouse.record_table("splits", rows.iloc[:-1], PROVENANCE)
    said = refusal(copied.materialize("release", CART, **OVERRIDDEN))
    assert "to be made from the present splits; got earlier versions: run hybrid run small" in said
    assert copied.candidate("cart").moved == ("splits",)


def test_released_rows_of_the_same_people_share_one_budget(copied: Project) -> None:
    version = copied.warehouse.table_version("cart/release_candidate").data_version
    made_from = Provenance(**{**vars(PROVENANCE), "upstream": {"cart/release_candidate": version}})
    copied.storage.pages("small").record("cart/release_bundle", b"a release", made_from)
    copied.storage.pages("small").record("cart/release_bundle", b"the same again", made_from)
    tight = {"gates": {"overrides": [OVERRIDE], "row_budget": 2}}
    copied.materialize("release", **tight)
    assert copied.report("cart").facts.n_rows_released_before == 0
    assert copied.report("cart").is_passed
    assert copied.report("bootstrap").facts.n_rows_released_before == 400
    (shut,) = (gate for gate in copied.report("bootstrap").shut if gate.name == "row_budget")
    assert shut.evidence.startswith("400 rows and 400 released before; budget 480, 2 for each")


SIGN = ("--reviewer", "Grace Hopper", "--reason", "read it all")


def test_an_approval_is_bound_to_the_bytes_and_survives_the_same_bytes(
    copied: Project, hybrid: Callable[..., tuple[int, str]]
) -> None:
    code, said = hybrid("approve", "small", "--generator", "cart", *SIGN, "--expires", "2999-12-31")
    assert code == 0, said
    for told in ("! privacy_verdict", "Ada Lovelace", "rows             400; 0 released before"):
        assert told in said
    assert "approved by Grace Hopper on" in said
    assert "until 2999-12-31: read it all; logged." in said

    def objection(**changes: object) -> str:
        approval = read_approval(copied.storage, "small", "cart")
        assert approval is not None
        signed = copied.candidate("cart", **OVERRIDDEN | changes).signed
        return approval.objection(signed, date(2999, 12, 31))

    assert objection() == ""
    for words in ({"title": "Another title"}, {"release": {"intended_use": "Anything."}}):
        said = "Grace Hopper decided on other settings or words of the card; decide again"
        assert objection(**words) == said
    copied.materialize("release", CART, **OVERRIDDEN)
    assert objection() == ""
    copied.materialize("release", CART, gates={"overrides": [OVERRIDE | {"person": "Somebody"}]})
    assert objection() == "Grace Hopper decided on other gates, other evidence; decide again"
    entries = copied.warehouse.audit_entries()
    logged = entries[entries["asset"] == "cart/approval"]
    assert json.loads(logged["upstream"].item())["cart/release_candidate"]
    assert copied.warehouse.check_audit_log() == len(entries)


def test_nothing_is_signed_that_was_judged_otherwise(
    copied: Project, hybrid: Callable[..., tuple[int, str]]
) -> None:
    file = copied.folder / "studies" / "small" / "defs.yaml"
    stated = yaml.safe_load(file.read_text())
    for changes, said in (
        ({"gates": {}}, "other gates than those the candidate was judged by: overrides"),
        ({"gates": OVERRIDDEN["gates"] | {"row_budget": 1}}, "was judged by: row_budget"),
        ({"assignment": "observed"}, "made under other settings of the study file"),
        ({"release": {"include_counterfactuals": True}}, "include_counterfactuals: true"),
    ):
        now = stated | {"attributes": stated["attributes"] | changes}
        file.write_text(yaml.safe_dump(now))
        code, told = hybrid("approve", "small", "--generator", "cart", *SIGN)
        assert code == 1
        assert said in told
    file.write_text(yaml.safe_dump(stated))
    version = copied.warehouse.table_version("bootstrap/release_candidate").data_version
    of = Provenance(**{**vars(PROVENANCE), "upstream": {"bootstrap/release_candidate": version}})
    copied.storage.pages("small").record("bootstrap/release_bundle", b"a release", of)
    code, told = hybrid("approve", "small", "--generator", "cart", *SIGN)
    assert code == 1
    assert "0 rows had been released when the gates were judged, 400 by now" in told


def test_a_refusal_can_be_signed_with_shut_gates_and_an_approval_cannot(
    copied: Project, hybrid: Callable[..., tuple[int, str]]
) -> None:
    asked = ("approve", "small", "--generator", "bootstrap", *SIGN)
    code, said = hybrid(*asked)
    assert code == 1
    assert "expected every gate to be open before an approval; recipe is shut: generator" in said
    assert read_approval(copied.storage, "small", "bootstrap") is None
    code, said = hybrid(*asked, "--refuse")
    assert code == 0, said
    assert "refused by Grace Hopper on" in said
    approval = read_approval(copied.storage, "small", "bootstrap")
    assert approval is not None
    assert approval.decision == "refuse"


@pytest.mark.parametrize(
    ("arguments", "expected", "message"),
    [
        (("smal", "--generator", "cart"), 2, "unknown study smal; known: "),
        (("small", "--generator", "gan"), 2, "unknown generator 'gan'; known: bootstrap, cart"),
        (("small", "--generator", "cart", "--expires", "2020-01-01"), 1, "--expires: expected 20"),
        (("small", "--generator", "cart", "--reviewer", " "), 2, "reviewer: String should have"),
    ],
)
def test_a_decision_that_means_nothing_is_refused(
    copied: Project,
    hybrid: Callable[..., tuple[int, str]],
    arguments: tuple[str, ...],
    expected: int,
    message: str,
) -> None:
    code, said = hybrid("approve", *SIGN, *arguments)
    assert code == expected
    assert message in said
    assert read_approval(copied.storage, "small", "cart") is None


def test_who_overrides_a_gate_does_not_sign_the_release(
    copied: Project, hybrid: Callable[..., tuple[int, str]]
) -> None:
    asked = ("approve", "small", "--generator", "cart", "--reason", "mine")
    code, said = hybrid(*asked, "--reviewer", "ada  lovelace")
    assert code == 1
    assert "ada  lovelace overrides privacy_verdict: somebody else has to sign" in said
    assert read_approval(copied.storage, "small", "cart") is None


def test_every_decision_is_kept_and_shown(
    copied: Project, hybrid: Callable[..., tuple[int, str]]
) -> None:
    asked = ("approve", "small", "--generator", "cart", "--reviewer", "Grace Hopper")
    for reason, option in (("too early", ["--refuse"]), ("read it all", [])):
        assert hybrid(*asked, "--reason", reason, *option)[0] == 0
    code, said = hybrid("audit", "small", "cart/release_candidate")
    assert code == 0
    told = " ".join(said.split())
    assert "refuse; Grace Hopper; too early" in told
    assert "Ada Lovelace; a test | with <b>marks</b>" in told
    assert "gate_privacy_verdict overridden by a person" in told
    assert "gate_positivity passed" in told
    history = copied.storage.decisions("small").history("cart/approval")
    assert [json.loads(each.read())["decision"] for each in history] == ["refuse", "approve"]
    file = copied.folder / "studies" / "small" / "defs.yaml"
    stated = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(stated | {"attributes": stated["attributes"] | {"title": "T"}}))
    code, said = hybrid(*asked, "--reason", "again")
    assert code == 0
    assert "decided before   refused by Grace Hopper on" in said
    assert said.count("(other settings or words of the card)") == 2


def test_nothing_is_signed_before_there_is_a_candidate(
    hybrid: Callable[..., tuple[int, str]],
) -> None:
    code, said = hybrid("approve", "small", "--generator", "cart", *SIGN)
    assert code == 1
    assert "no release candidate of 'cart' yet; make it: hybrid release small" in said


def test_an_approval_that_was_edited_is_noticed(
    copied: Project, hybrid: Callable[..., tuple[int, str]]
) -> None:
    hybrid("approve", "small", "--generator", "cart", *SIGN, "--refuse")
    (decision,) = copied.storage.decisions("small").history("cart/approval")
    Path(decision.place).write_bytes(decision.read().replace(b"refuse", b"approve"))
    with pytest.raises(CorruptDocument, match="is not what was logged as cart/approval"):
        read_approval(copied.storage, "small", "cart")
    assert (
        "the decision cart/approval is missing or was altered"
        in hybrid("audit", "small", "--check")[1]
    )


PROVENANCE = Provenance(
    run_id="by hand",
    code_version="0",
    study_hash="0",
    random_seed=0,
    upstream={},
    seconds=0.0,
    user="tester",
    started_at="2026-01-01T00:00:00+00:00",
)
