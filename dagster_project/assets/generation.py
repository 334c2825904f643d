"""From a fitted generator to hybrid triplets, and the generator alone beside them."""

from dataclasses import dataclass

import dagster as dg

from dagster_project.asset_factory import AssetFactory, Privacy
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.assets.private_nuisance import private_nuisance_assets
from dagster_project.column_lineage import lineage
from dagster_project.display import comments_of
from dagster_project.fitting import fit_metadata, fitted
from dagster_project.hybrid_recipe import generating_models, hybrid_settings
from dagster_project.hybrid_results import (
    CALIBRATION,
    CALIBRATION_FILE,
    effect_checks,
    effect_results,
    hybrid_metadata,
    largest_shift,
)
from dagster_project.privacy_spending import loss_metadata, privacy_loss
from dagster_project.private_branch import is_private, made_with
from dagster_project.private_fit import paid_law
from dagster_project.row_scores import can_score
from dagster_project.stored_generator import stored_generator
from dagster_project.truth_columns import TRUTH_COMMENTS, with_truth
from dagster_project.workers import fits_hand_out, workers
from hybrid_assets.generators import GENERATORS, CovariateGenerator, DrawReport, ValidRows
from hybrid_assets.hybrid_draw import HybridDraw
from hybrid_assets.report.figures import learning_curve_plot
from hybrid_assets.schema import TableSchema

KINDS = {
    "bootstrap": "python",
    "cart": "scikitlearn",
    "gan": "pytorch",
    "llm": "huggingface",
    "great": "huggingface",
    "dp": "python",
}
GPU_KINDS = ("gan", "llm", "great")
MODEL, COVARIATES = "fitted_generator", "synthetic_covariates"


@dataclass(frozen=True)
class Branch:
    """One generator's branch: what its assets are called, and how they are declared.

    Parameters
    ----------
    make : AssetFactory
    generator : str
        The study's name of it.
    """

    make: AssetFactory
    generator: str

    @property
    def kind(self) -> str:
        """What kind of generator it is."""
        return self.make.study.generators[self.generator].kind

    @property
    def pool(self) -> str | None:
        """Where steps that fit or draw queue."""
        return "gpu" if self.kind in GPU_KINDS else None

    @property
    def privacy(self) -> Privacy:
        """Of what is drawn: bootstrapped covariates are people's own."""
        return "confidential" if self.kind == "bootstrap" else "derived"

    @property
    def is_private(self) -> bool:
        """Whether the generator is differentially private."""
        return is_private(self.make.study, self.generator)

    @property
    def fits_hand_out(self) -> bool:
        """Whether a fit may be handed out: one tree for each column."""
        return self.kind == "cart" and fits_hand_out(self.make.study)

    @property
    def draws_hand_out(self) -> bool:
        """Whether a draw of the study's size pays to be handed out."""
        n_rows = GENERATORS[self.kind].rows_handed_out
        return n_rows is not None and self.make.study.n_synthetic > n_rows

    def named(self, name: str) -> str:
        """Name an asset of the branch."""
        return f"{self.generator}/{name}"


def generation_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare one generator's branch, from its fit to its two synthetic tables."""
    branch = Branch(make, generator)
    own = private_nuisance_assets(make, generator) if branch.is_private else []
    return [
        _fitted_generator(branch),
        _synthetic_covariates(branch),
        *own,
        _hybrid_triplets(branch),
        _full_synthetic(branch),
    ]


def _fitted_generator(branch: Branch) -> dg.AssetsDefinition:
    @branch.make.asset(
        branch.named(MODEL),
        deps=["splits"],
        kinds={KINDS[branch.kind]},
        privacy="confidential",
        pool=branch.pool,
        hands_out=branch.fits_hand_out,
        once=branch.is_private,
    )
    def fitted_generator(run: AssetRun) -> AssetResult:
        """The generator, fitted to the training rows' covariates (a private one: whole rows)."""
        schema = run.schema()
        if branch.is_private:
            files, told = paid_law(run, schema)
            recorded = run.record_model(files, metadata={**told, **lineage(run, schema)})
            run.unfinished_parts().remove()
            return recorded
        model = _fit(run, schema.covariates)
        recorded = run.record_model(
            model.to_files(),
            drawn=_learning_curve(model),
            metadata={**fit_metadata(run, model), **lineage(run, schema)},
        )
        run.unfinished_parts().remove()
        return recorded

    return fitted_generator


