"""What is added up in blocks is what the whole table gives."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets import blocks
from hybrid_assets.blocks import RunningMoments, blocks_of_one_size, mean_of, streams_of

CUTS = st.lists(st.integers(0, 60), max_size=6)


def cut(values, cuts):
    return np.split(values, sorted(min(c, len(values)) for c in cuts))


@given(cuts=CUTS, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_moments_of_blocks_are_those_of_all_values(cuts, seed):
    values = 1e6 + np.random.default_rng(seed).normal(size=60)
    parts, running = cut(values, cuts), RunningMoments()
    for part in parts:
        running.add(part)
    assert running.mean == pytest.approx(values.mean(), rel=1e-14)
    assert running.standard_deviation() == pytest.approx(values.std(), rel=1e-9)
    assert running.standard_deviation(1) == pytest.approx(values.std(ddof=1), rel=1e-9)
    assert mean_of(parts) == pytest.approx(values.mean(), rel=1e-15)


@given(cuts=CUTS)
@settings(max_examples=40, deadline=None)
def test_blocks_come_out_of_one_size_whatever_goes_in(cuts):
    table = pd.DataFrame({"row": np.arange(60), "level": pd.Categorical(["a", "b", "c"] * 20)})
    edges = [0, *sorted(cuts), 60]
    parts = [table.iloc[a:b] for a, b in pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_ROWS", 25)
        found = list(blocks_of_one_size(parts))
        assert [len(block) for block in found] == [25, 25, 10]
        assert len(streams_of(np.random.default_rng(0), 60)) == 3
    assert all(block.index[0] == 0 for block in found)
    pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), table)


def test_one_block_has_the_streams_of_no_block():
    rng = np.random.default_rng(5)
    assert streams_of(rng, 1000) == [rng]
