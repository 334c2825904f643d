"""The generator `dp` in a study: what is fitted to what, what is spent, what is told."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.approvals import read_candidate, record_approval
from dagster_project.factory import study_definitions
from dagster_project.privacy_spending import fit_document, read_ledger, require_allowed
from dagster_project.release_contents import require_same_loss
from dagster_project.release_permission import today
from dagster_project.resources import StorageResource
from dagster_project.study_check import check_study
from dagster_project.study_file import StudyFile
from dagster_project.verification import verified
from hybrid_assets.approval import Approval
from hybrid_assets.errors import GeneratorError, ReleaseError
from hybrid_assets.generators import DpSettings
from hybrid_assets.privacy.ledger import (
    LEDGER,
    PrivacyLedger,
    PrivacyLoss,
    Spent,
    epsilon_of,
    loss_of,
)
from warehouse import (
    CorruptDocument,
    DecisionStore,
    PageStore,
    Provenance,
    Warehouse,
    WarehouseBusy,
)

Make = Callable[..., StudyFile]
HAS_OPENDP = importlib.util.find_spec("opendp") is not None
needs_opendp = pytest.mark.skipif(not HAS_OPENDP, reason="needs pip install 'hybrid-assets[dp]'")
NUMBER = {"kind": "continuous", "decimals": 2}
DECLARED: dict[str, Any] = {
    "generators": {"dp": {"epsilon": 3, "n_bins": 8}},
    "covariates": {
        **{name: {"kind": "binary"} for name in ("W1", "W2", "W3")},
        **{name: {**NUMBER, "range": [-4, 4]} for name in ("W4", "W5")},
        "W6": {**NUMBER, "range": [-5, 5]},
    },
    "outcome_range": [0, 1],
    "outcome_decimals": 0,
}
MORE = {"max_epsilon": 20}
DRAWN = ("dp/synthetic_covariates", "dp/hybrid_triplets", "dp/full_synthetic")


@pytest.fixture
def private_study(small_study: Make) -> Make:
    return lambda **changes: small_study(**DECLARED | changes)


def deps_of(study: StudyFile, asset: str) -> set[str]:
    definitions = study_definitions(study, Path("."))
    key = dg.AssetKey([study.name, *asset.split("/")])
    (found,) = [a for a in definitions.assets or () if key in a.keys]  # type: ignore[union-attr]
    return {"/".join(dep.path[1:]) for dep in found.asset_deps[key]}  # type: ignore[union-attr]


def test_people_reach_the_hybrid_through_the_private_law_alone(private_study: Make) -> None:
    study = private_study()
    own = {"dp/propensity_model", "dp/outcome_model", "dp/private_estimates"}
    for asset in own:
        assert deps_of(study, asset) == {"splits", "dp/fitted_generator"}
    # the seed's estimate is only compared with; splits give the layout, which is declared
    assert deps_of(study, "dp/hybrid_triplets") == own | {
        "dp/synthetic_covariates",
        "seed_estimates",
        "splits",
    }
    assert deps_of(study, "dp/full_synthetic") == {"splits", "dp/fitted_generator"}
    assert own <= deps_of(study, "dp/estimator_benchmark")


def test_other_generators_keep_the_studys_models(private_study: Make) -> None:
    study = private_study(generators={"dp": {}, "cart": {}})
    assert "propensity_model" in deps_of(study, "cart/hybrid_triplets")
    assert "dp/propensity_model" not in deps_of(study, "cart/hybrid_triplets")


@pytest.mark.skipif(HAS_OPENDP, reason="the extra is installed")
def test_check_names_the_missing_extra(private_study: Make, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=r"pip install 'hybrid-assets\[dp\]'"):
        check_study(private_study(), tmp_path)


def provenance() -> Provenance:
    return Provenance("run", "code", "study", 1, {}, 0.0, "ada", "2026-01-31T12:00:00+00:00")


def test_fits_of_all_generators_add_up_and_a_lost_one_ends_the_promise(tmp_path: Path) -> None:
    PageStore(tmp_path, "small").record("page", b"", provenance())
    store = DecisionStore(tmp_path, "small")
    assert read_ledger(store) == PrivacyLedger()
    fits = [PrivacyLedger((Spent(f"{g}: law", "AIM", 0.2),), 1e-6) for g in ("dp", "dp", "other")]
    kept = [store.record("privacy_ledger", LEDGER.dump_json(f), provenance()) for f in fits]
    ledger = read_ledger(store)
    assert [entry.what for entry in ledger.spent] == ["dp: law", "dp: law", "other: law"]
    assert ledger.rho == pytest.approx(0.6)
    Path(kept[0].place).unlink()
    with pytest.raises(CorruptDocument, match="is not what was logged as privacy_ledger"):
        read_ledger(store)


def test_a_lost_log_makes_no_loss_smaller(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path, "small")
    fits = [PrivacyLedger((Spent("dp: law", "AIM", 0.2),), delta) for delta in (1e-5, 1e-5, 1e-6)]
    before = [store.record("privacy_ledger", fit_document(fit), provenance()) for fit in fits[:2]]
    assert before[0].place != before[1].place
    for file in (tmp_path / "warehouse").glob("small.duckdb*"):
        file.unlink()
    assert read_ledger(store).rho == pytest.approx(0.4)
    store.record("privacy_ledger", fit_document(fits[2]), provenance())
    ledger = read_ledger(store)
    assert (ledger.rho, ledger.n_looks, ledger.delta) == (pytest.approx(0.6), 3, 1e-6)
    Path(before[0].place).write_bytes(before[1].read())
    with pytest.raises(CorruptDocument, match="is not what it is named by"):
        read_ledger(store)


def test_a_study_allows_one_fit_of_each_generator_or_what_it_states(private_study: Make) -> None:
    def fits(n_fits: int) -> PrivacyLedger:
        (law, made) = DpSettings(epsilon=3).spent
        return PrivacyLedger((law, made) * n_fits)

    two = private_study(generators={name: {"kind": "dp"} for name in ("dp", "other")})
    require_allowed(private_study(), fits(1))
    require_allowed(two, fits(2))
    for study, n_fits in ((private_study(), 2), (two, 3)):
        with pytest.raises(GeneratorError, match="expected fits within one fit of each dp gen"):
            require_allowed(study, fits(n_fits))
    stated = private_study(gates={"max_epsilon": 4.5})
    require_allowed(stated, fits(2))
    with pytest.raises(
        GeneratorError,
        match=r"within ε = 4.5 \(gates: max_epsilon\); got one that makes .* nothing was spent",
    ):
        require_allowed(stated, fits(3))
    require_allowed(private_study(gates={"max_epsilon": 3}), fits(1))


@needs_opendp
def test_what_is_refused_costs_nothing_and_a_lock_costs_one_fit(
    private_study: Make,
    materialize: Callable[..., dg.ExecuteInProcessResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, record = DecisionStore(tmp_path / "home", "small"), Warehouse.record_model
    asked = []

    def busy_once(self: Warehouse, asset: str, *args: Any, **more: Any) -> Any:
        asked.append(asset)
        if asked.count("dp/fitted_generator") == 1 and asset == "dp/fitted_generator":
            raise WarehouseBusy("held by another process")
        return record(self, asset, *args, **more)

    loose = private_study(generators={"dp": {"delta": 1e-3}})
    assert not materialize(loose, "seed_table", "splits", "dp/fitted_generator").success
    assert read_ledger(store).n_looks == 0
    monkeypatch.setattr(Warehouse, "record_model", busy_once)
    monkeypatch.setattr("dagster_project.retries.WAITS", (0,))
    fitted = materialize(private_study(), "splits", "dp/fitted_generator")
    assert fitted.success
    assert asked.count("dp/fitted_generator") == 2
    assert read_ledger(store).n_looks == 1
    other = private_study(generators={"dp": {"epsilon": 2}})
    assert not materialize(other, "dp/fitted_generator").success
    (law,) = (tmp_path / "home" / "models").glob("*/law.json")
    law.write_text("{}")  # damaged: only another fit could take its place
    assert not materialize(private_study(), "dp/fitted_generator").success
    assert read_ledger(store).n_looks == 1


def tables_of(tmp_path: Path) -> dict[str, str]:
    warehouse = Warehouse(tmp_path / "home", "small")
    return {asset: warehouse.table_version(asset).data_version for asset in DRAWN}


@needs_opendp
def test_a_study_runs_and_every_fit_is_added_up(
    private_study: Make, materialize: Callable[..., dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    study = private_study()
    before = [
        "seed_table",
        "splits",
        "seed_estimates",
        "dp/fitted_generator",
        "dp/propensity_model",
        "dp/outcome_model",
        "dp/private_estimates",
        "dp/synthetic_covariates",
        "dp/hybrid_triplets",
        "dp/full_synthetic",
    ]
    result = materialize(study, *before)
    assert result.success
    made = result.asset_materializations_for_node("small__dp__hybrid_triplets")[0].metadata
    own = result.asset_materializations_for_node("small__dp__private_estimates")[0].metadata
    assert made["psi_exact"].value == pytest.approx(own["tmle"].value, abs=1e-12)
    assert made["epsilon"].value == pytest.approx(3.0)
    (drift,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "effect_drift"]
    assert drift.metadata["psi_exact"].value == made["psi_exact"].value
    kept = materialize(study, "splits", "dp/fitted_generator", "dp/hybrid_triplets")
    law = [
        each.asset_materializations_for_node("small__dp__fitted_generator")[0].metadata
        for each in (result, kept)
    ]
    assert [each["fit"].value for each in law] == ["new: ε was spent", "kept: no new ε"]
    assert law[0]["model_sha256"].value == law[1]["model_sha256"].value
    store = DecisionStore(tmp_path / "home", "small")
    assert read_ledger(store).n_looks == 1
    drawn = tables_of(tmp_path)
    source = study.source.model_copy(update={"random_seed": 6})
    others = study.model_copy(update={"source": source})  # quite other people, the law is kept
    assert materialize(others, *(each for each in before if each != "dp/fitted_generator")).success
    assert tables_of(tmp_path) == drawn
    wider = DECLARED["covariates"] | {"W6": {**NUMBER, "range": [-6, 6]}}
    assert materialize(
        private_study(covariates=wider, gates=MORE),
        "seed_table",
        "splits",
        "dp/fitted_generator",
        *before[-3:],
    ).success  # nobody is beyond -5 or 5: the same rows, but other columns
    assert read_ledger(store).n_looks == 2
    other = private_study(generators={"dp": {"epsilon": 2, "n_bins": 8}}, gates=MORE)
    again = materialize(other, "dp/fitted_generator", "dp/hybrid_triplets")
    told = again.asset_materializations_for_node("small__dp__hybrid_triplets")[0].metadata
    assert told["epsilon"].value == pytest.approx(epsilon_of(read_ledger(store).rho, 1e-6))
    assert told["epsilon"].value > 3.0
    assert "3 fits added up" in str(told["privacy_loss"].value)


@pytest.mark.parametrize("told", [None, 0.1, 0.3])
def test_a_card_tells_the_loss_that_the_ledger_adds_up(told: float | None) -> None:
    def loss(rho: float) -> PrivacyLoss:
        return loss_of(PrivacyLedger((Spent("dp: law", "AIM", rho),)))

    require_same_loss("small", loss(0.2), loss(0.2))
    require_same_loss("small", None, None)
    with pytest.raises(ReleaseError, match="study 'small': expected the privacy loss that the can"):
        require_same_loss("small", told and loss(told), loss(0.2))


OVERRIDDEN = ("privacy_verdict", "effect_kept", "calibration_shift", "positivity")


@needs_opendp
def test_a_release_tells_its_loss_and_is_void_after_another_fit(
    private_study: Make, materialize: Callable[..., dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    person = {"generator": "dp", "person": "Ada Lovelace", "reason": "a test of releases"}
    study = private_study(
        gates=MORE | {"overrides": [person | {"gate": gate} for gate in OVERRIDDEN]}
    )
    storage = StorageResource(home=str(tmp_path / "home"))
    models = ("propensity_model", "outcome_model")
    assert materialize(
        study,
        *("seed_table", "splits", "seed_estimates", "positivity_evaluation"),
        *(f"{branch}{model}" for branch in ("", "dp/") for model in models),
        *("dp/fitted_generator", "dp/private_estimates", "dp/synthetic_covariates"),
        *("dp/hybrid_triplets", "dp/full_synthetic", "dp/privacy_evaluation"),
        "dp/release_candidate",
    ).success
    candidate = read_candidate(storage, study, "dp")
    assert candidate is not None
    stated = {"study": "small", "generator": "dp", "reviewer": "Grace Hopper", "reason": "read"}
    stated |= {"decision": "approve", "decided_on": today(), "signed": candidate.signed}
    record_approval(storage, study, Approval.model_validate(stated))
    assert materialize(study, "dp/release_bundle").success
    (release,) = storage.releases("small").releases("dp")
    card = json.loads((release.folder / "card.json").read_text(encoding="utf-8"))
    loss = card["gates"]["facts"]["privacy_loss"]
    assert loss["epsilon"] == pytest.approx(3.0)
    assert loss["adjacency"] == "replace-one"
    assert any("promised of the synthetic rows alone" in limit for limit in card["limits"])
    assert card["settings"]["generator"]["epsilon"] == 3
    assert all(check.passed for check in verified(release.folder))
    other = private_study(generators={"dp": {"epsilon": 1}}, gates=study.gates.model_dump())
    assert materialize(other, "dp/fitted_generator").success
    assert not materialize(study, "dp/release_bundle").success
