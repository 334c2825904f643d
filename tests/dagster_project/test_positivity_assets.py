"""The asset that shows what poor overlap does to a study, and its ways out."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np

from dagster_project.assets.nuisance import _positivity
from dagster_project.assets.positivity import _worst_case
from dagster_project.study_file import StudyFile
from hybrid_assets.designs import DESIGNS
from hybrid_assets.nuisance import NuisanceSettings, cross_fit_draws
from hybrid_assets.positivity import overlap
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


def test_shares_of_one_to_nine_people_are_bounded(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    source = {"kind": "design", "name": "confounded_binary", "n_rows": 300, "random_seed": 1}
    study = small_study(**OBSERVATIONAL | {"source": source})
    names = ("seed_table", "splits", "propensity_model", "seed_estimates", "positivity_evaluation")
    result = materialize(study, *names)
    assert result.success
    made = Warehouse(tmp_path / "home", "small")
    remedies = made.read_table("positivity_evaluation").set_index("remedy")
    assert math.isnan(remedies.loc["truncation", "clipped_share"])
    assert remedies.loc["truncation", "note"].endswith("; clipped_share < 10/300")
    assert remedies.loc["overlap_weights", "clipped_share"] == 0.0
    seed = made.read_table("seed_estimates").set_index("estimator")
    assert math.isnan(seed.loc["aipw", "clipped_share"])
    key = dg.AssetKey(["small", "positivity_evaluation"])
    (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == key)
    assert "| clipped share | < 10/300 |" in event.materialization.metadata["overlap"].value
    (check,) = (c for c in result.get_asset_check_evaluations() if c.check_name == "positivity")
    assert check.passed
    assert str(check.metadata["clipped_share"].value).startswith("< 10/")


def test_the_positivity_check_passes_or_fails_by_the_exact_share() -> None:
    schema = DESIGNS["confounded_binary"].schema()
    rows = schema.canonical(DESIGNS["confounded_binary"](1000, 1))
    g = np.where(np.arange(1000) < 3, 1e-5, 0.5)
    found = overlap(g, rows["A"].to_numpy(), rows, schema)
    for largest, passed in ((0.0029, False), (0.0031, True)):
        check = _positivity(found, largest)
        assert check.passed == passed
        assert check.metadata["share_extreme"].value == "< 10/1000"


def test_bounds_as_far_apart_as_a_few_people_are_not_shown() -> None:
    schema = DESIGNS["confounded_binary"].schema()
    rows = schema.canonical(DESIGNS["confounded_binary"](1000, 1))
    settings = NuisanceSettings(
        n_fold_draws=1, propensity_library=("linear",), outcome_library=("linear",)
    )
    (fit,) = cross_fit_draws(rows, schema, settings, np.random.default_rng(0))
    for n_extreme, told in ((3, ["< 10/1000", "–", "–", "< 10/1000"]), (20, ["0.02"])):
        g = np.where(np.arange(1000) < n_extreme, 1e-5, 0.5)
        shown = _worst_case((replace(fit, propensity_unbounded=g),)).value.splitlines()[-1]
        cells = [cell.strip() for cell in shown.strip("|").split("|")]
        assert cells[: len(told)] == told
        assert "–" not in cells[-2:]
