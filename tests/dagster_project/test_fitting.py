"""A language model is fitted with a device, a checkpoint and listeners, and tells what it took."""

import dagster as dg

LLM = {"llm": {"steps": 3, "batch_size": 8}}


def test_a_fit_is_described_and_leaves_no_checkpoint(small_study, materialize, tmp_path):
    study = small_study(generators=LLM)
    result = materialize(study, "seed_table", "splits", "llm/fitted_generator")
    assert result.success
    (event,) = result.asset_materializations_for_node(f"{study.name}__llm__fitted_generator")
    told = {name: entry.value for name, entry in event.metadata.items()}
    assert told["device"] == "cpu"
    assert told["tokens_per_second"] > 0
    assert told["peak_memory_bytes"] > 1e8
    assert isinstance(event, dg.AssetMaterialization)
    assert not list((tmp_path / "home" / "checkpoints").rglob("*"))
