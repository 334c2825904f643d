"""The asset that shows what poor overlap does to a study, and its ways out."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from dagster_project.study_file import StudyFile
from warehouse import Warehouse

OBSERVATIONAL = {
    "source": {"kind": "design", "name": "paper1_observational", "n_rows": 300, "random_seed": 1},
    "design": {"kind": "observational"},
    "nuisance": {
        "n_fold_draws": 1,
        "outcome_library": ["linear"],
        "propensity_library": ["linear"],
    },
}


def test_remedies_stand_beside_the_study_s_own_estimate(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    study = small_study(**OBSERVATIONAL)
    result = materialize(study, "seed_table", "splits", "seed_estimates", "positivity_evaluation")
    assert result.success
    made = Warehouse(tmp_path / "home", "small")
    remedies = made.read_table("positivity_evaluation").set_index("remedy")
    seed = made.read_table("seed_estimates").set_index("estimator")
    for column in ("estimate", "standard_error", "clipped_share", "ess_treated"):
        assert remedies.loc["truncation", column] == seed.loc["aipw", column]
    key = dg.AssetKey(["small", "positivity_evaluation"])
    (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == key)
    shown = event.materialization.metadata
    assert {"picture", "remedies", "overlap", "balance", "worst_case"} <= set(shown)
    sentences = shown["hole"].value
    assert sentences
    assert all("rows extreme" in sentence for sentence in sentences)
    assert "bound low" in shown["worst_case"].value


def test_a_measurement_says_why_it_has_no_worst_case(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
) -> None:
    source = {"kind": "design", "name": "confounded_continuous", "n_rows": 300, "random_seed": 1}
    study = small_study(**OBSERVATIONAL | {"source": source})
    result = materialize(study, "seed_table", "splits", "positivity_evaluation")
    assert result.success
    event = result.get_asset_materialization_events()[-1]
    assert "need an outcome of 0 and 1" in event.materialization.metadata["worst_case"].value


def test_in_sample_forests_have_remedies_too(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    settings = small_study(**OBSERVATIONAL).model_dump(exclude={"nuisance"}, exclude_unset=True)
    study = StudyFile.model_validate(settings | {"recipe": "published"})
    result = materialize(study, "seed_table", "splits", "positivity_evaluation")
    assert result.success
    made = Warehouse(tmp_path / "home", "small").read_table("positivity_evaluation")
    remedies = made.set_index("remedy")["estimate"]
    assert remedies["none"] == remedies["truncation"]  # the papers bound at 1e-6
