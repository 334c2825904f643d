"""The two synthetic tables of a generator's branch, and what stands for all their rows."""

from typing import Final, Literal

from dagster_project.asset_run import AssetRun
from dagster_project.truth_columns import treated_probability
from hybrid_assets.blocks import sampling_note

SyntheticKind = Literal["hybrid", "full synthetic"]
HYBRID: Final = "hybrid"
FULL: Final = "full synthetic"


def synthetic_tables(run: AssetRun) -> dict[SyntheticKind, str]:
    """Name the two synthetic tables of the asset's branch."""
    return {
        HYBRID: f"{run.generator}/hybrid_triplets",
        FULL: f"{run.generator}/full_synthetic",
    }


def sampled_rows(run: AssetRun) -> dict[str, str]:
    """Say as metadata where a sample of a table stands for it; nothing where none does."""
    notes = {
        f"sampled_{kind.replace(' ', '_')}": sampling_note(run.stored(asset).n_rows)
        for kind, asset in synthetic_tables(run).items()
    }
    return {name: note for name, note in notes.items() if note}


def sampled_pool(run: AssetRun, asset: str) -> dict[str, str]:
    """Say the same of one table that is drawn from."""
    note = sampling_note(run.stored(asset).n_rows)
    return {"sampled": f"{asset}: {note}"} if note else {}


def hybrid_probability(run: AssetRun) -> float | None:
    """Give the coin that treatment was drawn with in the hybrid table, where it was one."""
    if run.study.assignment == "randomised" and run.study.recipe == "targeted":
        return treated_probability(run.stored(f"{run.generator}/hybrid_triplets"))
    return run.study.known_propensity
