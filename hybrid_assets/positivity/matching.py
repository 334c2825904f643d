"""Nearest neighbours without replacement: each donor is used once."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from hybrid_assets.errors import EvaluationError
from hybrid_assets.privacy.distinct import distinct_points
from hybrid_assets.privacy.nearest import NeighbourSearch

FIRST_NEIGHBOURS = 8
MOST_NEIGHBOURS = 512  # once so many donors are used up, they are taken out of the search


@dataclass(frozen=True, eq=False)
class Matches:
    """Which donor each point got.

    Attributes
    ----------
    donors : ndarray of int64, shape (m,)
        Positions among the donors, each at most once.
    distances : ndarray of float64, shape (m,)
    """

    donors: np.ndarray
    distances: np.ndarray


def match_without_replacement(points: np.ndarray, donors: np.ndarray) -> Matches:
    """Match greedily by distance: of all pairs of free points and free donors, the closest first.

    The rule does not depend on the order of the rows, but for ties, which go
    to the point that comes first, and among equal donors to the first. The sum
    of distances is not the least possible: that would be an assignment
    problem, cubic in the number of points.

    Parameters
    ----------
    points : ndarray of float64, shape (m, p)
    donors : ndarray of float64, shape (n, p)

    Raises
    ------
    EvaluationError
        If there are fewer donors than points.

    References
    ----------
    Rosenbaum 2002, *Observational Studies*, section 10.4 (greedy against
    optimal matching).
    """
    if len(donors) < len(points):
        raise EvaluationError(
            f"matching without replacement needs as many donors as points; got {len(donors)} "
            f"donors for {len(points)} points"
        )
    found = Matches(np.empty(len(points), dtype=np.int64), np.empty(len(points)))
    if not len(points):
        return found
    wanted, group_of = distinct_points(points)
    places, place_of = distinct_points(donors)
    rows, free = _members(group_of, len(wanted)), _members(place_of, len(places))
    candidates = _Candidates(wanted, places, free)
    closest = [(candidates.distance(group), group) for group in range(len(wanted))]
    heapq.heapify(closest)
    while closest:
        distance, group = heapq.heappop(closest)
        place = candidates.place(group)
        if free[place]:
            row = rows[group].pop()
            found.donors[row], found.distances[row] = free[place].pop(), distance
        if rows[group]:
            if not free[place]:
                candidates.advance(group)
            heapq.heappush(closest, (candidates.distance(group), group))
    return found


def _members(group_of: np.ndarray, n_groups: int) -> list[list[int]]:
    """List each group's rows, the first one last, so that it is popped first."""
    order = np.argsort(group_of, kind="stable")
    ends = np.cumsum(np.bincount(group_of, minlength=n_groups))
    return [rows[::-1].tolist() for rows in np.split(order, ends[:-1])]


class _Candidates:
    """For each distinct point, the distinct donors by distance, looked up as far as needed."""

    def __init__(self, points: np.ndarray, places: np.ndarray, free: list[list[int]]) -> None:
        self._points, self._places, self._free = points, places, free
        self._kept = np.arange(len(places))
        self._search = NeighbourSearch(places)
        self._n_asked = np.full(len(points), min(FIRST_NEIGHBOURS, len(places)))
        distances, owners = self._search.nearest(points, int(self._n_asked[0]))
        self._distances, self._owners = list(distances), list(owners)
        self._at = [0] * len(points)

    def distance(self, group: int) -> float:
        """Give the distance to the group's present candidate."""
        return float(self._distances[group][self._at[group]])

    def place(self, group: int) -> int:
        """Give the group's present candidate."""
        return int(self._owners[group][self._at[group]])

    def advance(self, group: int) -> None:
        """Go on to the next donor that is still free."""
        self._at[group] += 1
        owners = self._owners[group]
        while self._at[group] < len(owners) and not self._free[owners[self._at[group]]]:
            self._at[group] += 1
        while self._at[group] >= len(self._owners[group]):
            self._look_further(group)

    def _look_further(self, group: int) -> None:
        """Ask for eight times as many; keep the free ones in place of the list that is used up."""
        n_asked = 8 * int(self._n_asked[group])
        if n_asked > MOST_NEIGHBOURS:
            self._forget_used()
            n_asked = MOST_NEIGHBOURS + 1  # fewer are used: one is free
        self._n_asked[group] = n_asked = min(n_asked, len(self._kept))
        distances, owners = self._search.nearest(self._points[[group]], n_asked)
        places = self._kept[owners[0]]
        is_free = np.array([bool(self._free[place]) for place in places])
        self._distances[group], self._owners[group] = distances[0][is_free], places[is_free]
        self._at[group] = 0

    def _forget_used(self) -> None:
        is_free = np.array([bool(self._free[place]) for place in self._kept])
        if (~is_free).sum() < MOST_NEIGHBOURS:
            return
        self._kept = self._kept[is_free]
        self._search = NeighbourSearch(self._places[self._kept])
