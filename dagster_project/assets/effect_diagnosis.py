"""Where each synthetic table's effect went: computed for `fidelity_evaluation`, shown in the UI."""

from collections.abc import Mapping
from typing import TypeVar

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_run import AssetRun
from dagster_project.display import small_table
from hybrid_assets.errors import EvaluationError
from hybrid_assets.fidelity import (
    EffectDiagnosis,
    SeedReference,
    diagnose_effect,
    measure_table,
)
from hybrid_assets.nuisance import OutcomeModel, PropensityModel

Kind = TypeVar("Kind", bound=str)
EFFECT_DIAGNOSES = TypeAdapter(dict[str, EffectDiagnosis | None])
DIAGNOSES_FILE = "effect_diagnoses.json"


def effect_diagnoses(
    run: AssetRun, tables: Mapping[Kind, pd.DataFrame], coins: Mapping[Kind, float | None]
) -> tuple[dict[str, EffectDiagnosis | None], list[str]]:
    """Diagnose each table; what cannot be measured is left out and named.

    `coins` holds the probability that treated a table's rows, where its maker knows one; the
    rows of other tables are held against the study's own propensity.
    """
    schema = run.schema()
    seed = SeedReference(
        train=run.part("train", schema),
        holdout=run.part("holdout", schema),
        outcome=OutcomeModel.from_files(run.files("outcome_model"), schema),
        propensity=PropensityModel.from_files(run.files("propensity_model"), schema),
    )
    found: dict[str, EffectDiagnosis | None] = {}
    left_out = []
    for kind, table in tables.items():
        rng = run.study.random_generator(f"{run.asset}/effect/{kind}")
        try:
            found[kind] = diagnose_effect(table, seed, known_propensity=coins[kind], rng=rng)
        except EvaluationError as refusal:
            found[kind] = None
            left_out.append(f"{kind} table, {refusal}")
    return found, left_out


def measure_rows(found: Mapping[str, EffectDiagnosis | None]) -> list[pd.DataFrame]:
    """Lay each diagnosis out, one row for each measure."""
    return [measure_table(d).assign(table_kind=k) for k, d in found.items() if d is not None]


def shown_measures(found: Mapping[str, EffectDiagnosis | None]) -> dg.MarkdownMetadataValue:
    """Show each table's measures with their standard errors, the holdout's beside them."""
    none = pd.DataFrame(columns=["table_kind"])
    rows = pd.concat(measure_rows(found) or [none], ignore_index=True)
    return small_table(rows[["table_kind", *(c for c in rows.columns if c != "table_kind")]])
