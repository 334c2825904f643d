"""What a study must state of its columns so that nothing about them is read from its people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybrid_assets.schema import ColumnKind

if TYPE_CHECKING:
    from hybrid_assets.study import CovariateSettings, Study

MISSING_LEVEL = "missing"
LISTED = (ColumnKind.CATEGORICAL, ColumnKind.ORDINAL)


def require_declared(study: Study) -> None:
    """Refuse a study with a differentially private generator that leaves columns to be inferred.

    Kinds, levels, ranges and digits that are read from people's rows tell of
    them, and so do dropped rows and imputed values: no ε covers these.

    Raises
    ------
    ValueError
        For the first thing that is not stated, or a range whose ends cannot be drawn.
    """
    if study.recipe == "published":
        raise ValueError(f"study {study.name!r}: generator dp: expected recipe targeted")
    if study.covariates is None:
        raise ValueError(
            f"study {study.name!r}, covariates: expected each one declared for generator dp; got "
            "none"
        )
    found = [
        (name, _undeclared(settings, settings.missing or study.missing))
        for name, settings in study.covariates.items()
    ]
    if study.outcome_range is None or study.outcome_decimals is None:
        found.append((study.outcome, "outcome_range and outcome_decimals (0/1: [0, 1] and 0)"))
    for name, expected in found:
        if expected:
            raise ValueError(
                f"study {study.name!r}, column {name!r}: expected {expected}, stated for generator "
                "dp; got none (what is read from people's rows tells of them)"
            )

    numbers = {name: (each.range, each.decimals) for name, each in study.covariates.items()}
    numbers[study.outcome] = study.outcome_range, study.outcome_decimals
    for name, (ends, decimals) in numbers.items():
        if ends and decimals is not None and any(round(end, decimals) != end for end in ends):
            raise ValueError(
                f"study {study.name!r}, column {name!r}: expected a range that begins and ends at "
                f"{decimals} decimals, for generator dp; got {list(ends)}"
            )


def _undeclared(stated: CovariateSettings, missing: str) -> str:
    if stated.kind is None:
        return "kind"
    if stated.kind in LISTED and stated.levels is None:
        return "levels: all that there can be"
    if stated.kind in (ColumnKind.INTEGER, ColumnKind.CONTINUOUS) and stated.range is None:
        return "range: [lowest, highest]"
    if stated.kind is ColumnKind.CONTINUOUS and stated.decimals is None:
        return "decimals"
    if missing in ("drop_rows", "impute"):
        return "missing: refuse or category"
    if missing == "category" and stated.kind in LISTED and MISSING_LEVEL not in stated.levels:  # type: ignore[operator]
        return f"the level {MISSING_LEVEL!r} among its levels"
    return ""
