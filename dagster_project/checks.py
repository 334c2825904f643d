"""Asset checks from the data suites: one multi-check for each guarded table."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from dagster_project.asset_run import asset_key
from dagster_project.check_log import check_records, provenance
from dagster_project.declaration import declared_checks
from dagster_project.display import small_table
from dagster_project.engines import step_settings
from dagster_project.resources import StorageResource
from dagster_project.step_errors import told_errors
from dagster_project.study_file import StudyFile
from dagster_project.suites import SUITE, ExpectationResult, evaluate_rules, frames
from dagster_project.trial import launched_study
from hybrid_assets.schema import TableSchema
from warehouse import TableBlocks


def suite_checks(study: StudyFile) -> list[dg.AssetChecksDefinition]:
    """Declare the suites of the seed, of each generator's covariates and of its triplets.

    They are blocking: in the same run, nothing is made from a table that fails.
    """
    branches = [f"{g}/{t}" for g in study.generators for t in ("synthetic_covariates", *TRIPLETS)]
    return [_suite_check(study, asset) for asset in ("seed_table", *branches)]


TRIPLETS = ("hybrid_triplets", "full_synthetic")


def _suite_check(study: StudyFile, asset: str) -> dg.AssetChecksDefinition:
    key = asset_key(study, asset)
    rules = {name: rule for name, rule in SUITE.items() if not _left_out(asset, name)}

    def suite(
        context: dg.AssetCheckExecutionContext, _: Mapping[str, Any]
    ) -> Iterator[dg.AssetCheckResult]:
        with told_errors(context):
            started, storage = time.perf_counter(), context.resources.storage
            launched = launched_study(study, storage, asset)
            table, version, schema = _table_and_schema(study, asset, storage)
            columns = _judged_columns(study, asset, table, schema)
            chosen = {check.name: check for check in context.selected_asset_check_keys}
            asked = {name: rules[name](schema, launched.n_synthetic) for name in chosen}
            found = evaluate_rules(frames(table, columns), asked)
            results = [_check_result(chosen[name], each) for name, each in found.items()]
            storage.audit_trail(study.name).record_checks(
                asset,
                check_records(asset, version, results, context.check_specs),
                provenance(
                    launched,
                    context.run.run_id,
                    {asset: version},
                    seconds=time.perf_counter() - started,
                ),
            )
        yield from results

    specs = [
        dg.AssetCheckSpec(name, asset=key, blocking=True, description=rule.__doc__)
        for name, rule in rules.items()
    ]
    name = "_".join(["suite", *key.path])
    needs = frozenset({"storage"})
    return declared_checks(name, suite, specs, needs=needs, step=step_settings())


def _left_out(asset: str, rule: str) -> bool:
    """Whether a rule makes no sense: a seed has any size, and cells that are imputed later."""
    return asset == "seed_table" and rule in ("row_count", "no_missing_values", "storage_types")


def _table_and_schema(
    study: StudyFile, asset: str, storage: StorageResource
) -> tuple[TableBlocks, str, TableSchema]:
    warehouse = storage.warehouse(study.name)
    table, version = warehouse.read_blocks(asset)
    described = "seed_table" if asset == "seed_table" else "splits"
    files = storage.models().open(warehouse.model(described))
    schema = TableSchema.model_validate_json((files / "schema.json").read_bytes())
    return table, version, schema.covariates if asset.endswith("_covariates") else schema


def _judged_columns(
    study: StudyFile, asset: str, table: TableBlocks, schema: TableSchema
) -> list[str]:
    """Leave out what is no column of the study: identifiers, and the truth beside triplets."""
    if asset.endswith(TRIPLETS):
        return schema.names
    return [name for name in table.column_names if name not in study.identifiers]


def _check_result(check: dg.AssetCheckKey, results: list[ExpectationResult]) -> dg.AssetCheckResult:
    rows = pd.DataFrame(
        [
            {
                "expectation": r.expectation,
                "column": r.column,
                "met": "yes" if r.success else "no",
                "rows against it": r.counts.get("unexpected_count", ""),
                "percent": r.counts.get("unexpected_percent", ""),
            }
            for r in results
        ]
    )
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=all(r.success for r in results),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"expectations": small_table(rows), "n_expectations": len(results)}
        if results
        else {"n_expectations": 0},
    )
