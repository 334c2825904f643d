"""Where the effect went: stored, shown and told in the report."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.assets.comparison import COMPARISON
from dagster_project.study_file import StudyFile
from hybrid_assets.fidelity import EffectMeasures
from warehouse import Warehouse


def test_every_table_is_diagnosed_with_its_holdout(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    result = materialize(small_study(generators=["bootstrap"]))
    assert result.success
    made = Warehouse(tmp_path / "home", "small")
    stored = made.read_table("bootstrap/fidelity_evaluation")
    measured = stored[stored["measure"].notna()]
    names = list(EffectMeasures.__dataclass_fields__)
    assert measured["measure"].tolist() == 2 * names
    assert measured["table_kind"].tolist() == ["hybrid"] * 13 + ["full synthetic"] * 13
    assert measured[["value", "standard_error", "holdout_value"]].notna().all(axis=None)
    assert set(measured["n_rows"]) == {60}
    of_columns = stored[stored["measure"].isna()]
    assert set(of_columns["column"]) == {"W1", "W2", "W3", "W4", "W5", "W6", "A", "Y"}
    key = dg.AssetKey(["small", "bootstrap", "fidelity_evaluation"])
    (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == key)
    shown = event.materialization.metadata
    assert "drift_contrast" in shown["effect"].value
    assert shown["left_out"].value == []
    page = (tmp_path / "home" / "reports" / "small" / "study_report.html").read_text()
    assert "bootstrap full synthetic: predicts " in page
    folder = made.model("generator_comparison")
    (file,) = (tmp_path / "home" / "models" / folder.sha256).glob("comparison.json")
    rows = COMPARISON.validate_json(file.read_bytes())
    assert [row.diagnosis is None for row in rows] == [True, False, False]
    total = measured.query("measure == 'drift_total' and table_kind == 'full synthetic'")["value"]
    assert rows[2].diagnosis is not None
    assert rows[2].diagnosis.measures.drift_total == pytest.approx(total.item(), abs=0)


def test_a_table_too_small_to_fit_is_left_out_and_named(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
) -> None:
    study = small_study(generators=["bootstrap"], holdout={"share": 0.1})
    branch = ("fitted_generator", "synthetic_covariates", "hybrid_triplets", "full_synthetic")
    result = materialize(
        study,
        *("seed_table", "splits", "propensity_model", "outcome_model", "seed_estimates"),
        *(f"bootstrap/{asset}" for asset in (*branch, "fidelity_evaluation")),
    )
    assert result.success
    key = dg.AssetKey(["small", "bootstrap", "fidelity_evaluation"])
    (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == key)
    left_out = event.materialization.metadata["left_out"].value
    assert len(left_out) == 2
    assert "hybrid table, study 'small': effects are compared on at least 50 rows" in left_out[0]
