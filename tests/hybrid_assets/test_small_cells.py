import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_assets.small_cells import (
    count_or_missing,
    is_small_cell,
    share_or_missing,
    told_count,
    told_share,
)


@pytest.mark.parametrize(
    ("count", "told", "share"),
    [
        (0, 0, 0.0),
        (1, "< 10 of 1000", "< 10/1000"),
        (9, "< 10 of 1000", "< 10/1000"),
        (10, 10, 0.01),
        (990, 990, 0.99),
        (991, "> 990 of 1000", "> 990/1000"),
        (999, "> 990 of 1000", "> 990/1000"),
        (1000, 1000, 1.0),
    ],
)
def test_a_count_of_one_to_nine_people_is_bounded(count, told, share):
    assert told_count(count, 1000) == told
    assert told_share(count / 1000, 1000) == share


@given(st.integers(1, 3000), st.data())
def test_columns_of_numbers_lack_what_is_told_in_words(n_people, data):
    count = data.draw(st.integers(0, n_people))
    is_words = isinstance(told_count(count, n_people), str)
    assert is_words == is_small_cell(count, n_people)
    assert np.isnan(count_or_missing(count, n_people)) == is_words
    share = count / n_people
    assert isinstance(told_share(share, n_people), str) == is_words
    assert np.isnan(share_or_missing(share, n_people)) == is_words
    if not is_words:
        assert told_count(count, n_people) == count_or_missing(count, n_people) == count
        assert told_share(share, n_people) == share_or_missing(share, n_people) == share
