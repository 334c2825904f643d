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
    assert list(table.columns) == ["W1", "W2", "W3", "W4", "W5", "W6", "A", "Y"]
    assert table.equals(design(300, 5))
    assert not table.equals(design(300, 6))


@pytest.mark.parametrize("word", ["paper1_trial", "confounded_continuous"])
def test_true_effect_is_the_mean_of_many_draws(word):
    design = DESIGNS[word]
    table = design(400_000, 11)
    if word == "paper1_trial":
        effect = paper1_outcome_mean(table, 1) - paper1_outcome_mean(table, 0)
    else:
        effect = 2 + table["W1"] - 0.5 * table["W4"]
    monte_carlo_error = np.std(effect) / np.sqrt(len(table))
    assert np.mean(effect) == pytest.approx(design.true_ate, abs=4 * monte_carlo_error)


def test_confounded_designs_are_confounded_but_overlap():
    table = DESIGNS["confounded_binary"](100_000, 1)
    g = confounded_propensity(table)
    crude = table.groupby("A")["Y"].mean().diff().iloc[-1]
    assert crude - DESIGNS["confounded_binary"].true_ate > 0.06
    assert np.quantile(g, [0.01, 0.99]) == pytest.approx([0.116, 0.829], abs=0.01)


SEED_COUNTS = [466, 477, 487, 481, 623]
SEED_SUMS = [0.9774724652594937, -37.06292916025073, -30.347544892700054]
