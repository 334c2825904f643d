"""`paired_table`: only where a study asks for it, with everything a reader must be told."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from dagster_project.assets.pairing import DONOR_PAIRED, SELF_PAIRED
from dagster_project.factory import study_definitions
from dagster_project.study_file import StudyFile
from warehouse import Warehouse

OBSERVATIONAL = {
    "source": {"kind": "design", "name": "paper1_observational", "n_rows": 300, "random_seed": 1},
    "design": {"kind": "observational"},
    "assignment": "observed",
    "nuisance": {
        "n_fold_draws": 1,
        "outcome_library": ["linear"],
        "propensity_library": ["linear"],
    },
    "generators": ["bootstrap"],
    "n_synthetic": 2000,
}
TRIAL = {"kind": "design", "name": "paper1_trial", "n_rows": 600, "random_seed": 2}
DONOR = {"donor": TRIAL, "donor_design": {"kind": "trial", "probability": 0.5}}
PAIRED = "bootstrap/paired_table"


def test_a_study_without_the_setting_has_no_paired_table(
    small_study: Callable[..., StudyFile], tmp_path: Path
) -> None:
    for setting, n_tables in (({}, 0), ({"pairing": DONOR}, 1)):
        definitions = study_definitions(small_study(**OBSERVATIONAL, **setting), tmp_path)
        keys = [key for asset in definitions.assets or () for key in asset.keys]
        assert [key.path[-1] for key in keys].count("paired_table") == n_tables


def test_a_donor_repairs_and_says_how_much_of_it_is_its_own(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    study = small_study(**OBSERVATIONAL, pairing=DONOR)
    result = materialize(study, "seed_table", "splits", PAIRED)
    assert result.success
    warehouse = Warehouse(tmp_path / "home", "small")
    table = warehouse.read_table(PAIRED)
    upstream = json.loads(warehouse.audit_entries()["upstream"].iloc[-1])
    assert re.fullmatch("[0-9a-f]{64}", upstream["donor (source)"])
    added = table[table["__added"]]
    shown = result.get_asset_materialization_events()[-1].materialization.metadata
    assert len(table) == 300 + len(added) == 300 + shown["rows_added"].value
    assert added["__match_distance"].notna().all()
    assert table.loc[~table["__added"], "__match_distance"].isna().all()
    assert set(table["__pairing"]) == {DONOR_PAIRED} == {shown["pairing"].value}
    assert added["A"].mean() > 0.7  # hardly anybody was treated: treatment is what is missing
    assert shown["donor_leverage"].value > 0.5
    assert shown["worst_case_width"].value == pytest.approx(len(added) / 300)
    assert 0 < shown["donor_leverage_standard_error"].value < 0.5
    assert "imputed .85 (.025), too short" in shown["paired_intervals"].value
    for row in (
        "study_alone",
        "study_trimmed",
        "paired_null_donor",
        "donor_leverage",
        "donor_alone",
        "pooled",
        "worst_case",
    ):
        assert row in shown["estimates"].value
    assert {"picture", "overlap", "match_distances", "heterogeneity_p_value"} <= set(shown)
    (check,) = (c for c in result.get_asset_check_evaluations() if c.check_name == "external_donor")
    assert check.passed


def test_the_number_of_added_rows_is_not_told_under_ten(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    drawn = small_study(source=TRIAL).source.read(tmp_path, tmp_path).head(300)
    g = 1 / (1 + np.exp(-2 * drawn["W4"]))
    drawn.assign(A=(rng.random(300) < g).astype(int)).to_csv(tmp_path / "few.csv", index=False)
    settings = OBSERVATIONAL | {"source": {"kind": "csv", "path": "few.csv"}}
    result = materialize(small_study(**settings, pairing=DONOR), "seed_table", "splits", PAIRED)
    table = Warehouse(tmp_path / "home", "small").read_table(PAIRED)
    assert 0 < table["__added"].sum() < 10
    shown = result.get_asset_materialization_events()[-1].materialization.metadata
    assert shown["rows_added"].value == "< 10 of 300"
    assert shown["worst_case_width"].value == "< 10/300"
    assert "| share extreme | < 10/300 |" in shown["overlap"].value
    assert "< 10 of 300 rows added" in shown["estimates"].value
    assert shown["dagster/row_count"].value is None
    assert str(len(table)) not in shown["estimates"].value


def test_self_pairing_is_labelled_wherever_it_appears(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    study = small_study(**OBSERVATIONAL, pairing={"donor": "self", "force": True})
    names = ("propensity_model", "outcome_model", "seed_estimates", "bootstrap/fitted_generator")
    made = ("bootstrap/synthetic_covariates", "bootstrap/hybrid_triplets", PAIRED)
    result = materialize(study, "seed_table", "splits", *names, *made)
    table = Warehouse(tmp_path / "home", "small").read_table(PAIRED)
    assert set(table["__pairing"]) == {SELF_PAIRED}
    events = result.get_asset_materialization_events()
    (event,) = (e for e in events if e.asset_key.path[-1] == "paired_table")
    shown = event.materialization.metadata
    assert shown["pairing"].value == SELF_PAIRED == "self-paired: not an estimate of the effect"
    assert "donor_alone" not in shown["estimates"].value
    (check,) = (c for c in result.get_asset_check_evaluations() if c.check_name == "external_donor")
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize(
    ("pairing", "message"),
    [
        ({"donor": "self"}, "further from the truth than without"),
        (DONOR | {"force": True}, "expected with donor: self only"),
        ({"donor": OBSERVATIONAL["source"]}, "expected other people than the seed's"),
    ],
)
def test_a_setting_that_cannot_help_is_refused(
    small_study: Callable[..., StudyFile], pairing: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        small_study(**OBSERVATIONAL, pairing=pairing)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="W3"), "column 'W3': expected a column of the donor table"),
        (
            lambda t: t.assign(W4=t["W4"].mask(t.index < 9)),
            "complete donor column; got some missing",
        ),
        (
            lambda t: t.assign(W4=t["W4"].mask(t.index < 10)),
            "complete donor column; got 10 missing",
        ),
        (lambda t: t.assign(W1=t["W1"] + 1), "expected donor values like the seed's"),
    ],
)
def test_a_donor_that_does_not_fit_is_refused(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    message: str,
) -> None:
    drawn = small_study(source=TRIAL).source.read(tmp_path, tmp_path)
    change(drawn).to_csv(tmp_path / "donor.csv", index=False)
    pairing = DONOR | {"donor": {"kind": "csv", "path": "donor.csv"}}
    study = small_study(**OBSERVATIONAL, pairing=pairing, missing="impute")
    result = materialize(study, "seed_table", "splits", PAIRED)
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    assert message in str(failed.step_failure_data.error)


def test_the_published_recipe_is_not_paired(small_study: Callable[..., StudyFile]) -> None:
    settings = small_study(**OBSERVATIONAL).model_dump(exclude={"nuisance"}, exclude_unset=True)
    with pytest.raises(ValueError, match="pairing: expected recipe targeted"):
        StudyFile.model_validate(settings | {"pairing": DONOR, "recipe": "published"})
