"""Where overlap fails, as rules that a reader can check against the study's population."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from hybrid_assets.positivity.diagnostics import MIN_LEVEL_ROWS
from hybrid_assets.schema import ColumnKind, ColumnSchema, TableSchema, level_words

MAX_DEPTH = 3


@dataclass(frozen=True)
class HoleRule:
    """A group of rows, most of them with an extreme propensity.

    Attributes
    ----------
    conditions : tuple of str
        All hold; in original units and level names.
    n_rows, n_extreme : int
        Rows of the group, `MIN_LEVEL_ROWS` or more, and how many are extreme.
    """

    conditions: tuple[str, ...]
    n_rows: int
    n_extreme: int

    @property
    def sentence(self) -> str:
        """Say the rule without a count of 1 to 9 people."""
        others = self.n_rows - self.n_extreme
        share = f"{self.n_extreme} of {self.n_rows}"
        if others == 0:
            share = f"all {self.n_rows}"
        elif others < MIN_LEVEL_ROWS:
            surely = max(self.n_rows - MIN_LEVEL_ROWS + 1, MIN_LEVEL_ROWS)
            share = f"at least {surely} of {self.n_rows}"
        return f"{' and '.join(self.conditions)}: {share} rows extreme"


@dataclass(frozen=True)
class Hole:
    """The part of the covariate space where a treatment was all but certain.

    Attributes
    ----------
    rules : tuple of HoleRule
        Disjoint groups, the one with the most extreme rows first.
    otherwise : str
        What to say where there is no rule.
    """

    rules: tuple[HoleRule, ...]
    otherwise: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each rule, or why there is none."""
        return tuple(rule.sentence for rule in self.rules) or (self.otherwise,)


@dataclass(frozen=True, eq=False)
class _Feature:
    """A column as whole numbers that a tree can split, and how to say a range of them."""

    column: str
    kind: Literal["number", "level", "order"]
    codes: np.ndarray
    names: tuple[str, ...] = ()
    step: float = 1.0

    def condition(self, first: int | None, end: int | None) -> str:
        """Say that the code is at least `first` and below `end`."""
        if self.kind == "level":
            return f"{self.column} {self.names[0 if first is None else 1]}"
        low, high = (None if code is None else self._edge(code) for code in (first, end))
        if self.kind == "order":
            words = [None if low is None else f"at least {low}", high and f"below {high}"]
            return f"{self.column} " + " and ".join(word for word in words if word)
        if low is not None and high is not None:
            return f"{low} <= {self.column} < {high}"
        return f"{self.column} < {high}" if low is None else f"{self.column} >= {low}"

    def _edge(self, code: int) -> str:
        if self.kind == "order":
            return self.names[code]
        return f"{round(code * self.step, 12):.12g}"


def describe_hole(is_extreme: np.ndarray, covariates: pd.DataFrame, schema: TableSchema) -> Hole:
    """Find where a flag is concentrated by a tree of depth 3.

    Numbers are compared on a round grid of about a tenth of their standard
    deviation, at most their shown decimals: a threshold between two people's
    values would otherwise tell where they lie. Levels of fewer than
    `MIN_LEVEL_ROWS` rows are not split off and not named.

    Parameters
    ----------
    is_extreme : ndarray of bool, shape (n,)
    covariates : DataFrame, shape (n, p)
        Canonical.
    schema : TableSchema
        Its covariates may be named.

    References
    ----------
    Breiman et al. 1984, *Classification and Regression Trees*.
    """
    n_extreme, n_rows = int(is_extreme.sum()), len(is_extreme)
    if n_extreme < MIN_LEVEL_ROWS:
        few = f"under {MIN_LEVEL_ROWS} rows are extreme: too few to describe"
        return Hole((), few if n_extreme else "no row is extreme")
    if n_rows - n_extreme < MIN_LEVEL_ROWS:
        return Hole((), f"almost all of {n_rows} rows are extreme: no part has overlap")
    features = [f for column in schema.covariates.columns for f in _features(covariates, column)]
    rules = sorted(
        (rule for rule in _rules(features, is_extreme) if _is_mostly_extreme(rule)),
        key=lambda rule: (-rule.n_extreme, rule.conditions),
    )
    return Hole(tuple(rules), f"no group of {MIN_LEVEL_ROWS} rows or more is mostly extreme")


def _is_mostly_extreme(rule: HoleRule) -> bool:
    return rule.n_extreme >= MIN_LEVEL_ROWS and 2 * rule.n_extreme > rule.n_rows


def _features(covariates: pd.DataFrame, column: ColumnSchema) -> Iterator[_Feature]:
    values, name = covariates[column.name], column.name
    if column.kind is ColumnKind.BINARY:
        yield _Feature(name, "level", values.to_numpy(dtype=np.int64), ("= 0", "= 1"))
    elif column.kind in (ColumnKind.INTEGER, ColumnKind.CONTINUOUS):
        numbers = values.to_numpy(dtype=float)
        step = _grid_step(numbers, column)
        yield _Feature(name, "number", np.floor(numbers / step + 1e-9).astype(np.int64), step=step)
    else:
        words = level_words(values).to_numpy()
        levels = [str(level) for level in column.levels or ()]
        common = [level for level in levels if (words == level).sum() >= MIN_LEVEL_ROWS]
        if column.kind is ColumnKind.ORDINAL:
            codes = _codes_among(common, levels)[[levels.index(word) for word in words]]
            yield _Feature(name, "order", codes, tuple(common))
        else:
            for level in common:
                named = (f"other than {level}", f"= {level}")
                yield _Feature(name, "level", (words == level).astype(np.int64), named)


def _grid_step(numbers: np.ndarray, column: ColumnSchema) -> float:
    spread = float(numbers.std()) or 1.0
    least = 0 if column.kind is ColumnKind.INTEGER else -(column.decimals or 0)
    if column.kind is ColumnKind.CONTINUOUS and column.decimals is None:
        least = -12
    return float(10.0 ** max(round(np.log10(spread / 10.0)), least))


def _codes_among(common: list[str], levels: list[str]) -> np.ndarray:
    """Count the common levels up to each level, less one: a rare one joins the one below."""
    return np.asarray(np.maximum(np.cumsum([level in common for level in levels]) - 1, 0))


def _rules(features: list[_Feature], is_extreme: np.ndarray) -> Iterator[HoleRule]:
    from sklearn.tree import DecisionTreeClassifier

    matrix = np.column_stack([feature.codes for feature in features]).astype(float)
    tree = DecisionTreeClassifier(
        max_depth=MAX_DEPTH, min_samples_leaf=MIN_LEVEL_ROWS, random_state=0
    ).fit(matrix, is_extreme)
    leaf_of = tree.apply(matrix)
    for leaf, path in _paths(tree.tree_, 0, {}):
        rows = leaf_of == leaf
        conditions = [features[index].condition(*limits) for index, limits in sorted(path.items())]
        yield HoleRule(tuple(conditions), int(rows.sum()), int(is_extreme[rows].sum()))


Limits = dict[int, tuple[int | None, int | None]]


def _paths(tree: Any, node: int, limits: Limits) -> Iterator[tuple[int, Limits]]:
    """Walk to every leaf with, for each feature on the way, the codes it still may have."""
    if tree.children_left[node] < 0:
        yield node, limits
        return
    feature = int(tree.feature[node])
    edge = int(np.floor(tree.threshold[node])) + 1
    first, end = limits.get(feature, (None, None))
    yield from _paths(tree, int(tree.children_left[node]), {**limits, feature: (first, edge)})
    yield from _paths(tree, int(tree.children_right[node]), {**limits, feature: (edge, end)})
