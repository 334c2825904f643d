"""What is said of a table whose effect is gone, or not, and the section that says it."""

from dataclasses import replace

import pytest

from hybrid_assets.report.lost_effect import lost_effect_sentence
from hybrid_assets.report.page import study_report_html


@pytest.fixture
def lost(rows, diagnosis):
    return replace(rows[1], table="gan full synthetic", diagnosis=diagnosis)


def test_a_lost_effect_is_told_with_its_cause(lost):
    assert lost_effect_sentence(lost) == (
        "gan full synthetic: predicts as well as real rows as far as the holdout can tell "
        "(AUC 0.751 against 0.763); its effect is off that of the training rows by −0.412 "
        "(SE 0.030), most of it (−0.442) through the treatment contrast. The error of its effect "
        "costs 5.0 % of the outcome's variance in prediction loss; unseen people give 2.0 %."
    )


def test_a_kept_effect_is_not_called_lost(lost, diagnosis):
    errors = replace(diagnosis.standard_errors, drift_total=0.3)
    kept = replace(lost, diagnosis=replace(diagnosis, standard_errors=errors, holdout=None))
    said = lost_effect_sentence(kept)
    assert "its effect is not clearly off that of the training rows: −0.412 (SE 0.30)." in said
    assert said.endswith("in prediction loss.")


def test_worse_and_absent_scores_are_said(lost):
    worse = replace(lost.predictive_score, difference_ci_high=-0.001)
    assert "predicts worse than real rows" in lost_effect_sentence(
        replace(lost, predictive_score=worse)
    )
    assert "prediction has no score;" in lost_effect_sentence(replace(lost, predictive_score=None))
    assert (
        lost_effect_sentence(replace(lost, diagnosis=None)) == "gan full synthetic: not measured."
    )


def test_the_section_shows_every_part_with_its_error_and_the_holdout(summary, lost):
    html = " ".join(study_report_html(replace(summary, rows=(summary.rows[0], lost))).split())
    for wanted in (
        "Where the effect went",
        "5 × 300 rows",
        '−0.412<small class="nowrap">SE 0.030</small><small class="nowrap">holdout: 0.022',
        "by the covariate law",
        "−0.442<small",  # contrast
        "0.050<small",  # effect loss as a share of the variance
        "0.932<small",
        "0.457<small",
        "0.954<small",
        "0.188<small",
    ):
        assert wanted in html


def test_without_diagnoses_there_is_no_section(summary):
    assert "Where the effect went" not in study_report_html(summary)
