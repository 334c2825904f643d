"""Attacks that need no model: rows and cells of real people, digit by digit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybrid_assets.privacy.auc import auc
from hybrid_assets.privacy.measure import Attack, Limits, Measure, normal_measure
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.schema import ColumnKind


def copied_rows(attacked: Attacked, target: str, policy: PrivacyPolicy) -> Measure:
    """Compare the shares of members and of non-members who stand in the table as they are."""
    is_shown = attacked.traces.rows[tuple(attacked.schema.names)]
    return _copied(is_shown, attacked, target, policy.copy_pass)


def copied_cells(attacked: Attacked, name: str, policy: PrivacyPolicy) -> Measure:
    """Compare the shares of members and of non-members whose value stands in the column."""
    return _copied(attacked.traces.cells[name], attacked, name, policy.cell_pass)


def _copied(is_shown: np.ndarray, attacked: Attacked, target: str, pass_below: float) -> Measure:
    """Newcombe's interval for the difference of two shares, Fisher's exact test.

    Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I,
    method 10.
    """
    from scipy.stats import binomtest, fisher_exact

    of_members, of_others = is_shown[attacked.is_member], is_shown[~attacked.is_member]
    n, m = len(of_members), len(of_others)
    a, b = int(of_members.sum()), int(of_others.sum())
    p, q = a / n, b / m
    first, second = (
        binomtest(k, size).proportion_ci(method="wilson") for k, size in ((a, n), (b, m))
    )
    low = p - q - np.hypot(p - first.low, second.high - q)
    high = p - q + np.hypot(first.high - p, q - second.low)
    return Measure(
        attack=Attack.COPIES,
        target=target,
        statistic="share of members beyond that of non-members",
        value=p - q,
        reference=q,
        ci_low=float(low),
        ci_high=float(high),
        p_value=float(fisher_exact(np.array([[a, n - a], [b, m - b]]), alternative="greater")[1]),
        is_within_limit=bool(high <= pass_below),
        is_suspicious=bool(low > 0),
    )


def digit_replay(attacked: Attacked, names: list[str], policy: PrivacyPolicy) -> Measure:
    """Ask how well the closest synthetic value gives members away.

    Of several columns the closest counts, in standard deviations: one value
    told in full is enough.
    """
    closest = np.min([_closest(attacked, name) for name in names], axis=0)
    found = auc(-closest, attacked.is_member)
    return normal_measure(
        Attack.DIGIT_REPLAY,
        ", ".join(names),
        "AUC",
        found=(found.value, found.standard_error, 0.5),
        limits=Limits(0.5, policy.replay_pass, policy.replay_pass),
    )


def _closest(attacked: Attacked, name: str) -> np.ndarray:
    spread = float(attacked.people[name].to_numpy(dtype=float).std())
    return np.asarray(attacked.traces.closest[name] / (spread or 1.0))


def continuous_names(attacked: Attacked) -> list[str]:
    """Name the columns that show digits after the point."""
    return [c.name for c in attacked.schema.columns if c.kind is ColumnKind.CONTINUOUS]


def personal_integer_names(attacked: Attacked, policy: PrivacyPolicy) -> list[str]:
    """Name the integer columns whose values are nearly people's own, as account numbers are.

    In such a column most training people hold a value that fewer than
    `policy.rare_people` of them hold; in a column of ages everybody's value is
    also somebody else's, and showing it tells nothing.
    """
    members = attacked.people[attacked.is_member]
    return [
        column.name
        for column in attacked.schema.columns
        if column.kind is ColumnKind.INTEGER
        and (_n_holders(members[column.name]) < policy.rare_people).mean() > 0.5
    ]


def _n_holders(values: pd.Series) -> pd.Series:
    """Count for each person those who hold the same value, shape (n,)."""
    return values.groupby(values).transform("size")


def digit_precision(attacked: Attacked, name: str) -> Measure:
    """Count cells with more digits than the column declares; all, where it declares none."""
    n_beyond = attacked.traces.n_beyond.get(name)
    return _counted(
        Attack.DIGIT_PRECISION,
        name,
        "cells" if n_beyond is not None else "cells (no digits declared)",
        n_found=attacked.traces.n_rows if n_beyond is None else n_beyond,
        can_fail=n_beyond is not None,
    )


def rare_levels_shown(attacked: Attacked, policy: PrivacyPolicy) -> list[Measure]:
    """Count, without naming them, levels of a few training people that the table shows."""
    measures = []
    for column in attacked.schema.columns:
        if not isinstance(column.dtype, pd.CategoricalDtype):
            continue
        of_members = attacked.people[column.name][attacked.is_member].value_counts()
        rare = of_members.index[(of_members > 0) & (of_members < policy.rare_people)]
        n_shown = int(rare.isin(list(attacked.traces.levels[column.name])).sum())
        measures.append(
            _counted(Attack.RARE_LEVELS, column.name, "levels", n_found=n_shown, can_fail=False)
        )
    return measures


def _counted(
    attack: Attack, target: str, statistic: str, *, n_found: int, can_fail: bool
) -> Measure:
    return Measure(
        attack=attack,
        target=target,
        statistic=statistic,
        value=float(n_found),
        reference=0.0,
        ci_low=float(n_found),
        ci_high=float(n_found),
        p_value=float(n_found == 0) if can_fail else None,
        is_within_limit=n_found == 0,
        is_suspicious=n_found > 0,
    )
