"""A branch's fitted generator, read back."""

from dagster_project.asset_run import AssetRun
from hybrid_assets.generators import GENERATORS, CovariateGenerator
from hybrid_assets.schema import TableSchema


def stored_generator(run: AssetRun, schema: TableSchema) -> CovariateGenerator:
    """Restore the fitted generator of the asset's branch, to draw the columns of `schema`."""
    settings = run.study.generators[run.generator]
    files = run.files(f"{run.generator}/fitted_generator")
    return GENERATORS[settings.kind].from_files(files, settings, schema)
