import numpy as np
import pandas as pd
import pytest

from hybrid_assets.designs import DESIGNS, confounded_propensity, paper1_observational
from hybrid_assets.errors import EstimationError
from hybrid_assets.positivity import is_extreme, overlap
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

DESIGN = DESIGNS["confounded_binary"]


def test_by_hand():
    n = 200
    g = np.full(n, 0.5)
    g[:3] = [0.0005, 0.02, 0.999]
    treatment = np.r_[0, 0, 1, np.tile([0, 1], 98), 0].astype(float)
    covariates = pd.DataFrame({"x": np.r_[0, 0, 0, np.tile([0, 1], 98), 0]})
    schema = TableSchema(
        study="demo",
        columns=(ColumnSchema(name="x", role=Role.COVARIATE, kind=ColumnKind.BINARY),),
    )
    found = overlap(g, treatment, covariates, schema)
    threshold = 1 / (np.sqrt(200) * np.log(200))  # .01335
    assert found.extreme_threshold == pytest.approx(threshold)
    assert found.bound == pytest.approx(5 * threshold)
    assert found.share_extreme == pytest.approx(2 / 200)
    assert found.clipped_share == pytest.approx(3 / 200)
    assert (found.n_control, found.n_treated) == (101, 99)
    assert found.propensity_quantiles[0.5] == 0.5
    treated_weights = np.r_[1 / (1 - found.bound), np.full(98, 2.0)]
    expected = treated_weights.sum() ** 2 / (treated_weights**2).sum()
    assert found.ess_treated == pytest.approx(expected)
    share = 98 / 99  # of x among the treated; none among the controls
    row = found.balance.iloc[0]
    assert row["smd_unweighted"] == pytest.approx(share / np.sqrt(share * (1 - share) / 2))
    assert row["smd_weighted"] > row["smd_unweighted"]


def test_weighting_by_the_true_propensity_balances():
    table = DESIGN(20_000, 1)
    found = overlap(confounded_propensity(table), table["A"].to_numpy(), table, DESIGN.schema())
    assert found.balance["covariate"].tolist() == ["W1", "W2", "W3", "W4", "W5", "W6"]
    assert found.balance["smd_unweighted"].abs().max() > 0.3
    assert found.balance["smd_weighted"].abs().max() < 0.05
    assert found.share_extreme == 0.0


def test_paper_1_observational_design_has_no_overlap():
    table = paper1_observational(200, 1)
    logit = -30 + 16 * table["W1"] - 24 * table["W2"] + 12 * table["W3"]
    logit += 6 * table["W4"] - 10 * table["W5"] + 16 * table["W6"]
    g = (1 / (1 + np.exp(-logit))).to_numpy()
    found = overlap(g, table["A"].to_numpy(), table, DESIGNS["paper1_observational"].schema())
    assert (g < 0.001).mean() == pytest.approx(0.79, abs=0.02)
    assert found.share_extreme > 0.85
    assert is_extreme(g).mean() == found.share_extreme


def test_categories_are_compared_level_by_level():
    schema = TableSchema(
        study="demo",
        columns=(
            ColumnSchema(
                name="region",
                role=Role.COVARIATE,
                kind=ColumnKind.CATEGORICAL,
                levels=("north", "south", "nowhere"),
            ),
        ),
    )
    table = schema.canonical(pd.DataFrame({"region": ["north", "south"] * 50}))
    found = overlap(np.full(100, 0.5), np.tile([0, 0, 1, 1], 25), table, schema)
    assert found.balance["level"].tolist() == ["north", "south"]
    assert found.balance["smd_unweighted"].abs().max() == pytest.approx(0.0, abs=1e-12)


def test_empty_arm_is_refused():
    table = DESIGN(100, 1)
    with pytest.raises(EstimationError, match="one arm is empty"):
        overlap(np.full(100, 0.5), np.zeros(100), table, DESIGN.schema())


@pytest.mark.parametrize(
    ("n_others", "shown"), [(41, ["common", "other"]), (0, [])], ids=["others", "only the rest"]
)
def test_levels_that_under_ten_people_have_or_have_not_are_not_named(n_others, shown):
    sites = ["common"] * (191 - n_others) + ["other"] * n_others + ["rare-clinic"] * 9
    schema = one_covariate("site", ColumnKind.CATEGORICAL, ("common", "other", "rare-clinic"))
    treatment = np.tile([0.0, 1.0], 100)
    found = overlap(np.full(200, 0.5), treatment, pd.DataFrame({"site": sites}), schema)
    assert found.balance["level"].tolist() == shown


@pytest.mark.parametrize("rarer", [0, 1])
def test_balance_of_a_rare_condition_does_not_tell_who_was_treated(rarer):
    has_it = np.full(200, 1 - rarer)
    has_it[7] = rarer
    schema = one_covariate("hiv", ColumnKind.BINARY, None)
    treatment = np.tile([0.0, 1.0], 100)
    found = overlap(np.full(200, 0.5), treatment, pd.DataFrame({"hiv": has_it}), schema)
    assert found.balance["covariate"].tolist() == ["hiv"]
    assert found.balance[["smd_unweighted", "smd_weighted"]].isna().all(axis=None)


def one_covariate(name, kind, levels):
    column = ColumnSchema(name=name, role=Role.COVARIATE, kind=kind, levels=levels)
    return TableSchema(study="demo", columns=(column,))
