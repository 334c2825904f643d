"""The rows and columns that would leave, and every gate before them."""

from collections.abc import Iterator
from typing import Final

import dagster as dg
import pandas as pd

from dagster_project.asset_factory import AssetFactory, Privacy
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.column_lineage import lineage
from dagster_project.display import comments_of
from dagster_project.gate_results import (
    GATE_FILE,
    gate_check_results,
    gate_checks,
    gate_metadata,
)
from dagster_project.privacy_results import EVALUATION_FILE, EVALUATIONS
from dagster_project.release_evidence import release_evidence, require_current
from dagster_project.truth_columns import released_truth
from hybrid_assets.effects import seed_tmle
from hybrid_assets.gates import GATE_REPORT, evaluate_gates
from hybrid_assets.report.gate_plot import gate_plot
from hybrid_assets.schema import TableSchema

SCHEMA_FILE: Final = "schema.json"
SEED_FILE: Final = "seed_tmle.json"
MEAN_DECIMALS: Final = 3


def release_candidate_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare a generator's ``release_candidate``."""
    asset, triplets = f"{generator}/release_candidate", f"{generator}/hybrid_triplets"
    evidence = [
        triplets,
        f"{generator}/privacy_evaluation",
        "positivity_evaluation",
        "seed_estimates",
    ]
    audit = [] if make.study.recipe == "published" else [f"{generator}/label_audit"]
    is_bootstrap = make.study.generators[generator].kind == "bootstrap"
    privacy: Privacy = "confidential" if is_bootstrap else "derived"

    @make.asset(
        asset,
        deps=["splits", *evidence, *audit],
        kinds={"duckdb"},
        privacy=privacy,
        checks=gate_checks(make, asset),
        job="release",
    )
    def release_candidate(run: AssetRun) -> AssetResult:
        """Exactly the rows and columns that would leave; a blocking check for each gate."""
        require_current(run, *evidence)
        schema, settings = run.schema(), run.study.gates
        table = run.in_blocks(_blocks(run, schema))
        found = release_evidence(run, table, schema)
        report = evaluate_gates(run.study.name, generator, found, settings)
        for override in report.overrides:
            run.record_decision(f"{generator}/override_{override.gate}", override)
        return run.record_table(
            table,
            files={
                GATE_FILE: GATE_REPORT.dump_json(report, indent=1),
                SCHEMA_FILE: schema.model_dump_json().encode(),
                EVALUATION_FILE: EVALUATIONS.dump_json(found.privacy),
                SEED_FILE: seed_tmle(run.table("seed_estimates")).to_json().encode(),
            },
            drawn=gate_plot(report),
            comments=comments_of(schema),
            metadata={**gate_metadata(report), **lineage(run, schema)},
            checks=gate_check_results(report),
        )

    return [release_candidate]


def _blocks(run: AssetRun, schema: TableSchema) -> Iterator[pd.DataFrame]:
    """Give W, A and Y at their declared digits; true means beside them only if asked for."""
    decimals = schema[schema.outcome].decimals
    for block in run.stored(f"{run.generator}/hybrid_triplets").blocks():
        made = block.to_pandas()
        table = schema.stored(schema.rounded(schema.canonical(made)))
        if run.study.release.include_counterfactuals:
            truth = released_truth(made, MEAN_DECIMALS if decimals is None else decimals)
            table = table.join(truth)
        yield table
