import importlib.util
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from hybrid_assets.errors import GeneratorError, InvalidModelFiles
from hybrid_assets.generators.drawing import draw_valid
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

QUICK = LlmSettings(steps=2, batch_size=8, sampling="masked")


def fitted(table, schema, seed=1, settings=QUICK):
    return LlmGenerator(settings).fit(table, schema, np.random.default_rng(seed))


def rows(generator, seed, n_rows=100):
    return generator.sample(n_rows, np.random.default_rng(seed))


def test_every_table_is_learned_saved_and_restored(any_table):
    table, schema = any_table
    generator = fitted(table, schema)
    files = generator.to_files()
    restored = LlmGenerator.from_files(files, QUICK, schema)
    assert {"model.safetensors", "config.json", "tokenizer.json", "generator.json"} <= set(files)
    assert all(name.endswith((".safetensors", ".json")) for name in files)
    assert restored.to_files() == files
    drawn = rows(generator, 4)
    pd.testing.assert_frame_equal(rows(restored, 4), drawn)
    assert list(drawn.columns) == schema.names
    assert len(drawn) == 100
    assert not schema.invalid_counts(drawn)[0].any()


def test_same_seed_same_bytes_other_seed_other_bytes(mixed_table):
    table, schema = mixed_table
    first, second, other = (fitted(table, schema, seed) for seed in (1, 1, 2))
    assert first.to_files() == second.to_files()
    assert first.to_files() != other.to_files()
    pd.testing.assert_frame_equal(rows(first, 3), rows(second, 3))


def test_learns_a_table_and_gives_valid_rows(mixed_table):
    table, schema = mixed_table
    schema = schema.select(["site", "age", "smoker"])
    settings = LlmSettings(steps=400, batch_size=32)
    generator = fitted(table, schema, settings=settings)
    drawn, report = draw_valid(generator, schema, 3000, np.random.default_rng(2))
    assert report.n_dropped == 0
    assert report.valid_mass.keys() == set(schema.names)
    assert min(report.valid_mass.values()) > 0.9
    assert report.valid_mass == generator.valid_mass_
    assert drawn.dtypes.equals(table[schema.names].dtypes)
    assert not schema.invalid_counts(drawn)[0].any()
    for name in ("site", "smoker"):
        wanted = table[name].value_counts(normalize=True).to_dict()
        shares = drawn[name].value_counts(normalize=True).to_dict()
        assert shares == pytest.approx(wanted, abs=0.08)
    by_site = table.groupby("site", observed=True)["age"].mean().to_dict()
    assert drawn.groupby("site", observed=True)["age"].mean().to_dict() == pytest.approx(
        by_site, abs=4
    )
    curve = generator.learning_curve_
    assert list(curve.columns) == ["step", "loss", "held_out_loss"]
    assert 0 < curve["step"].iloc[-1] <= 400
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]
    older = generator.sample(300, np.random.default_rng(3), {"age": ">= 60", "smoker": 1})
    assert older["age"].min() >= 60
    assert older["smoker"].eq(1).all()
    known = drawn.head(50)[["site"]].astype(object)
    imputed = generator.sample(50, np.random.default_rng(3), known)
    assert imputed["site"].tolist() == known["site"].tolist()
    assert generator.valid_mass_.keys() == {"age", "smoker"}
    cold = LlmGenerator.from_files(
        generator.to_files(), settings.model_copy(update={"temperature": 0.3}), schema
    )
    smokers, smokers_cold = (rows(g, 1, 2000)["smoker"].mean() for g in (generator, cold))
    assert abs(smokers_cold - 0.5) > abs(smokers - 0.5) + 0.1  # the likelier level wins


def test_leaves_global_states_alone_and_prints_nothing(mixed_table, capfd):
    import torch
    from transformers.utils import logging

    torch.set_num_threads(2)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    told = logging.get_verbosity(), logging.is_progress_bar_enabled()
    generator = fitted(*mixed_table)
    rows(generator, 1)
    generator.to_files()
    assert random.getstate() == before[0]
    assert all(map(np.array_equal, np.random.get_state(), before[1]))
    assert torch.equal(torch.get_rng_state(), before[2])
    assert torch.get_num_threads() == 2
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == told
    assert capfd.readouterr() == ("", "")


def test_no_number_of_the_table_is_in_the_files(mixed_table):
    table, schema = mixed_table
    table = table.assign(income=np.where(np.arange(1000) == 500, 7351.42, table["income"]))
    everything = b"".join(fitted(table, schema).to_files().values())
    assert b"north" in everything
    for trace in (b"7351", np.float64(7351.42).tobytes(), np.float32(7351.42).tobytes()):
        assert trace not in everything
    readable = b"".join(
        content for name, content in fitted(table, schema).to_files().items() if "json" in name
    ).decode()
    assert not set(re.findall(r"\d+\.\d\d\b", readable)) & set(table["income"].map("{:.2f}".format))


