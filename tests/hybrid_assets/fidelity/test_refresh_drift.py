"""What moved between two versions: standard errors by simulation, differences by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from hybrid_assets.fidelity.refresh_drift import (
    Baseline,
    Monitored,
    covariate_law,
    drift_rows,
    share_of,
)
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

SCHEMA = TableSchema(
    study="s",
    columns=(
        ColumnSchema(name="age", role=Role.COVARIATE, kind=ColumnKind.CONTINUOUS, decimals=2),
        ColumnSchema(name="sex", role=Role.COVARIATE, kind=ColumnKind.BINARY),
        ColumnSchema(
            name="site", role=Role.COVARIATE, kind=ColumnKind.CATEGORICAL, levels=("a", "b", "c")
        ),
        ColumnSchema(name="A", role=Role.TREATMENT, kind=ColumnKind.BINARY),
        ColumnSchema(name="Y", role=Role.OUTCOME, kind=ColumnKind.BINARY),
    ),
)


def people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "age": rng.gamma(4.0, 2.0, n),
            "sex": rng.integers(0, 2, n),
            "site": rng.choice(["a", "b"], n),
            "A": 0,
            "Y": 0,
        }
    )
    return SCHEMA.canonical(table)


def test_measures_are_the_plain_ones() -> None:
    table = people(500, np.random.default_rng(1))
    found = {(one.metric, one.of): one for one in covariate_law(table, SCHEMA)}
    age = table["age"].to_numpy()
    assert found["covariate mean", "age"].value == pytest.approx(age.mean(), abs=1e-12)
    assert found["covariate mean", "age"].standard_error == pytest.approx(
        age.std() / math.sqrt(500)
    )
    assert found["covariate spread", "age"].value == pytest.approx(age.std(), abs=1e-12)
    assert found["covariate share", "sex"].value == (table["sex"] == 1).mean()
    assert found["covariate share", "site=a"].value == (table["site"] == "a").mean()
    assert {metric for metric, _ in found} == {
        "covariate mean",
        "covariate spread",
        "covariate share",
    }


def test_levels_of_few_people_are_not_told() -> None:
    table = people(500, np.random.default_rng(1))
    table.loc[:3, "site"] = "c"
    assert "site=c" not in {one.of for one in covariate_law(table, SCHEMA)}


def test_standard_errors_are_those_of_fresh_samples() -> None:
    """2000 samples: a standard deviation is then known to 1/sqrt(4000) = 1.6 %; 5 % is 3 times."""
    rng = np.random.default_rng(2)
    drawn = [covariate_law(people(400, rng), SCHEMA) for _ in range(2000)]
    for place, one in enumerate(drawn[0]):
        if one.of == "site=c":
            continue
        told = np.mean([each[place].standard_error for each in drawn])
        seen = np.std([each[place].value for each in drawn])
        assert told == pytest.approx(seen, rel=0.05), one


def test_differences_by_hand() -> None:
    now = [Monitored("effect", "", 3.0, 0.3), Monitored("privacy", "cart", 0.6, 0.02)]
    before = [Monitored("effect", "", 2.0, 0.4), Monitored("privacy", "gan", 0.6, 0.02)]
    released = Baseline("the release of cart", (Monitored("privacy", "cart", 0.5, 0.02),))
    own = {"cart": released}
    rows = drift_rows(now, Baseline("the version before", tuple(before)), own)
    effect, privacy = rows.iloc[0], rows.iloc[1]
    assert rows["compared_with"].tolist() == ["the version before", "the release of cart"]
    assert effect["difference"] == 1.0
    assert effect["ci_low"] == pytest.approx(1.0 - 1.959964 * 0.5, abs=1e-6)
    assert effect["p_adjusted"] == pytest.approx(2 * norm.sf(2.0), abs=1e-12)
    assert privacy["difference"] == pytest.approx(0.1)
    alone = drift_rows(now, Baseline("", ()), {"cart": Baseline("", ())})
    assert alone["compared_with"].tolist() == ["", ""]
    assert alone[["previous", "p_adjusted"]].isna().all(axis=None)


def test_p_values_are_adjusted_for_all_rows() -> None:
    now = [Monitored("effect", str(i), 0.0, 1.0) for i in range(4)]
    before = [Monitored("effect", str(i), v, 0.0) for i, v in enumerate((3.0, 2.0, 1.0, 0.0))]
    plain = [2 * norm.sf(z) for z in (3.0, 2.0, 1.0)] + [1.0]
    found = drift_rows(now, Baseline("before", tuple(before)), {})
    expected = [4 * plain[0], 3 * plain[1], 2 * plain[2], 1.0]
    assert found["p_adjusted"].tolist() == pytest.approx(expected, abs=1e-12)


def test_chance_alone_is_flagged_as_often_as_said() -> None:
    """Holm at 5 %: at most 5 % of 1000 pairs of versions, plus three binomial errors (2 %)."""

    def law(rng: np.random.Generator) -> list[Monitored]:
        return covariate_law(people(300, rng), SCHEMA)

    rng = np.random.default_rng(3)
    flagged = [
        (drift_rows(law(rng), Baseline("before", tuple(law(rng))), {})["p_adjusted"] < 0.05).any()
        for _ in range(1000)
    ]
    assert np.mean(flagged) <= 0.07


def test_a_share_of_nobody_has_an_error_all_the_same() -> None:
    assert share_of("overlap", "", 0, 96).standard_error == pytest.approx(
        math.sqrt(0.02 * 0.98) / 10
    )
