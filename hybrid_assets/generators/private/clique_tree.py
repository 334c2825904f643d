"""Which columns a graphical model looks at together: a junction tree of cliques."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

Clique = tuple[int, ...]  # positions of columns, ascending


@dataclass(frozen=True)
class CliqueTree:
    """Cliques such that those with a column in common form a connected part of the tree.

    Attributes
    ----------
    cliques : tuple of tuple of int
        A parent stands before its children.
    parents : tuple of int
        Position of each clique's parent; -1 for the first.
    """

    cliques: tuple[Clique, ...]
    parents: tuple[int, ...]

    def separator(self, child: int) -> Clique:
        """Give the columns that a clique shares with its parent."""
        shared = set(self.cliques[child]) & set(self.cliques[self.parents[child]])
        return tuple(sorted(shared)) if self.parents[child] >= 0 else ()

    def holder(self, columns: Clique) -> int:
        """Find the first clique that holds all of these columns.

        Raises
        ------
        StopIteration
            If none does.
        """
        wanted = set(columns)
        return next(i for i, clique in enumerate(self.cliques) if wanted <= set(clique))

    def spanning(self, columns: Clique) -> list[int]:
        """Name the cliques that the law of these columns needs; the others sum to one."""
        needed = list(range(len(self.cliques)))
        for leaf in reversed(range(1, len(self.cliques))):
            has_child = any(self.parents[other] == leaf for other in needed)
            own = set(self.cliques[leaf]) - set(self.separator(leaf))
            if not has_child and not own & set(columns):
                needed.remove(leaf)
        return needed


def clique_tree(sizes: Sequence[int], together: Iterable[Clique]) -> CliqueTree:
    """Build a tree whose cliques hold each of the given sets of columns.

    Parameters
    ----------
    sizes : sequence of int
        Bins of each column.
    together : iterable of tuple of int
        Sets of columns; every column is in the tree, in one of them or not.

    References
    ----------
    Koller and Friedman 2009, section 9.4.3.2 (greedy elimination by the size of
    the new clique) and section 10.4.2 (the tree as a maximal spanning tree).
    """
    cliques = _maximal(_eliminated(sizes, together))
    ordered, parents = [cliques[0]], [-1]
    waiting = cliques[1:]
    while waiting:
        shared = [
            (len(set(new) & set(old)), -i, -j)
            for j, new in enumerate(waiting)
            for i, old in enumerate(ordered)
        ]
        _, parent, position = max(shared)
        ordered.append(waiting.pop(-position))
        parents.append(-parent)
    return CliqueTree(tuple(ordered), tuple(parents))


def n_cells(sizes: Sequence[int], tree: CliqueTree) -> int:
    """Count the cells of all cliques."""
    return sum(prod(sizes[column] for column in clique) for clique in tree.cliques)


def _eliminated(sizes: Sequence[int], together: Iterable[Clique]) -> list[Clique]:
    neighbours: dict[int, set[int]] = {column: set() for column in range(len(sizes))}
    for clique in together:
        for column in clique:
            neighbours[column] |= set(clique) - {column}
    found = []
    while neighbours:
        cheapest = min(
            neighbours,
            key=lambda c: (prod(sizes[other] for other in neighbours[c]) * sizes[c], c),
        )
        around = neighbours.pop(cheapest)
        found.append(tuple(sorted({cheapest, *around})))
        for column in around:
            neighbours[column] |= around
            neighbours[column] -= {cheapest, column}
    return found


def _maximal(cliques: list[Clique]) -> list[Clique]:
    kept: list[Clique] = []
    for clique in sorted(set(cliques), key=lambda c: (-len(c), c)):
        if not any(set(clique) <= set(other) for other in kept):
            kept.append(clique)
    return kept
