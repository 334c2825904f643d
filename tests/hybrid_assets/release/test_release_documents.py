import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
import yaml

from hybrid_assets.estimators import estimate_ate
from hybrid_assets.release.card import ReleaseCard
from hybrid_assets.release.dictionary import data_dictionary, released_schema
from hybrid_assets.release.limits import limits
from hybrid_assets.release.public_settings import NOT_TOLD, public_settings
from hybrid_assets.release.table_effects import table_effects
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def test_the_card_reads_back_as_it_was_written(card, files):
    assert ReleaseCard.model_validate_json(files["card.json"]) == card
    assert ReleaseCard.model_validate_json(files["card.json"]).to_json() == files["card.json"]


def test_levels_and_ranges_are_those_of_the_rows():
    schema = TableSchema(
        study="s",
        columns=(
            ColumnSchema(
                name="site",
                role=Role.COVARIATE,
                kind=ColumnKind.ORDINAL,
                levels=("low", "rare", "high"),
            ),
            ColumnSchema(
                name="bmi",
                role=Role.COVARIATE,
                kind=ColumnKind.CONTINUOUS,
                minimum=10.0,
                maximum=90.0,
                decimals=1,
            ),
        ),
    )
    table = pd.DataFrame({"site": ["high", "low"], "bmi": [20.5, 31.0]})
    site, bmi = data_dictionary([table], schema, {"bmi": "kg/m²"})
    assert (site.levels, site.minimum) == (("low", "high"), None)
    assert (bmi.minimum, bmi.maximum, bmi.description) == (20.5, 31.0, "kg/m²")
    assert (site.values_in_words, bmi.values_in_words) == ("low, high", "20.5 to 31.0")


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_dictionary_of_blocks_is_that_of_the_table(length):
    kinds = {"site": ColumnKind.CATEGORICAL, "bmi": ColumnKind.CONTINUOUS, "n": ColumnKind.INTEGER}
    schema = TableSchema(
        study="s",
        columns=tuple(
            ColumnSchema(
                name=name,
                role=Role.COVARIATE,
                kind=kind,
                levels=(1, 2, 3) if name == "site" else None,
                may_be_missing=True,
            )
            for name, kind in kinds.items()
        ),
    )
    table = pd.DataFrame(
        {
            "site": [2, np.nan, 1, 1, 2, 1],
            "bmi": [np.nan, 20.25, 31.0, 18.5, np.nan, np.nan],
            "n": pd.array([4, 7, None, 2, 2, 9], dtype="Int64"),
            "outcome_treated_mean": [0.5, 0.25, 1.0, 0.125, 0.0, 2.0],
            "outcome_control_mean": [1 / 3, 0.25, 1.0, 0.125, 0.0, 2.0],
        }
    )
    blocks = [table.iloc[k : k + length] for k in range(0, len(table), length)]
    site, bmi, n, treated, control = data_dictionary(blocks, schema, {})
    assert (site.levels, site.minimum, site.n_missing) == ((1, 2), None, 1)
    assert (bmi.minimum, bmi.maximum, bmi.decimals, bmi.n_missing) == (18.5, 31.0, None, 3)
    assert (n.levels, n.minimum, n.maximum, n.n_missing) == (None, 2.0, 9.0, 1)
    assert (treated.role, treated.decimals, treated.maximum) == ("counterfactual mean", 3, 2.0)
    assert control.decimals is None


def test_both_dictionaries_say_the_same(files, card):
    listed = json.loads(files["data_dictionary.json"])["columns"]
    rows = list(csv.DictReader(io.StringIO(files["data_dictionary.csv"].decode())))
    assert [row["name"] for row in rows] == [column["name"] for column in listed]
    assert [row["decimals"] for row in rows] == ["", "", "", "2", "2", "2", "", ""]
    assert rows[3]["description"] == "age, standardised"
    assert [c.name for c in card.columns] == [row["name"] for row in rows]


