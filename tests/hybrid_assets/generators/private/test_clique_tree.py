from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_assets.generators.private.clique_tree import clique_tree, n_cells

CLIQUES = st.lists(
    st.sets(st.integers(0, 6), min_size=1, max_size=3).map(lambda c: tuple(sorted(c))), max_size=6
)


@given(CLIQUES, st.lists(st.integers(1, 5), min_size=7, max_size=7))
@settings(deadline=None)
def test_holds_every_set_and_runs_together(together, sizes):
    tree = clique_tree(sizes, together)
    for columns in [*together, *((c,) for c in range(7))]:
        assert set(columns) <= set(tree.cliques[tree.holder(columns)])
    for child in range(1, len(tree.cliques)):
        assert tree.parents[child] < child
        # running intersection: what a clique shares with all before it, it shares with its parent
        before = set().union(*map(set, tree.cliques[:child]))
        assert set(tree.cliques[child]) & before == set(tree.separator(child))


def test_a_chain_needs_no_triangle_and_a_square_needs_one():
    sizes = [2, 3, 4, 5]
    chain = clique_tree(sizes, [(0, 1), (1, 2), (2, 3)])
    assert sorted(chain.cliques) == [(0, 1), (1, 2), (2, 3)]
    assert n_cells(sizes, chain) == 6 + 12 + 20
    square = clique_tree(sizes, [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert [len(c) for c in square.cliques] == [3, 3]
    assert clique_tree(sizes, combinations(range(4), 2)).cliques == ((0, 1, 2, 3),)


def test_unrelated_columns_are_cliques_of_their_own():
    tree = clique_tree([2, 3, 4], [(0, 2)])
    assert sorted(tree.cliques) == [(0, 2), (1,)]
    assert tree.separator(1) == ()
    assert tree.spanning((1,)) in ([0], [0, 1])
    with pytest.raises(StopIteration):
        tree.holder((0, 1))