def _synthetic_covariates(branch: Branch) -> dg.AssetsDefinition:
    @branch.make.asset(
        branch.named(COVARIATES),
        deps=["splits", branch.named(MODEL)],
        kinds={"duckdb", KINDS[branch.kind]},
        privacy=branch.privacy,
        pool=branch.pool,
        hands_out=branch.draws_hand_out,
    )
    def synthetic_covariates(run: AssetRun) -> AssetResult:
        """Covariates drawn from the fitted generator; rows that break the schema are dropped."""
        whole = run.schema()
        schema = whole.covariates
        model = stored_generator(run, schema)
        parts = run.unfinished_parts()
        drawn = ValidRows(model, schema, run.study.n_synthetic, run.rng, parts)
        with workers(branch.draws_hand_out) as pool:
            rows = run.in_blocks(map(schema.stored, drawn.blocks(pool)))
        recorded = run.record_table(
            rows,
            comments=comments_of(schema),
            metadata={**_yield(drawn.report), **lineage(run, whole)},
        )
        parts.remove()
        return recorded

    return synthetic_covariates


def _hybrid_triplets(branch: Branch) -> dg.AssetsDefinition:
    triplets, covariates = branch.named("hybrid_triplets"), branch.named(COVARIATES)
    behind = made_with(branch.make.study, branch.generator)

    @branch.make.asset(
        triplets,
        deps=[*dict.fromkeys([covariates, *behind, "seed_estimates", "splits"])],
        kinds={"duckdb"},
        privacy=branch.privacy,
        checks=effect_checks(branch.make, triplets, private=branch.is_private),
    )
    def hybrid(run: AssetRun) -> AssetResult:
        """Covariates, then treatment from its own model, then the outcome, targeted to the seed."""
        schema = run.schema()
        pool = run.rows(covariates, schema.covariates)
        settings = hybrid_settings(run.study)
        drawn = HybridDraw(pool, generating_models(run, schema), settings=settings, rng=run.rng)
        rows = run.in_blocks(with_truth(made, schema.stored(made.table)) for made in drawn.blocks())
        made = drawn.summary
        return run.record_table(
            rows,
            files={CALIBRATION_FILE: CALIBRATION.dump_json(largest_shift(made))},
            comments={**comments_of(schema), **TRUTH_COMMENTS},
            metadata={
                **hybrid_metadata(made),
                **loss_metadata(privacy_loss(run)),
                **lineage(run, schema),
            },
            checks=effect_results(run, made),
        )

    return hybrid


def _full_synthetic(branch: Branch) -> dg.AssetsDefinition:
    full = branch.named("full_synthetic")
    # a model that scores rows stays beside its table
    keeps_model = can_score(branch.make.study, branch.generator)
    # a network's fit needs the core that a step which hands out does not ask for
    draws_hand_out = branch.draws_hand_out and branch.pool is None

    @branch.make.asset(
        full,
        deps=["splits", *([branch.named(MODEL)] if branch.is_private else [])],
        kinds={"duckdb", KINDS[branch.kind]},
        privacy="confidential" if keeps_model else branch.privacy,
        pool=branch.pool,
        hands_out=draws_hand_out or branch.fits_hand_out,
    )
    def full_synthetic(run: AssetRun) -> AssetResult:
        """The generator alone, treatment and outcome included: the baseline that fails."""
        schema = run.schema()
        model = stored_generator(run, schema) if branch.is_private else _fit(run, schema)
        rng = run.study.random_generator(f"{full}/rows")
        parts = run.unfinished_parts()
        drawn = ValidRows(model, schema, run.study.n_synthetic, rng, parts)
        with workers(draws_hand_out) as pool:
            rows = run.in_blocks(map(schema.stored, drawn.blocks(pool)))
        recorded = run.record_table(
            rows,
            files=model.to_files() if keeps_model else None,
            comments=comments_of(schema),
            drawn=_learning_curve(model),
            metadata={
                **_yield(drawn.report),
                **fit_metadata(run, model),
                **lineage(run, schema),
            },
        )
        parts.remove()
        return recorded

    return full_synthetic


def _fit(run: AssetRun, schema: TableSchema) -> CovariateGenerator:
    settings = run.study.generators[run.generator]
    return fitted(run, GENERATORS[settings.kind](settings), schema)


def _learning_curve(model: CovariateGenerator) -> bytes | None:
    return None if model.learning_curve_ is None else learning_curve_plot(model.learning_curve_)


def _yield(report: DrawReport) -> dict[str, object]:
    return {
        "rows_drawn": report.n_drawn,
        "rows_dropped": report.n_dropped,
        "valid_share": round(report.valid_share, 6),
        "violations_by_column": report.dropped_by_column,
        "valid_mass_by_column": {c: round(mass, 6) for c, mass in report.valid_mass.items()},
    }
