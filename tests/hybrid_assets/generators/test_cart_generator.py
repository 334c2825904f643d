import time

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from hybrid_assets.errors import GeneratorError, InvalidModelFiles
from hybrid_assets.generators.cart import CartGenerator, CartSettings
from hybrid_assets.generators.cart_trees import grow_tree
from hybrid_assets.generators.drawing import draw_valid
from hybrid_assets.generators.fit_support import FitSupport
from hybrid_assets.processes import LocalProcesses
from hybrid_assets.schema import TableSchema

SETTINGS = CartSettings()


def fitted(table, schema, seed=1, settings=SETTINGS):
    return CartGenerator(settings).fit(table, schema, np.random.default_rng(seed))


def test_every_table_gives_valid_rows_of_canonical_types(any_table):
    table, schema = any_table
    drawn, report = draw_valid(fitted(table, schema), schema, 500, np.random.default_rng(2))
    assert drawn.dtypes.equals(table.dtypes)
    assert report.n_rows == len(drawn) == 500
    assert report.valid_share > 0.95
    for column in schema.columns:
        if column.is_discrete_set:
            assert set(drawn[column.name]) <= set(table[column.name])


def test_same_seed_same_bytes_and_rows(any_table):
    table, schema = any_table
    first, second = fitted(table, schema), fitted(table, schema)
    assert first.to_files() == second.to_files()
    pd.testing.assert_frame_equal(
        first.sample(200, np.random.default_rng(3)), second.sample(200, np.random.default_rng(3))
    )


def test_restored_generator_gives_the_same_rows_and_files(any_table):
    table, schema = any_table
    generator = fitted(table, schema)
    files = generator.to_files()
    assert sorted(files) == ["schema.json", "trees.safetensors"]
    restored = CartGenerator.from_files(files, SETTINGS, schema)
    assert restored.to_files() == files
    pd.testing.assert_frame_equal(
        restored.sample(300, np.random.default_rng(4)),
        generator.sample(300, np.random.default_rng(4)),
    )


def test_other_seed_other_rows(mixed_table):
    generator = fitted(*mixed_table)
    first, second = (generator.sample(100, np.random.default_rng(seed)) for seed in (1, 2))
    assert not first.equals(second)


def test_keeps_the_joint_law(mixed_table):
    table, schema = mixed_table
    drawn, _ = draw_valid(fitted(table, schema), schema, 20_000, np.random.default_rng(5))
    numbers = ["age", "weight", "income", "smoker"]
    # the standard error of a mean of 1000 rows is 3 % of a standard deviation
    shift = (drawn[numbers].mean() - table[numbers].mean()) / table[numbers].std()
    assert shift.abs().max() < 0.06
    assert (drawn[numbers].std() / table[numbers].std() - 1).abs().max() < 0.04
    assert (drawn[numbers].corr() - table[numbers].corr()).abs().max().max() < 0.06
    by_site = drawn.groupby("site", observed=True)["age"].mean()
    expected = table.groupby("site", observed=True)["age"].mean()
    assert (by_site - expected).abs().max() < 0.5


def test_rare_numbers_are_smoothed_and_heaps_kept(mixed_table):
    table, schema = mixed_table
    drawn, _ = draw_valid(fitted(table, schema), schema, 20_000, np.random.default_rng(6))
    assert (drawn["income"] == 0).mean() == pytest.approx((table["income"] == 0).mean(), abs=0.02)
    positive = drawn.loc[drawn["income"] > 0, "income"]
    # 0.2 % would be met by chance: 660 values among some 400 000 hundredths
    assert positive.isin(table["income"]).mean() < 0.01


def test_a_value_shared_by_fewer_than_min_leaf_people_moves():
    target = np.repeat([0.0, 1000.0], [95, 5])
    tree = grow_tree(
        np.empty((100, 0), dtype=np.float32), target, is_label=False, min_leaf=20, random_seed=0
    )
    drawn = tree.draw_smoothed(np.empty((5000, 0), dtype=np.float32), np.random.default_rng(7))
    assert tree.shared_values.tolist() == [0.0]
    assert (drawn == 0).mean() == pytest.approx(0.95, abs=0.01)
    assert not np.isin(1000.0, drawn)


