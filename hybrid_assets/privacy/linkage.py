"""Singling out and linkability, scored over people (WP29 opinion 05/2014)."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import partial

import numpy as np
import pandas as pd

from hybrid_assets.handing_out import ThisProcess
from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.membership import auc_measure
from hybrid_assets.privacy.nearest import POINTS_HANDED_OUT
from hybrid_assets.privacy.neighbours import k_nearest
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy

N_PREDICATES = 2000
PREDICATE_WIDTH = 0.05  # share of people whose value a predicate on a number covers
LINKED_SHARE, MIN_LINKED = 0.001, 10
PREDICATES_TOGETHER, PEOPLE_TOGETHER = 200, 10_000


def singling_out(
    attacked: Attacked, target: str, policy: PrivacyPolicy, rng: np.random.Generator
) -> Measure:
    """Count how often a description taken from a synthetic row fits one person alone.

    A description says the level of each listed column and a range that covers
    5 % of people for each number. Members who are described more often than
    non-members are singled out by the table, not by the population.
    """
    rows = rng.choice(len(attacked.synthetic), min(N_PREDICATES, len(attacked.synthetic)), False)
    described = attacked.synthetic.iloc[rows]
    times = np.zeros(len(attacked.people))
    for first in range(0, len(rows), PREDICATES_TOGETHER):
        part = described.iloc[first : first + PREDICATES_TOGETHER]
        fits = np.ones((len(part), len(times)), dtype=bool)
        for column in attacked.schema.columns:
            people, shown = attacked.people[column.name], part[column.name]
            if column.is_discrete_set:
                fits &= _words(shown)[:, None] == _words(people)[None, :]
            else:
                fits &= _is_near(shown.to_numpy(dtype=float), people.to_numpy(dtype=float))
        alone = fits[fits.sum(axis=1) == 1]
        times += alone.sum(axis=0)
    return auc_measure(Attack.SINGLING_OUT, target, times, attacked, policy)


def _words(values: pd.Series) -> np.ndarray:
    return np.asarray(values.cat.codes if isinstance(values.dtype, pd.CategoricalDtype) else values)


def _is_near(shown: np.ndarray, people: np.ndarray) -> np.ndarray:
    ordered = np.sort(people)
    at = np.searchsorted(ordered, shown)
    half = max(round(PREDICATE_WIDTH * len(people) / 2), 1)
    low = ordered[(at - half).clip(0, len(ordered) - 1)]
    high = ordered[(at + half).clip(0, len(ordered) - 1)]
    return np.asarray((people >= low[:, None]) & (people <= high[:, None]))


def linkability(
    attacked: Attacked, target: str, policy: PrivacyPolicy, workers: Executor | None = None
) -> Measure:
    """Ask whether two halves of a person lead to the same synthetic rows.

    Every other column of each kind goes to the first half. The score is the
    number of rows that are among the nearest by both halves.
    """
    discrete = [c.name for c in attacked.schema.columns if c.is_discrete_set]
    numbers = [c.name for c in attacked.schema.columns if not c.is_discrete_set]
    halves = [discrete[::2] + numbers[1::2], discrete[1::2] + numbers[::2]]
    if not all(halves):
        halves = [[*discrete, *numbers][:1]] * 2  # one column links to nothing but itself
    k = min(max(MIN_LINKED, round(LINKED_SHARE * len(attacked.synthetic))), len(attacked.synthetic))
    points = [attacked.selected(half).encoded() for half in halves]
    count = partial(_shared, rows=[rows for _, rows in points], k=k)
    blocks = (
        [people[first : first + PEOPLE_TOGETHER] for people, _ in points]
        for first in range(0, len(attacked.people), PEOPLE_TOGETHER)
    )
    is_many = len(attacked.people) > POINTS_HANDED_OUT
    place = workers if workers is not None and is_many else ThisProcess()
    shared = np.concatenate(list(place.map(count, blocks)))
    return auc_measure(Attack.LINKABILITY, target, shared, attacked, policy)


def _shared(people: list[np.ndarray], rows: list[np.ndarray], k: int) -> np.ndarray:
    """Count the rows that are among the k nearest by both halves, shape (n_people,)."""
    near = [k_nearest(*half, k)[1] for half in zip(people, rows, strict=True)]
    both = np.sort(np.concatenate(near, axis=1), axis=1)
    return np.asarray((both[:, 1:] == both[:, :-1]).sum(axis=1), dtype=float)
