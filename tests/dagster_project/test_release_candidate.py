"""What would leave, and the gates before it, as Dagster runs and shows them."""

import json
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from dagster_project.factory import study_definitions
from dagster_project.resources import ComputeDevice, RefusingIOManager, StorageResource
from dagster_project.study_file import StudyFile
from hybrid_assets.gates import GATE_MEANINGS, GATE_REPORT, GateReport
from warehouse import ModelStore, Warehouse

OVERRIDE = {
    "gate": "privacy_verdict",
    "generator": "cart",
    "person": "Ada Lovelace",
    "reason": "a test | with <b>marks</b>",
}


class Project:
    """A small study in a home of its own, materialized asset by asset."""

    def __init__(self, folder: Path, settings: dict[str, object]) -> None:
        self.folder = folder
        self.settings = settings
        self.warehouse = Warehouse(folder / "home", "small")

    def materialize(self, job: str, **changes: object) -> dg.ExecuteInProcessResult:
        study = StudyFile.model_validate(self.settings | changes)
        definitions = study_definitions(study, self.folder)
        chosen = dg.AssetSelection.tag("job", job) - dg.AssetSelection.assets(*NOT_NEEDED)
        return dg.materialize(
            [*definitions.assets, *definitions.asset_checks],
            selection=chosen,
            instance=dg.DagsterInstance.ephemeral(),
            resources={
                "storage": StorageResource(home=str(self.folder / "home")),
                "compute": ComputeDevice(device="cpu"),
                "io_manager": RefusingIOManager(),
            },
            raise_on_error=False,
        )

    def report(self, generator: str) -> GateReport:
        model = self.warehouse.model(f"{generator}/release_candidate")
        folder = ModelStore(self.folder / "home").open(model)
        return GATE_REPORT.validate_json((folder / "gates.json").read_bytes())


NOT_NEEDED = [
    dg.AssetKey(["small", *name.split("/")])
    for name in (
        "study_report",
        "generator_comparison",
        "ate_estimates",
        *(f"{g}/{t}" for g in ("cart", "bootstrap") for t in ("fidelity_evaluation",)),
        *(f"{g}/{t}" for g in ("cart", "bootstrap") for t in ("effect_estimates",)),
    )
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    from tests.dagster_project.conftest import SMALL_STUDY

    made = Project(tmp_path_factory.mktemp("project"), SMALL_STUDY)
    assert made.materialize("refresh").success
    return made


@pytest.fixture(scope="module")
def released(project: Project) -> dg.ExecuteInProcessResult:
    return project.materialize("release", gates={"overrides": [OVERRIDE]})


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
    document = project.warehouse.read_document("cart/override_privacy_verdict", suffix=".json")
    assert json.loads(document) == OVERRIDE
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