def test_leaves_hold_at_least_min_leaf_people():
    rng = np.random.default_rng(8)
    predictors = rng.normal(size=(500, 3)).astype(np.float32)
    target = predictors[:, 0] * 2 + rng.normal(0, 0.1, 500)
    tree = grow_tree(predictors, target, is_label=False, min_leaf=25, random_seed=0)
    n_donors = np.diff(tree.first_donor)[tree.feature < 0]
    assert n_donors.min() >= 25
    assert n_donors.sum() == 500
    assert len(n_donors) > 5
    # a row drawn from its own leaf is near its own value
    drawn = tree.draw(predictors, rng)
    assert np.corrcoef(drawn, target)[0, 1] > 0.9


def test_leaves_are_those_of_scikit_learn():
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(9)
    predictors = rng.normal(size=(400, 4)).astype(np.float32)
    target = np.sin(predictors).sum(axis=1)
    tree = grow_tree(predictors, target, is_label=False, min_leaf=10, random_seed=3)
    peer = DecisionTreeRegressor(
        min_samples_leaf=10, ccp_alpha=3.84 / 400 * target.var(), random_state=3
    ).fit(predictors, target)
    unseen = rng.normal(size=(3000, 4)).astype(np.float32)
    np.testing.assert_array_equal(tree.leaves(unseen), peer.apply(unseen))
    np.testing.assert_allclose(tree.centre[tree.leaves(unseen)], peer.predict(unseen), rtol=1e-12)


def test_noise_grows_few_branches():
    rng = np.random.default_rng(10)
    n_nodes = [
        len(
            grow_tree(
                rng.normal(size=(1000, 1)).astype(np.float32),
                rng.normal(size=1000),
                is_label=False,
                min_leaf=20,
                random_seed=0,
            ).feature
        )
        for _ in range(20)
    ]
    assert np.median(n_nodes) <= 20  # some 70 if nothing were pruned


def test_quick_on_large_tables(mixed_table):
    table, schema = mixed_table
    fitted(table, schema)  # imports
    start = time.perf_counter()
    generator = fitted(table, schema)
    fitted_at = time.perf_counter()
    generator.sample(50_000, np.random.default_rng(0))
    assert fitted_at - start < 1.0
    assert time.perf_counter() - fitted_at < 2.0


def test_missing_values_are_refused(mixed_table):
    table, schema = mixed_table
    table.loc[3, "weight"] = np.nan
    with pytest.raises(GeneratorError, match=r"\['weight'\] hold missing values"):
        fitted(table, schema)


def test_small_leaves_are_refused():
    with pytest.raises(ValidationError, match="greater than or equal to 5"):
        CartSettings(min_leaf=4)


def test_files_of_another_schema_are_refused(mixed_table):
    table, schema = mixed_table
    files = fitted(table, schema).to_files()
    fewer = schema.select(["age", "weight"])
    with pytest.raises(InvalidModelFiles, match="fitted to other columns, levels or ranges"):
        CartGenerator.from_files(files, SETTINGS, fewer)
    renamed = TableSchema(study="other", columns=schema.columns)
    assert CartGenerator.from_files(files, SETTINGS, renamed).schema_.study == "other"


@pytest.mark.parametrize("name", ["schema.json", "trees.safetensors"])
def test_damaged_files_are_refused(mixed_table, name):
    table, schema = mixed_table
    files = fitted(table, schema).to_files()
    with pytest.raises(InvalidModelFiles, match="cart generator cannot be read"):
        CartGenerator.from_files(files | {name: b"nothing"}, SETTINGS, schema)
    del files[name]
    with pytest.raises(InvalidModelFiles, match=r"cannot be read \(KeyError\)"):
        CartGenerator.from_files(files, SETTINGS, schema)


def test_trees_grown_in_processes_are_those_of_one(mixed_table, monkeypatch):
    table, schema = mixed_table
    alone = fitted(table, schema)
    monkeypatch.setattr("hybrid_assets.generators.cart.PEOPLE_HANDED_OUT", 10)
    generator = CartGenerator(SETTINGS)
    with LocalProcesses(2) as workers:
        generator.support = FitSupport(workers=workers)
        generator.fit(table, schema, np.random.default_rng(1))
    assert generator.to_files() == alone.to_files()