def test_crude_difference_by_hand_and_adjusted_as_the_library_does(card, table):
    schema = released_schema(card.columns, "small")
    found = {e.estimator: e for e in table_effects([table], len(table), schema, card.effect.plan)}
    treated, control = (table.loc[table["A"] == arm, "Y"] for arm in (1, 0))
    crude = found["difference_in_means"]
    assert crude.estimate == pytest.approx(treated.mean() - control.mean(), rel=1e-12)
    variance = treated.var(ddof=0) / len(treated) + control.var(ddof=0) / len(control)
    assert crude.standard_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert crude.standard_error_widened == pytest.approx(np.sqrt(2 * variance), rel=1e-12)
    plan = card.effect.plan
    rng = np.random.default_rng(plan.fold_seed).spawn(1)[0]
    rows = schema.canonical(table)
    library = estimate_ate(rows, schema, plan.nuisance, rng, plan.known_propensity)
    for word, estimate in library.items():  # other folds: within a few percent of an error
        near = 0.2 * estimate.standard_error
        assert found[word].estimate == pytest.approx(estimate.estimate, abs=near)


def test_public_settings_are_a_list_of_what_is_told(study, files):
    settings = public_settings(study, "llm")
    assert settings["generator"]["model"] == NOT_TOLD
    assert settings["generator"]["name"] == "llm"
    assert "overrides" not in settings["gates"]
    assert settings["design"] == {"kind": "trial", "probability": 0.5}
    assert yaml.safe_load(files["config.resolved.yaml"]) == public_settings(study, "cart")


def test_croissant_lists_files_and_columns(files, card):
    document = json.loads(files["croissant.json"])
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert [each["@id"] for each in document["distribution"]] == [
        "synthetic.csv",
        "synthetic.parquet",
    ]
    fields = document["recordSet"][0]["field"]
    assert [field["name"] for field in fields] == [column.name for column in card.columns]
    assert [field["dataType"] for field in fields] == ["sc:Integer"] * 3 + ["sc:Float"] * 3 + [
        "sc:Integer"
    ] * 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")  # its own, about itself
def test_mlcroissant_loads_the_rows(files, table, tmp_path):
    mlc = pytest.importorskip("mlcroissant")
    for name in ("croissant.json", "synthetic.csv", "synthetic.parquet"):
        (tmp_path / name).write_bytes(files[name])
    data = mlc.Dataset(tmp_path / "croissant.json")
    assert not data.metadata.ctx.issues.errors
    first = next(iter(data.records("rows")))
    assert first == {f"rows/{name}": value for name, value in table.iloc[0].items()}


def test_the_card_of_a_long_table_says_which_rows_its_effects_are_from():
    sizes = (250_000, 900_000)
    short, long = (limits("trial", holds_counterfactuals=False, n_rows=n) for n in sizes)
    (added,) = set(long) - set(short)
    assert added.startswith(
        "The effects on this card are estimated from a random sample of 250,000 of 900,000 rows: "
        "the public fold seed draws them"
    )


def test_effects_of_a_long_table_are_those_of_the_rows_drawn(table, card, monkeypatch):
    schema = released_schema(card.columns, "small")
    monkeypatch.setattr("hybrid_assets.release.table_effects.SAMPLE_ROWS", len(table) // 2)
    plan = card.effect.plan
    found = {e.estimator: e for e in table_effects([table], len(table), schema, plan)}
    again = {e.estimator: e for e in table_effects([table], len(table), schema, plan)}
    assert found == again
    blocks = [table.iloc[k : k + 70] for k in range(0, len(table), 70)]
    assert found == {e.estimator: e for e in table_effects(blocks, len(table), schema, plan)}
    crude = found["difference_in_means"]
    widened = crude.standard_error_widened / crude.standard_error
    assert widened == pytest.approx((1 + len(table) // 2 / plan.n_people) ** 0.5)
