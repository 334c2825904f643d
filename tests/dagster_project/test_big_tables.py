"""A study whose tables are longer than a block and than the sample that models see."""

from collections.abc import Callable

import dagster as dg
import numpy as np
import pytest

from dagster_project.study_file import StudyFile
from dagster_project.truth_columns import OUTCOME_CONTROL, OUTCOME_TREATED
from hybrid_assets.effects import seed_tmle
from hybrid_assets.processes import LocalProcesses
from warehouse import Warehouse

N_ROWS, BLOCK, SAMPLE = 2_000, 300, 700
BLOCKS = ("hybrid_assets.blocks", "hybrid_assets.hybrid_draw", "hybrid_assets.targeting")
BLOCKS += ("warehouse.table_blocks", "dagster_project.subjects")
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in BLOCKS:
        monkeypatch.setattr(f"{module}.BLOCK_ROWS", BLOCK)
    monkeypatch.setattr("hybrid_assets.generators.drawing.BLOCK_ROWS", 250)
    monkeypatch.setattr("warehouse.table_blocks._BATCH_ROWS", 100)
    for module in ("hybrid_assets.blocks", "dagster_project.asset_inputs"):
        monkeypatch.setattr(f"{module}.SAMPLE_ROWS", SAMPLE)


@pytest.mark.usefixtures("small_blocks")
def test_long_tables_are_made_checked_and_measured_in_blocks(
    small_study: Callable[..., StudyFile], materialize: Materialize, tmp_path: object
) -> None:
    study = small_study(generators=["cart"], n_synthetic=N_ROWS)
    result = materialize(study)
    assert result.success
    warehouse = Warehouse(tmp_path / "home", "small")  # type: ignore[operator]
    stored, version = warehouse.read_blocks("cart/hybrid_triplets")
    assert stored.n_rows == N_ROWS
    assert [len(block) for block in stored.blocks()] == [BLOCK] * 6 + [200]
    assert stored.data_version == version
    rows = stored.whole().to_pandas()
    seed = seed_tmle(warehouse.read_table("seed_estimates"))
    exact = float(np.mean(rows[OUTCOME_TREATED]) - np.mean(rows[OUTCOME_CONTROL]))
    assert exact == pytest.approx(float(seed["estimate"]), abs=1e-12)
    passed = {
        e.check_name: e.passed
        for e in result.get_asset_check_evaluations()
        if e.asset_key.path[-1] == "hybrid_triplets"
    }
    assert passed.pop("row_count")
    assert all(passed.values())


@pytest.mark.usefixtures("small_blocks")
def test_what_a_sample_stands_for_is_stated(
    small_study: Callable[..., StudyFile], materialize: Materialize, tmp_path: object
) -> None:
    study = small_study(generators=["cart"], n_synthetic=N_ROWS)
    result = materialize(study)
    note = f"from a random sample of {SAMPLE} of 2,000 rows"
    for asset in ("privacy_evaluation", "fidelity_evaluation", "effect_estimates"):
        metadata = result.asset_materializations_for_node(f"small__cart__{asset}")[0].metadata
        assert metadata["sampled_hybrid"].value == note
        assert metadata["sampled_full_synthetic"].value == note
    warehouse = Warehouse(tmp_path / "home", "small")  # type: ignore[operator]
    effects = warehouse.read_table("cart/effect_estimates")
    assert set(effects["interval_note"]) == {f"estimated {note}"}
    assert effects["n_rows"].max() == SAMPLE
    fidelity = warehouse.read_table("cart/fidelity_evaluation")
    assert set(fidelity.loc[fidelity["statistic"].isin(["KS", "TV"]), "n_rows"]) == {N_ROWS}
    report = (tmp_path / "home/reports/small/study_report.html").read_text()  # type: ignore[operator]
    assert note in report


@pytest.mark.usefixtures("small_blocks")
def test_a_draw_that_was_killed_goes_on_and_gives_the_same_bytes(
    small_study: Callable[..., StudyFile],
    materialize: Materialize,
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hybrid_assets.generators.cart import CartGenerator

    study = small_study(generators=["cart"], n_synthetic=N_ROWS)
    whole, n_calls = CartGenerator.sample, 0

    def dying(self: CartGenerator, n_rows: int, rng: np.random.Generator) -> object:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 5:
            raise MemoryError
        return whole(self, n_rows, rng)

    materialize(study, "seed_table", "splits", "cart/fitted_generator")
    monkeypatch.setattr(CartGenerator, "blocks_together", 1)
    monkeypatch.setattr(CartGenerator, "sample", dying)
    assert not materialize(study, "cart/synthetic_covariates").success
    warehouse = Warehouse(tmp_path / "home", "small")  # type: ignore[operator]
    assert "cart__synthetic_covariates" not in warehouse.table_names()
    assert materialize(study, "cart/synthetic_covariates").success
    assert n_calls == 5 + 4  # four of eight blocks were kept
    first = warehouse.table_version("cart/synthetic_covariates").data_version
    assert materialize(study, "cart/synthetic_covariates").success
    assert warehouse.table_version("cart/synthetic_covariates").data_version == first


@pytest.mark.usefixtures("small_blocks")
def test_tables_that_are_handed_out_are_those_of_one_process(
    small_study: Callable[..., StudyFile],
    materialize: Materialize,
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hybrid_assets.generators.cart import CartGenerator

    study = small_study(generators=["cart"], n_synthetic=N_ROWS)
    made = ["cart/synthetic_covariates", "cart/full_synthetic"]
    warehouse = Warehouse(tmp_path / "home", "small")  # type: ignore[operator]
    materialize(study, "seed_table", "splits", "cart/fitted_generator", *made)
    alone = [warehouse.table_version(asset).data_version for asset in made]
    monkeypatch.setattr(CartGenerator, "rows_handed_out", 100)
    monkeypatch.setattr(CartGenerator, "blocks_together", 2)
    handed_out: list[object] = []
    submit = LocalProcesses.submit

    def counted(self: LocalProcesses, *args: object, **kwargs: object) -> object:
        handed_out.append(args[0])
        return submit(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalProcesses, "submit", counted)
    assert materialize(study, *made).success
    assert len(handed_out) == 2 * N_ROWS / 500
    assert [warehouse.table_version(asset).data_version for asset in made] == alone
