"""What the study can say where overlap is poor, and what each way out of it estimates."""

from concurrent.futures import Executor

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.display import small_table
from dagster_project.workers import fits_hand_out, workers
from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance import CrossFit, cross_fit_draws
from hybrid_assets.positivity import (
    REMEDY_COMMENTS,
    OverlapDiagnostics,
    combined_propensity,
    describe_hole,
    is_extreme,
    overlap,
    overlap_remedies,
    worst_case,
)
from hybrid_assets.published import IN_SAMPLE_INTERVALS
from hybrid_assets.report.love_plot import love_plot
from hybrid_assets.small_cells import told_share

OVERLAP_FILE = "overlap.json"
OVERLAP_SHARE = TypeAdapter(tuple[float, int])  # share of people with an extreme propensity; people


def positivity_assets(make: AssetFactory) -> list[dg.AssetsDefinition]:
    """Declare ``positivity_evaluation``."""

    @make.asset(
        "positivity_evaluation",
        deps=["splits"],
        kinds={"duckdb", "scikitlearn"},
        privacy="derived",
        hands_out=fits_hand_out(make.study),
    )
    def positivity_evaluation(run: AssetRun) -> AssetResult:
        """Where overlap fails, and what each way to deal with it estimates, for whom."""
        schema = run.schema()
        seed = run.part("seed", schema)
        with workers(fits_hand_out(run.study)) as pool:
            fits = seed_cross_fits(run, seed, pool)
        g = combined_propensity(fits)
        found = overlap(g, fits[0].treatment, seed, schema)
        note = IN_SAMPLE_INTERVALS if run.study.recipe == "published" else ""
        rows = overlap_remedies(fits, interval_note=note)
        return run.record_table(
            rows,
            files={OVERLAP_FILE: OVERLAP_SHARE.dump_json((found.share_extreme, len(seed)))},
            comments=REMEDY_COMMENTS,
            drawn=love_plot(found.balance),
            metadata={
                "remedies": small_table(rows),
                "hole": list(describe_hole(is_extreme(g), seed, schema).sentences),
                "overlap": overlap_table(found),
                "balance": small_table(found.balance),
                "worst_case": _worst_case(fits),
            },
        )

    return [positivity_evaluation]


def seed_cross_fits(
    run: AssetRun, seed: pd.DataFrame, workers: Executor | None = None
) -> tuple[CrossFit, ...]:
    """Cross-fit the seed with the folds of ``seed_estimates``."""
    study = run.study
    rng = study.random_generator("seed_estimates")
    return cross_fit_draws(
        seed, run.schema(), study.nuisance_models, rng, study.known_propensity, workers=workers
    )


def overlap_table(found: OverlapDiagnostics) -> dg.MarkdownMetadataValue:
    """Show how far the weights reach."""
    shown = {
        "share extreme": found.told_extreme,
        "extreme beyond": found.extreme_threshold,
        "clipped share": found.told_clipped,
        "clipped at": found.bound,
        "effective sample size, treated": found.ess_treated,
        "effective sample size, controls": found.ess_control,
    }
    return small_table(pd.DataFrame(shown.items(), columns=["measure", "value"]))


def _worst_case(fits: tuple[CrossFit, ...]) -> dg.MarkdownMetadataValue:
    try:
        found = worst_case(fits)
    except EstimationError as refusal:
        return dg.MetadataValue.md(str(refusal))
    share = told_share(found.share_extreme, len(fits[0].outcome))
    hidden = share if isinstance(share, str) else None  # the bounds are as far apart as the share
    return small_table(
        pd.DataFrame(
            {
                "share extreme": [share],
                "bound low": [None if hidden else found.bound_low],
                "bound high": [None if hidden else found.bound_high],
                "width": [hidden or found.width],
                "ci low": [found.ci_low],
                "ci high": [found.ci_high],
            }
        )
    )
