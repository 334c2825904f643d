"""Published draws and known effects.

Values were read from paper 1's own tables (seed.csv, observational.csv);
tolerance 1e-12 for the last digit of a CSV.
"""

import numpy as np
import pytest

from hybrid_assets.designs import (
    DESIGNS,
    confounded_propensity,
    paper1_observational,
    paper1_outcome_mean,
    paper1_trial,
)
from hybrid_assets.seed import validate_seed
from hybrid_assets.study import Study


def test_trial_with_seed_2_is_the_published_seed_table():
    table = paper1_trial(1000, 2)
    first = [0, 1, 1, -1.6421272009522956, -0.45330541587434314, -2.1433692021937496, 0, 0]
    assert table.iloc[0].tolist() == pytest.approx(first, abs=1e-12)
    assert table[["W1", "W2", "W3", "A", "Y"]].sum().tolist() == SEED_COUNTS
    assert table[["W4", "W5", "W6"]].sum().tolist() == pytest.approx(SEED_SUMS, abs=1e-9)


def test_observational_with_seed_1_is_the_published_positivity_table():
    table = paper1_observational(200, 1)
    second = [1, 1, 0, 0.6085146984848496, -0.9798902516618007, -1.5809708016538024, 0, 1]
    assert table.iloc[1].tolist() == pytest.approx(second, abs=1e-12)
    assert table["A"].sum() == 26


def test_seed_42_gives_the_published_truth():
    table = paper1_trial(50_000, 42)
    effect = paper1_outcome_mean(table, 1) - paper1_outcome_mean(table, 0)
    assert effect.mean() == pytest.approx(0.41825624, abs=5e-9)


@pytest.mark.parametrize("word", DESIGNS)
def test_draws_fit_their_schema(word):
    design = DESIGNS[word]
    table = design(300, 5)
    assert table.equals(design.schema().canonical(table))
    assert list(table.columns) == design.schema().names
    assert table.equals(design(300, 5))
    assert not table.equals(design(300, 6))


@pytest.mark.parametrize("word", DESIGNS)
def test_the_nuisances_and_the_effect_are_those_of_many_draws(word):
    """Means of 400 000 rows, within 4.5 of their standard errors (5e-6 of a wrong alarm)."""
    design = DESIGNS[word]
    table, schema = design(400_000, 11), design.schema()
    treatment, outcome = (table[n].to_numpy(float) for n in (schema.treatment, schema.outcome))
    q0, q1 = (design.outcome_mean(table, arm) for arm in (0, 1))
    assert standard_score(q1 - q0 - design.true_ate) < 4.5
    left = {"assignment": treatment - design.propensity(table)}
    left["outcome"] = outcome - np.where(treatment == 1, q1, q0)
    for name, residual in left.items():
        assert standard_score(residual) < 4.5, name
        for covariate in schema.covariate_names:
            values = table[covariate].to_numpy(float)
            assert standard_score(residual * (values - values.mean())) < 4.5, (name, covariate)


def standard_score(values):
    spread = np.std(values)
    return abs(np.mean(values)) / (spread / np.sqrt(len(values))) if spread > 1e-12 else 0.0


@pytest.mark.parametrize(
    ("word", "bias", "error"),
    [
        ("paper1_trial", 0.0, 0.005),
        ("confounded_binary", 0.0858, 0.005),
        ("nonlinear_binary", 0.249299, 0.005),  # tests/reference/designs_true_ate.py
        ("skewed_cost", 1.115, 0.05),
        ("kang_schafer", -20.0, 0.5),  # 200 of the treated, 220 of the controls in the paper
        ("schuler_rose", -1.699, 0.1),
    ],
)
def test_the_crude_difference_is_off_by(word, bias, error):
    design = DESIGNS[word]
    table, schema = design(200_000, 1), design.schema()
    crude = table.groupby(schema.treatment)[schema.outcome].mean().diff().iloc[-1]
    assert crude - design.true_ate == pytest.approx(bias, abs=error)


def test_confounded_binary_overlaps():
    g = confounded_propensity(DESIGNS["confounded_binary"](100_000, 1))
    assert np.quantile(g, [0.01, 0.99]) == pytest.approx([0.116, 0.829], abs=0.01)


def test_nobody_observes_the_additive_part_of_the_nonlinear_confounder():
    """No column alone, and no pair that is not (W1, W2), tells the arms apart by much."""
    table = DESIGNS["nonlinear_binary"](200_000, 1)
    g = DESIGNS["nonlinear_binary"].propensity(table)
    assert (g.min(), g.max()) == pytest.approx((0.1192, 0.8808), abs=1e-4)
    by_column = [np.ptp(table.groupby(name)["A"].mean()) for name in ("W1", "W2", "W3")]
    assert max(by_column) < 0.01
    assert np.ptp(table.groupby(["W1", "W2"])["A"].mean()) > 0.35


def test_schuler_rose_by_hand():
    design = DESIGNS["schuler_rose"]
    rows = design(50, 1).assign(X1=[0, 1] * 25, X2=0, X3=[0] * 25 + [1] * 25)
    assert set(design.outcome_mean(rows, 1) - design.outcome_mean(rows, 0)) == {-3.0, -4.5}
    assert design.propensity(rows)[0] == pytest.approx(0.3775406687981454)  # expit(-.5)
    assert design.propensity(rows)[-1] == pytest.approx(0.8519528019683106)  # expit(1.75)


def test_kang_schafer_hides_simple_nuisances():
    """Linear in the unobserved Z, whose residual has variance 1; far from it in what is seen."""
    design = DESIGNS["kang_schafer"]
    table = design(20_000, 3)
    assert np.std(table["Y"] - design.outcome_mean(table, 1)) == pytest.approx(1.0, abs=0.02)
    seen = np.column_stack([np.ones(len(table)), table[["X1", "X2", "X3", "X4"]]])
    coefficients = np.linalg.lstsq(seen, table["Y"], rcond=None)[0]
    assert np.std(table["Y"] - seen @ coefficients) > 8.0


def test_costs_are_skewed_and_the_more_uneven_the_more_severe():
    table = DESIGNS["skewed_cost"](200_000, 1)
    assert table["cost"].min() > 0
    assert table["cost"].skew() > 3
    spread = np.log(table["cost"]).groupby(table["severity"], observed=True).std()
    assert spread.is_monotonic_increasing


@pytest.mark.parametrize("word", DESIGNS)
def test_every_design_is_a_seed_table(word):
    design = DESIGNS[word]
    schema = design.schema()
    declared = {c.name: {"kind": c.kind, "levels": c.levels} for c in schema.covariates.columns}
    study = Study.model_validate(
        {
            "name": word,
            "title": "A design",
            "treatment": schema.treatment,
            "outcome": schema.outcome,
            "covariates": declared,
            "design": {"kind": "observational"},
            "generators": ["bootstrap"],
            "random_seed": 1,
        }
    )
    seed = validate_seed(schema.stored(design(300, 5)), study)
    assert [(c.name, c.kind, c.levels) for c in seed.schema.columns] == [
        (c.name, c.kind, c.levels) for c in schema.columns
    ]


SEED_COUNTS = [466, 477, 487, 481, 623]
SEED_SUMS = [0.9774724652594937, -37.06292916025073, -30.347544892700054]
