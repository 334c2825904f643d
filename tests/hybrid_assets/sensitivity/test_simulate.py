import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from hybrid_assets.sensitivity import (
    SENSITIVITY_COMMENTS,
    SensitivitySettings,
    sensitivity_answers,
    simulate_sensitivity,
)
from hybrid_assets.sensitivity.simulate import summarised


def effects(scenario, calibrated, uncalibrated, *, is_reference=False, question="misspecification"):
    return [
        {
            "replicate": k,
            "question": question,
            "scenario": scenario,
            "is_reference": is_reference,
            "n_rows": 100,
            "n_covariates": 3,
            "true_effect": 1.0,
            "calibrated": c,
            "uncalibrated": u,
        }
        for k, (c, u) in enumerate(zip(calibrated, uncalibrated, strict=True))
    ]


def test_errors_and_paired_changes_by_hand():
    base, bare = np.array([1.1, 0.8, 1.3, 1.0]), np.array([1.2, 0.9, 1.2, 1.3])
    other = base + np.array([0.3, 0.1, np.nan, 0.2])
    table = summarised(
        pd.DataFrame(
            effects("study's library", base, bare, is_reference=True)
            + effects("both linear", other, bare)
        )
    )
    assert list(table.columns) == list(SENSITIVITY_COMMENTS)
    rows = table.set_index(["question", "scenario", "is_calibrated"])
    own = rows.loc[("misspecification", "study's library", True)]
    assert own["mean_error"] == pytest.approx(0.05)
    assert own["rmse"] == pytest.approx(np.sqrt(np.mean([0.01, 0.04, 0.09, 0.0])))
    interval = stats.t.interval(0.95, 3, loc=0.05, scale=stats.sem(base))
    assert (own["ci_low"], own["ci_high"]) == pytest.approx(interval)
    assert own["change"] == 0.0
    linear = rows.loc[("misspecification", "both linear", True)]
    assert (linear["n_replicates"], linear["n_failed"]) == (3, 1)
    assert linear["change"] == pytest.approx(0.2)
    interval = stats.t.interval(0.95, 2, loc=0.2, scale=stats.sem([0.3, 0.1, 0.2]))
    assert (linear["change_ci_low"], linear["change_ci_high"]) == pytest.approx(interval)
    off = rows.loc[("calibration", "study's library", False)]
    assert off["change"] == pytest.approx(np.mean(bare - base))
    assert rows.loc[("calibration", "study's library", True), "change"] == 0.0


@pytest.fixture(scope="module")
def simulated(trial_population, library):
    settings = SensitivitySettings(n_replicates=12, sample_sizes=(250, 700), dimensions=(15, 30))
    return simulate_sensitivity(
        trial_population, library, settings, n_rows=400, rng=np.random.default_rng(2)
    )


def test_confounding_is_removed_by_adjustment_and_left_without(simulated):
    rows = simulated[simulated["is_calibrated"]].set_index(["question", "scenario"])
    own = rows.loc[("misspecification", "study's library")]
    crude = rows.loc[("misspecification", "no adjustment")]
    assert crude["ci_low"] > 0.03  # prognosis and treatment go together
    assert own["ci_low"] < 0 < own["ci_high"]
    assert own["true_effect"] == pytest.approx(0.40, abs=1e-9)
    assert rows.loc[("bent truth", "study's library"), "true_effect"] != own["true_effect"]
    sizes = rows.loc["seed size"]
    assert sizes.loc["250 rows", "rmse"] > sizes.loc["700 rows", "rmse"]
    assert (simulated["n_failed"] == 0).all()


def test_answers_are_made_from_the_rows(simulated):
    said = sensitivity_answers(simulated)
    assert list(said) == [
        "misspecification",
        "bent truth",
        "seed size",
        "dimension",
        "DCR filter",
        "calibration",
    ]
    rows = simulated[simulated["is_calibrated"]].set_index(["question", "scenario"])
    crude = rows.loc[("misspecification", "no adjustment")]
    assert f"without any adjustment it is {crude['mean_error']:+.3g}" in said["misspecification"]
    assert "excludes zero)." in said["misspecification"]
    both = rows.loc[("bent truth", "both linear")]
    assert f"; {both['change']:+.3g} (95 % " in said["bent truth"]
    assert said["bent truth"].endswith("zero) (both linear).")
    assert said["seed size"].startswith("From 250 to 700 rows the RMSE goes from ")
    assert said["dimension"].startswith("With 30 covariates instead of 6")
    widest = rows.loc[("dimension", "30 covariates")]
    holds = widest["change_ci_low"] <= 0 <= widest["change_ci_high"]
    assert f"{'contains' if holds else 'excludes'} zero)" in said["dimension"]
    assert "by construction" in said["DCR filter"]
    assert "nan" not in " ".join(said.values())


def test_an_interval_around_zero_is_said_to_contain_it(simulated):
    flat = simulated.assign(change=0.01, change_ci_low=-0.01, change_ci_high=0.03)
    said = sensitivity_answers(flat)
    assert "none moved the effect by more than Monte-Carlo error" in said["misspecification"]
    assert "+0.01 (95 % -0.01 to +0.03, contains zero)" in said["calibration"]
    narrow = simulated[~simulated["scenario"].isin(["15 covariates", "30 covariates"])]
    assert "none was added" in sensitivity_answers(narrow)["dimension"]


def test_a_question_without_a_fitted_replicate_is_not_answered(simulated):
    nothing = simulated.assign(mean_error=np.nan, change=np.nan)
    said = set(sensitivity_answers(nothing).values())
    assert said == {"Not answered: in no replicate could the models be fitted."}


def test_a_filter_that_cannot_be_tested_is_said_to_be_so(binary_population, library):
    settings = SensitivitySettings(n_replicates=5, sample_sizes=(250,), dimensions=(3,))
    rows = simulate_sensitivity(
        binary_population, library, settings, n_rows=300, rng=np.random.default_rng(2)
    )
    dropped = rows[(rows["question"] == "DCR filter") & ~rows["is_reference"]]
    assert (dropped["n_replicates"] == 0).all()
    assert (dropped["n_failed"] == 5).all()
    assert sensitivity_answers(rows)["DCR filter"] == (
        "The filter cannot be tested here: every finished row is equally near to a person, so "
        "that none is nearest."
    )


def test_settings_refuse_what_makes_no_curve():
    with pytest.raises(ValidationError, match="in increasing order; got \\[500, 250\\]"):
        SensitivitySettings(sample_sizes=(500, 250))
    with pytest.raises(ValidationError, match="in increasing order; got \\[\\]"):
        SensitivitySettings(dimensions=())
    with pytest.raises(ValidationError, match="n_replicas"):
        SensitivitySettings(n_replicas=3)


def test_the_picture_shows_every_scenario(simulated):
    from hybrid_assets.errors import EvaluationError
    from hybrid_assets.report.sensitivity_plot import sensitivity_plot

    drawn = sensitivity_plot(simulated)
    assert drawn.startswith(b"\x89PNG")
    assert drawn == sensitivity_plot(simulated)
    with pytest.raises(EvaluationError, match="at least one scenario; got none"):
        sensitivity_plot(simulated.iloc[:0])
