"""What a refresh has changed: monitoring measures beside those of the seed's last version."""

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.evaluation import DCR_EVALUATIONS, HYBRID_W
from dagster_project.assets.positivity import OVERLAP_FILE, OVERLAP_SHARE
from dagster_project.display import small_table
from hybrid_assets.effects import seed_tmle
from hybrid_assets.fidelity.refresh_drift import (
    DRIFT_COMMENTS,
    Monitored,
    covariate_law,
    drift_rows,
    share_of,
)
from hybrid_assets.small_cells import is_small_cell
from warehouse import ModelNotFound

SNAPSHOTS = TypeAdapter(dict[str, tuple[Monitored, ...]])  # by the seed's data version, in order
SNAPSHOT_FILE = "snapshots.json"
KEPT = 50
SIGNIFICANCE = 0.01


def drift_assets(make: AssetFactory) -> list[dg.AssetsDefinition]:
    """Declare ``refresh_drift``."""
    steady = make.check(
        "refresh_drift",
        "steady",
        "Covariates, overlap, effect and distances are those of the seed's last version, give or "
        "take chance (Holm, 1 %).",
        blocking=False,
    )

    @make.asset(
        "refresh_drift",
        deps=[
            *("splits", "seed_estimates", "positivity_evaluation"),
            *(f"{generator}/privacy_evaluation" for generator in make.study.generators),
        ],
        kinds={"duckdb"},
        privacy="derived",
        checks=[steady],
    )
    def refresh_drift(run: AssetRun) -> AssetResult:
        """What has moved since the seed's last version; nothing to compare at the first."""
        now = _monitored(run)
        earlier = _earlier_snapshots(run)
        before = list(earlier.values())[-1] if earlier else ()
        rows = drift_rows(now, before)
        kept = dict([*earlier.items(), (run.upstream["splits"], now)][-KEPT:])
        return run.record_table(
            rows,
            files={SNAPSHOT_FILE: SNAPSHOTS.dump_json(kept)},
            comments=DRIFT_COMMENTS,
            metadata={"drift": small_table(rows), "versions_seen": len(kept)},
            checks=[_steady(rows)],
        )

    return [refresh_drift]


def _monitored(run: AssetRun) -> tuple[Monitored, ...]:
    schema, found = run.schema(), []
    found += covariate_law(run.part("seed", schema), schema)
    share, n_people = OVERLAP_SHARE.validate_json(run.files("positivity_evaluation")[OVERLAP_FILE])
    n_extreme = round(share * n_people)
    if not is_small_cell(n_extreme, n_people):
        found.append(share_of("overlap", "", n_extreme, n_people))
    target = seed_tmle(run.table("seed_estimates"))
    effect = float(target["estimate"]), float(target["standard_error"])
    found.append(Monitored("effect", "", *effect))
    for generator in run.study.generators:
        distances = run.files(f"{generator}/privacy_evaluation")["distances.json"]
        dcr = DCR_EVALUATIONS.validate_json(distances)[HYBRID_W].share
        found.append(Monitored("privacy", generator, dcr.value, dcr.standard_error))
    return tuple(found)


def _earlier_snapshots(run: AssetRun) -> dict[str, tuple[Monitored, ...]]:
    """Read what this asset kept of other versions of the seed; its own past is no input of it."""
    try:
        folder = run.storage.models().open(run.warehouse.model(run.asset))
    except ModelNotFound:
        return {}
    kept = SNAPSHOTS.validate_json((folder / SNAPSHOT_FILE).read_bytes())
    return {version: found for version, found in kept.items() if version != run.upstream["splits"]}


def _steady(rows: pd.DataFrame) -> dg.AssetCheckResult:
    moved = rows[rows["p_adjusted"] < SIGNIFICANCE]
    return dg.AssetCheckResult(
        check_name="steady",
        passed=moved.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "moved": [f"{row['metric']} {row['of']}".strip() for _, row in moved.iterrows()],
            "compared": int(rows["p_adjusted"].notna().sum()),
            "significance": SIGNIFICANCE,
        },
    )
