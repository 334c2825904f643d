"""Effect tables of a study that asks for more than the average effect."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from dagster_project.study_file import StudyFile
from warehouse import AuditTrail, KeyedHash, Warehouse


def test_every_question_is_answered_in_every_table(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    study = small_study(
        estimators=["aipw", "tmle", "iptw_stabilised"],
        estimands=["ate", "att", "risk_ratio"],
        subgroups=["W2"],
        generators=["bootstrap"],
    )
    result = materialize(study)
    assert result.success
    made = Warehouse(tmp_path / "home", "small")
    found = made.read_table("ate_estimates")
    key = dg.AssetKey(["small", "bootstrap", "effect_estimates"])
    (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == key)
    left_out = event.materialization.metadata["left_out"].value
    # a stabilised weighted risk above 1 has no ratio
    assert all("iptw_stabilised puts the risks" in refusal for refusal in left_out)
    assert (found["table_kind"] == "seed").sum() == 27
    assert len(found) == 3 * 27 - len(left_out)
    assert found["converged"].all()
    of_people = found[(found["table_kind"] == "seed") & (found["estimator"] == "tmle")]
    n_rows = of_people[of_people["estimand"] == "ate"].set_index("subgroup_level")["n_rows"]
    assert n_rows["0"] + n_rows["1"] == n_rows[""] == 300
    comparison = made.read_table("generator_comparison")
    is_target = (of_people["estimand"] == "ate") & (of_people["subgroup"] == "")
    assert comparison["tmle"].iloc[0] == of_people.loc[is_target, "estimate"].item()
    assert list(comparison["privacy_verdict"]) == ["", "FAIL", ""]
    page = (tmp_path / "home" / "reports" / "small" / "study_report.html").read_text()
    assert "No PASS is possible here" in page
    assert "Every finding: bootstrap (FAIL)" in page
    assert "makes it): bootstrap not made." in page
    keyed, log = KeyedHash(tmp_path / "home"), AuditTrail(tmp_path / "home", "small").entries()
    versions = {(entry.asset, entry.kind): entry.data_version for entry in log}
    for made_from in (("seed_table", "table"), ("bootstrap/fitted_generator", "model")):
        version = versions[made_from]
        assert f"<code>{keyed.of('data version', version)[12:24]}</code>" in page
        assert version[:12] not in page


def test_a_subgroup_too_small_to_speak_of_stops_the_seed_s_analysis(
    materialize: Callable[..., dg.ExecuteInProcessResult],
    small_study: Callable[..., StudyFile],
    tmp_path: Path,
) -> None:
    rows = small_study().source.read(tmp_path, tmp_path)
    rows["W3"] = (rows.index < 12).astype(int)
    rows.to_csv(tmp_path / "rare.csv", index=False)
    study = small_study(source={"kind": "csv", "path": "rare.csv"}, subgroups=["W3"])
    result = materialize(study, "seed_table", "splits", "seed_estimates")
    assert not result.success
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    assert "subgroups of W3: expected 10 rows or more in each arm" in str(
        failed.step_failure_data.error
    )
