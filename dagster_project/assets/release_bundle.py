"""The folder that leaves the house: rows, card, dictionary, evidence, approval, checksums."""

import dagster as dg

from dagster_project.asset_factory import AssetFactory
from dagster_project.asset_run import AssetResult, AssetRun
from dagster_project.release_permission import candidate_of


def release_bundle_assets(make: AssetFactory, generator: str) -> list[dg.AssetsDefinition]:
    """Declare a generator's ``release_bundle``."""

    @make.asset(
        f"{generator}/release_bundle",
        deps=[candidate_of(generator)],
        kinds={"parquet", "json"},
        privacy="release",
        job="release",
        once=True,
    )
    def release_bundle(run: AssetRun) -> AssetResult:
        """A numbered folder that explains itself and that anyone can verify (`hybrid verify`)."""
        from dagster_project.release_writing import written_release  # only a release needs it

        return written_release(run)

    return [release_bundle]
