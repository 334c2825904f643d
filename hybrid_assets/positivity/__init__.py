"""Overlap: where it fails, what each way out of it estimates, and pairing with a donor."""

from hybrid_assets.positivity.diagnostics import (
    OverlapDiagnostics,
    combined_propensity,
    is_extreme,
    overlap,
)
from hybrid_assets.positivity.hole import Hole, describe_hole
from hybrid_assets.positivity.remedies import (
    REMEDY_COMMENTS,
    overlap_remedies,
    overlap_weighted,
)
from hybrid_assets.positivity.worst_case import WorstCase, worst_case

__all__ = [
    "REMEDY_COMMENTS",
    "Hole",
    "OverlapDiagnostics",
    "WorstCase",
    "combined_propensity",
    "describe_hole",
    "is_extreme",
    "overlap",
    "overlap_remedies",
    "overlap_weighted",
    "worst_case",
]