def test_another_process_gives_the_same_rows(mixed_table, tmp_path):
    table, schema = mixed_table
    schema = schema.select(["smoker"])
    generator = fitted(table, schema, settings=LlmSettings(steps=40))
    for name, content in generator.to_files().items():
        (tmp_path / name).write_bytes(content)
    script = """
import sys, pathlib, numpy as np
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.schema import TableSchema
schema = TableSchema.model_validate_json(sys.argv[2])
files = {path.name: path.read_bytes() for path in pathlib.Path(sys.argv[1]).iterdir()}
generator = LlmGenerator.from_files(files, LlmSettings(), schema)
print(generator.sample(60, np.random.default_rng(5))["smoker"].tolist())
"""
    output = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), schema.model_dump_json()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = generator.sample(60, np.random.default_rng(5))["smoker"].tolist()
    assert output.strip() == str(here)
    assert {0, 1} <= set(here)


def test_fine_tunes_a_model_of_another_kind(mixed_table, generic_gpt2):
    table, schema = mixed_table
    schema = schema.select(["site", "smoker"])
    settings = LlmSettings(model=f"hf:{generic_gpt2}", steps=150, batch_size=16, learning_rate=1e-2)
    generator = fitted(table, schema, settings=settings)
    drawn, report = draw_valid(generator, schema, 300, np.random.default_rng(1))
    assert report.n_dropped == 0
    assert set(drawn["site"]) == {"north", "south", "west"}
    assert set(drawn["smoker"]) == {0, 1}
    files = generator.to_files()
    assert generic_gpt2.encode() not in b"".join(files.values())
    restored = LlmGenerator.from_files(files, settings, schema)
    pd.testing.assert_frame_equal(rows(restored, 2), rows(generator, 2))


def test_low_rank_changes_are_learned_alone_and_added_to_the_matrices(
    mixed_table, generic_gpt2, capfd
):
    pytest.importorskip("peft", reason="pip install 'hybrid-assets[lora]'")
    from safetensors.torch import load

    table, schema = mixed_table
    schema = schema.select(["site", "smoker"])
    settings = LlmSettings(
        model=f"hf:{generic_gpt2}", tuning="lora", steps=30, batch_size=16, learning_rate=1e-2
    )
    generator = fitted(table, schema, settings=settings)
    files = generator.to_files()
    assert fitted(table, schema, settings=settings).to_files() == files
    before = load((Path(generic_gpt2) / "model.safetensors").read_bytes())
    after = load(files["model.safetensors"])
    assert after.keys() == before.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed == {
        f"transformer.h.0.{name}.weight" for name in ("attn.c_attn", "attn.c_proj", "mlp.c_proj")
    }
    for name in changed:
        assert np.linalg.matrix_rank((after[name] - before[name]).numpy(), tol=1e-4) <= 16
    curve = generator.learning_curve_
    assert curve["loss"].iloc[-1] < curve["loss"].iloc[0]
    assert "adapter_config.json" not in files
    restored = LlmGenerator.from_files(files, settings, schema)
    assert load(restored.to_files()["model.safetensors"]).keys() == before.keys()
    assert capfd.readouterr() == ("", "")


def test_low_rank_changes_need_matrices_that_peft_knows(mixed_table, generic_gpt2):
    pytest.importorskip("peft", reason="pip install 'hybrid-assets[lora]'")
    from transformers import CTRLConfig, CTRLLMHeadModel

    from hybrid_assets.language.model_files import quiet_transformers

    config = CTRLConfig(vocab_size=257, n_positions=64, n_embd=16, dff=16, n_layer=1, n_head=2)
    with quiet_transformers():
        CTRLLMHeadModel(config).save_pretrained(generic_gpt2)  # beside the tokenizer of the GPT-2
    settings = LlmSettings(model=f"hf:{generic_gpt2}", tuning="lora")
    with pytest.raises(GeneratorError, match="has none that peft knows; expected tuning: full"):
        fitted(*mixed_table, settings=settings)


def test_low_rank_changes_need_peft(mixed_table, generic_gpt2):
    if importlib.util.find_spec("peft"):
        pytest.skip("peft is installed")
    settings = LlmSettings(model=f"hf:{generic_gpt2}", tuning="lora")
    with pytest.raises(GeneratorError, match="tuning 'lora' needs the package peft; install it"):
        fitted(*mixed_table, settings=settings)


