"""People of a seed version who were not drawn for analysis: nothing was made from their rows."""

from collections.abc import Sequence

import numpy as np

from dagster_project.subjects import IdentifiedBy, SubjectUse, canonical_cells, typed_key
from warehouse import AuditTrail, SubjectSplit, TableBlocks, TableNotFound, Warehouse

NOT_DRAWN = "not drawn"


def with_undrawn(
    uses: Sequence[SubjectUse], trail: AuditTrail, values: dict[str, str]
) -> list[SubjectUse]:
    """Add the seed table that is there now, if it holds a person who was not drawn from it.

    Parameters
    ----------
    uses : sequence of SubjectUse
        Where the person was drawn.
    trail : AuditTrail
    values : dict of str to str
        Column -> the person's value, as typed.
    """
    found, entries = list(uses), trail.entries()
    stored = _stored_seed(trail)
    drawn = {use.seed_version for use in uses}
    for split in trail.subject_splits():
        if stored is None or not split.n_not_drawn or split.seed_version in drawn:
            continue
        table, version = stored
        if version == split.seed_version and _holds(table, split.identified_by, values):
            seeds = [entry for entry in entries if entry.data_version == version]
            found.append(SubjectUse(version, seeds[0] if seeds else None, (NOT_DRAWN,), ()))
            drawn.add(version)
    return found


def untold_undrawn(splits: Sequence[SubjectSplit], trail: AuditTrail) -> list[str]:
    """Say of which earlier versions nobody can tell whether they held a person beside the drawn."""
    stored = _stored_seed(trail)
    now = stored[1] if stored else ""
    gaps = {s.seed_version: s.n_not_drawn for s in splits if s.n_not_drawn}
    return [
        f"the {n:,} people of seed version {version[:12]} who were not drawn for analysis: nothing "
        "was made from their rows, and none of them is kept"
        for version, n in gaps.items()
        if version != now
    ]


def _stored_seed(trail: AuditTrail) -> tuple[TableBlocks, str] | None:
    try:
        return Warehouse(trail.home, trail.study).read_blocks("seed_table")
    except TableNotFound:
        return None


def _holds(table: TableBlocks, columns: IdentifiedBy, values: dict[str, str]) -> bool:
    key = typed_key(values, columns)
    for block in table.blocks([name for name, _ in columns]):
        rows = block.to_pandas()
        same = np.ones(len(rows), dtype=bool)
        for cell, (name, kind) in zip(key, columns, strict=True):
            same &= canonical_cells(rows[name], kind) == cell
        if same.any():
            return True
    return False
