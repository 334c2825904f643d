"""A study by the published recipe: what it makes, and that all of it says so."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console
from sklearn.ensemble import RandomForestRegressor

import dagster_project
from dagster_project.result_table import print_results
from dagster_project.study_file import StudyFile, read_study_file
from hybrid_assets.published import IN_SAMPLE_INTERVALS, PUBLISHED_LABEL
from hybrid_assets.published.recipe import published_effects
from hybrid_assets.report.canvas import BAND_PIXELS, blank_figure, labelled_png, png_bytes
from warehouse import Warehouse

UP_TO_THE_HYBRID = (
    "seed_table",
    "splits",
    "propensity_model",
    "outcome_model",
    "seed_estimates",
    "cart/fitted_generator",
    "cart/synthetic_covariates",
    "cart/hybrid_triplets",
)
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def published(small_study: Callable[..., StudyFile]) -> Callable[..., StudyFile]:
    """Give the small study by the published recipe, with some settings changed."""
    settings = small_study().model_dump(exclude={"nuisance"}, exclude_unset=True) | {
        "recipe": "published"
    }
    return lambda **changes: StudyFile.model_validate(settings | changes)


def test_a_packaged_study_sets_it() -> None:
    folder = Path(dagster_project.__file__).parent / "defs"
    study = read_study_file(folder / "paper_trial_published" / "defs.yaml")
    assert (study.recipe, study.assignment) == ("published", "observed")
    assert study.source == read_study_file(folder / "paper_trial" / "defs.yaml").source


def metadata_of(result: dg.ExecuteInProcessResult, *key: str) -> dict[str, Any]:
    (found,) = (
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(["small", *key])
    )
    return {name: entry.value for name, entry in found.items()}


def pictures_of(result: dg.ExecuteInProcessResult) -> dict[str, bytes]:
    return {
        event.asset_key.path[-1]: base64.b64decode(shown.value.partition("base64,")[2].rstrip(")"))
        for event in result.get_asset_materialization_events()
        if event.asset_key and (shown := event.materialization.metadata.get("picture"))
    }


def test_everything_it_makes_is_labelled(
    materialize: Materialize,
    published: Callable[..., StudyFile],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = materialize(published(generators=["cart"]))
    assert result.success
    made = Warehouse(tmp_path / "home", "small")
    database = tmp_path / "home" / "warehouse" / "small.duckdb"
    with duckdb.connect(str(database), read_only=True) as connection:
        comments = dict(
            connection.sql(
                "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'main'"
            ).fetchall()
        )
    assert {"cart__hybrid_triplets", "ate_estimates", "generator_comparison"} <= set(comments)
    assert all(c.startswith("Published recipe: not for release. Asset") for c in comments.values())
    for event in result.get_asset_materialization_events():
        assert event.materialization.metadata["recipe"].value == PUBLISHED_LABEL

    effects = made.read_table("ate_estimates")
    assert set(effects["table_name"]) == {
        f"{name} ({PUBLISHED_LABEL})" for name in ("seed", "cart hybrid", "cart full synthetic")
    }
    assert set(effects["nuisances"]) == {"in-sample forest"}
    assert set(effects["interval_note"]) == {IN_SAMPLE_INTERVALS}
    assert effects["converged"].all()
    assert (effects["standard_error"] > 0).all()

    remedies = made.read_table("positivity_evaluation")
    assert set(remedies["interval_note"]) == {IN_SAMPLE_INTERVALS}

    drawn = pictures_of(result)
    assert set(drawn) == {
        "propensity_model",
        "positivity_evaluation",
        "privacy_evaluation",
        "fidelity_evaluation",
        "ate_estimates",
        "generator_comparison",
    }
    nothing = labelled_png(png_bytes(blank_figure(1.0)[0]), PUBLISHED_LABEL)
    band = imread(io.BytesIO(nothing))[:BAND_PIXELS]
    for asset, png in drawn.items():
        assert np.array_equal(imread(io.BytesIO(png))[:BAND_PIXELS], band), asset

    page = (tmp_path / "home" / "reports" / "small" / "study_report.html").read_text()
    assert f'<span class="badge blocking">{PUBLISHED_LABEL}</span>' in page
    assert f"cart hybrid ({PUBLISHED_LABEL})" in page
    for asset in ("propensity_model", "fidelity_evaluation", "generator_comparison"):
        assert base64.b64encode(drawn[asset]).decode() in page
    assert f"These intervals are too narrow</strong>: {IN_SAMPLE_INTERVALS}" in page

    monkeypatch.setenv("HYBRID_HOME", str(tmp_path / "home"))
    print_results(Console(width=118), "small")
    printed = " ".join(capsys.readouterr().out.split())
    assert "not for release" in printed
    assert IN_SAMPLE_INTERVALS in printed
    assert "privacy verdicts of hybrid tables: cart " in printed


def test_drift_is_shown_and_blocks_nothing(
    materialize: Materialize, published: Callable[..., StudyFile]
) -> None:
    result = materialize(published(generators=["cart"]), *UP_TO_THE_HYBRID)
    checks = {(e.asset_key.path[-1], e.check_name): e for e in result.get_asset_check_evaluations()}
    assert ("hybrid_triplets", "calibration_shift") not in checks
    drift = checks["hybrid_triplets", "effect_drift"]
    assert drift.severity is dg.AssetCheckSeverity.WARN
    assert not drift.passed
    assert not drift.blocking
    shown = {name: entry.value for name, entry in drift.metadata.items()}
    assert shown["drift"] == pytest.approx(shown["psi_exact"] - shown["seed_tmle"], abs=1e-12)
    assert abs(shown["drift"]) > 0.001
    assert "not calibrated" in shown["why"]
    assert metadata_of(result, "cart", "hybrid_triplets")["calibration"].startswith("none")


def test_the_seeds_effects_are_those_of_in_sample_forests(
    materialize: Materialize, published: Callable[..., StudyFile], tmp_path: Path
) -> None:
    """The trial's known probability is not used, as published."""
    study = published()
    assert materialize(study, "seed_table", "splits", "seed_estimates").success
    rows = Warehouse(tmp_path / "home", "small").read_table("seed_estimates")
    found = rows.set_index("estimator")["estimate"]
    # the rows in the order in which they are stored: training, then holdout
    seed = Warehouse(tmp_path / "home", "small").read_table("splits")
    expected = published_effects(seed)
    for word, value in zip(("iptw", "aipw", "outcome_regression"), expected, strict=True):
        assert found[word] == pytest.approx(value, abs=1e-12)


def test_a_continuous_outcome_is_the_bare_prediction(
    materialize: Materialize, published: Callable[..., StudyFile], tmp_path: Path
) -> None:
    source = {"kind": "design", "name": "confounded_continuous", "n_rows": 300, "random_seed": 5}
    study = published(
        source=source,
        design={"kind": "observational"},
        assignment="randomised",
        generators=["cart"],
        outcome_decimals=6,
    )
    assert materialize(study, *UP_TO_THE_HYBRID).success
    made = Warehouse(tmp_path / "home", "small")
    rows, hybrid = made.read_table("splits"), made.read_table("cart/hybrid_triplets")
    train = rows[rows["__split"] == "train"]
    names = ["W1", "W2", "W3", "W4", "W5", "W6", "A"]
    forest = RandomForestRegressor(random_state=42).fit(train[names].to_numpy(), train["Y"])
    expected = forest.predict(hybrid[names].to_numpy())
    assert np.abs(hybrid["Y"] - expected).max() <= 0.5e-6 + 1e-12
    assert set(hybrid["__propensity"]) == {train["A"].mean()}