def test_refuses_a_model_that_is_nowhere(mixed_table, tmp_path):
    settings = LlmSettings(model=f"hf:{tmp_path}/nothing")
    with pytest.raises(GeneratorError, match="nothing' is not a folder or hub name"):
        fitted(*mixed_table, settings=settings)


def test_refuses_missing_values_that_the_schema_does_not_allow(mixed_table):
    table, schema = mixed_table
    table.loc[3, "weight"] = np.nan
    with pytest.raises(GeneratorError, match=r"needs complete columns; \['weight'\]"):
        fitted(table, schema)


def with_gaps(table, schema):
    """Let each column be missing in a tenth of the rows, age in half of those in the north."""
    rng = np.random.default_rng(7)
    gaps = rng.random(table.shape) < 0.1
    gaps[:, schema.names.index("age")] = table["site"].eq("north") & (rng.random(len(table)) < 0.5)
    holed = table.astype(object).mask(gaps)
    schema = schema.allowing_missing(holed)
    return schema.canonical(holed), schema


def test_every_kind_of_column_may_be_missing(mixed_table):
    table, schema = with_gaps(*mixed_table)
    kinds = ["category", "Int64", "float64", "float64", "Int64"]
    assert [str(dtype) for dtype in table.dtypes] == kinds
    generator = fitted(table, schema)
    restored = LlmGenerator.from_files(generator.to_files(), QUICK, schema)
    pd.testing.assert_frame_equal(rows(restored, 4), rows(generator, 4))
    drawn, report = draw_valid(generator, schema, 2_000, np.random.default_rng(1))
    assert report.n_dropped == 0
    assert drawn.dtypes.equals(table.dtypes)
    assert drawn.isna().any().all()
    given = {"age": None, "smoker": "not missing", "site": "not missing", "weight": ">= 60"}
    drawn = generator.sample(200, np.random.default_rng(1), given)
    assert drawn["age"].isna().all()
    assert drawn[["smoker", "site", "weight"]].notna().all(axis=None)
    assert drawn["weight"].min() >= 60
    known = drawn[["site"]].assign(weight=np.nan)
    drawn = generator.sample(200, np.random.default_rng(1), known)
    assert drawn["site"].tolist() == known["site"].tolist()
    assert drawn["weight"].notna().any()  # a missing cell of a table is one to draw


def test_missing_values_are_learned_with_what_they_depend_on(mixed_table):
    table, schema = with_gaps(*mixed_table)
    schema = schema.select(["site", "age"])
    generator = fitted(table, schema, settings=LlmSettings(steps=300))
    drawn, _ = draw_valid(generator, schema, 4_000, np.random.default_rng(1))

    def missing_share(table):
        site = table["site"].astype(object)
        return table["age"].isna().groupby(site.where(site.notna(), "none")).mean().to_dict()

    assert missing_share(drawn) == pytest.approx(missing_share(table), abs=0.1)
    assert drawn["site"].isna().mean() == pytest.approx(table["site"].isna().mean(), abs=0.04)


def test_refuses_a_level_that_reads_like_a_missing_value():
    site = ColumnSchema(
        name="site",
        role=Role.COVARIATE,
        kind=ColumnKind.CATEGORICAL,
        levels=("missing", "north"),
        may_be_missing=True,
    )
    schema = TableSchema(study="s", columns=(site,))
    table = schema.canonical(pd.DataFrame({"site": ["north", None, "missing"]}))
    with pytest.raises(GeneratorError, match="column 'site': expected no level called 'missing'"):
        fitted(table, schema)


def test_refuses_damaged_files(mixed_table):
    table, schema = mixed_table
    files = fitted(table, schema).to_files()
    for damage in (
        {"generator.json": b"{"},
        {"model.safetensors": b"short"},
        {"tokenizer.json": b"{}"},
    ):
        with pytest.raises(InvalidModelFiles, match="llm generator cannot be read"):
            LlmGenerator.from_files(files | damage, QUICK, schema)
    for name in ("generator.json", "model.safetensors", "config.json"):
        fewer = {other: content for other, content in files.items() if other != name}
        with pytest.raises(InvalidModelFiles, match="llm generator cannot be read"):
            LlmGenerator.from_files(fewer, QUICK, schema)
    narrow = TableSchema(study="small", columns=schema.columns[:2])
    with pytest.raises(InvalidModelFiles, match=r"expected \['site', 'age'\]"):
        LlmGenerator.from_files(files, QUICK, narrow)


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"temperature": 0},
        {"top_k": 5},
        {"model": "gpt2"},
        {"sampling": "greedy"},
    ],
)
def test_refuses_settings(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        LlmSettings(**bad)
