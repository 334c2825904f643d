"""Paper 1's recipe on pieces of its tables; figures of tests/reference/paper1_forests.py.

Tolerance 1e-12: the same forests on both sides, sums in another order.
"""

import numpy as np
import pytest

from hybrid_assets.errors import EstimationError
from hybrid_assets.published.paper1 import EFFECTS, FILE_ROWS, TABLE_1, TABLE_2, TABLE_3
from hybrid_assets.published.recipe import published_auc, published_effects, subsample_errors

PIECES = ["observational", "gan_pair", "gan_hybrid", "llm_full"]


@pytest.mark.parametrize("name", PIECES)
def test_effects_are_the_plain_scripts(pieces, figures, name):
    expected = figures[name]["effects"]
    assert published_effects(pieces[name]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", PIECES)
def test_predictive_scores_are_the_plain_scripts(pieces, figures, name):
    expected = figures[name]["auc"]
    assert published_auc(pieces[name], pieces["test"]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["observational", "gan_pair"])
def test_whole_tables_give_the_published_digits(pieces, name):
    here = TABLE_2.with_rows({name: published_effects(pieces[name])})
    assert here.printed(name) == TABLE_2.printed(name)


def test_the_stored_pieces_hold_a_treatment_that_is_not_whole(pieces):
    assert (~pieces["llm_full"]["A"].isin([0, 1])).sum() == 1


def test_a_missing_value_is_refused(pieces):
    spoiled = pieces["observational"].assign(Y=np.nan)
    with pytest.raises(EstimationError, match="column 'Y': expected finite numbers in every row"):
        published_effects(spoiled)


def test_subsample_errors_by_hand():
    large = np.array([1.0, 0.5])
    estimates = np.array([[1.0, 0.4], [1.2, 0.4], [1.4, 0.7]])
    first, second = subsample_errors(large, estimates)
    assert first == pytest.approx((1.0, 0.2, 0.08 / 3, 0.04 + 0.08 / 3))
    assert second == pytest.approx((0.5, 0.0, 0.02, 0.02))


def test_published_figures_are_whole_tables():
    for table in (TABLE_1, TABLE_2, TABLE_3):
        assert {len(row) for row in table.rows.values()} == {len(table.columns)}
        assert len(table.decimals) == len(table.columns)
    assert set(TABLE_1.rows) | set(TABLE_2.rows) | {"test"} == set(FILE_ROWS)
    assert TABLE_3.printed("aipw, gan_hybrid") == ("0.3526", "-0.0156", "0.000739", "0.000983")
    assert TABLE_1.columns[1:] == TABLE_2.columns == EFFECTS
