"""What a refresh has changed: monitoring measures beside those of the last release."""

import dagster as dg
import pandas as pd

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.positivity import OVERLAP_FILE, OVERLAP_SHARE
from dagster_project.display import small_table
from dagster_project.distance_results import DCR_EVALUATIONS, HYBRID_W
from dagster_project.drift_baselines import (
    SNAPSHOT_FILE,
    Snapshot,
    earlier_snapshots,
    generator_baselines,
    kept_snapshots,
    study_baseline,
)
from hybrid_assets.effects import seed_tmle
from hybrid_assets.fidelity.refresh_drift import (
    DRIFT_COMMENTS,
    Monitored,
    covariate_law,
    drift_rows,
    share_of,
)
from hybrid_assets.small_cells import is_small_cell

SIGNIFICANCE = 0.01


def drift_assets(make: AssetFactory) -> list[dg.AssetsDefinition]:
    """Declare ``refresh_drift``."""
    steady = make.check(
        "refresh_drift",
        "steady",
        "Covariates, overlap, effect and distances are those of the last release (of the seed's "
        "version run before where there is none), give or take chance (Holm, 1 %).",
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
        """What has moved since the last release, or since the version of the seed run before."""
        earlier, measures = earlier_snapshots(run), _monitored(run)
        by_generator = generator_baselines(run, earlier)
        rows = drift_rows(measures, study_baseline(run, earlier), by_generator)
        kept = kept_snapshots(earlier, Snapshot(dict(run.upstream), measures))
        return run.record_table(
            rows,
            files={SNAPSHOT_FILE: kept},
            comments=DRIFT_COMMENTS,
            metadata={"drift": small_table(rows)},
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


def _steady(rows: pd.DataFrame) -> dg.AssetCheckResult:
    moved = rows[rows["p_adjusted"] < SIGNIFICANCE]
    return dg.AssetCheckResult(
        check_name="steady",
        passed=moved.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "moved": [f"{row['metric']} {row['of']}".strip() for _, row in moved.iterrows()],
            "compared": int(rows["p_adjusted"].notna().sum()),
            "compared_with": sorted(set(rows["compared_with"]) - {""}),
            "significance": SIGNIFICANCE,
        },
    )
