"""How every asset of a study is declared: one decorator for what they share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from dagster_project.abandoned_runs import end_with_run
from dagster_project.asset_run import AssetResult, AssetRun, asset_key
from dagster_project.code_version import science_version
from dagster_project.declaration import declared_asset
from dagster_project.engines import step_settings
from dagster_project.heartbeat import heartbeat
from dagster_project.step_errors import told_errors
from dagster_project.study_file import StudyFile
from dagster_project.trial import at_version, launched_study

Privacy = Literal["confidential", "derived", "release"]
JobWord = Literal["refresh", "simulate", "release"]
AssetBody = Callable[[AssetRun], AssetResult]
Made = Iterator[AssetResult]
NEEDS = frozenset({"storage", "compute"})


def group_of(study: StudyFile, asset: str) -> str:
    """Name the group an asset is shown in: the study, or the generator's branch of it."""
    generator = asset.rpartition("/")[0]
    return f"{study.name}/{generator}" if generator else study.name


@dataclass(frozen=True)
class AssetFactory:
    """Declares the assets of one study.

    Parameters
    ----------
    study : StudyFile
        The study.
    folder : Path
        Of the study file; relative source paths start there.
    """

    study: StudyFile
    folder: Path

    @cached_property
    def _code_version(self) -> str:
        return f"{science_version()}.{self.study.content_hash[:12]}"

    @cached_property
    def _freshness(self) -> dg.FreshnessPolicy | None:
        return self.study.schedule.freshness if self.study.schedule else None

    def key(self, asset: str) -> dg.AssetKey:
        """Give the Dagster key of an asset of this study."""
        return asset_key(self.study, asset)

    def check(
        self, asset: str, name: str, description: str, *, blocking: bool
    ) -> dg.AssetCheckSpec:
        """Declare a check that the asset's own body evaluates."""
        return dg.AssetCheckSpec(
            name, asset=self.key(asset), description=description, blocking=blocking
        )

    def asset(
        self,
        name: str,
        *,
        deps: Sequence[str],
        kinds: Iterable[str],
        privacy: Privacy,
        checks: Sequence[dg.AssetCheckSpec] = (),
        pool: str | None = None,
        job: JobWord = "refresh",
        hands_out: bool = False,
        once: bool = False,
        condition: dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey] | None = None,
    ) -> Callable[[AssetBody], dg.AssetsDefinition]:
        """Turn a body `AssetRun -> MaterializeResult` into an asset; its docstring is shown.

        Its `job` is ``refresh``, or ``simulate`` (takes minutes) or ``release`` for what is made
        when asked for. One that `hands_out` its work takes no core of a cluster itself; what is
        done `once` is not tried again by itself where its host is lost. A `condition` makes the
        asset anew by itself, once the UI's automation sensor is turned on.
        """

        def declare(body: AssetBody) -> dg.AssetsDefinition:
            def materialize(context: dg.AssetExecutionContext, _: Mapping[str, Any]) -> Made:
                storage, compute = context.resources.storage, context.resources.compute
                end_with_run(context.instance, context.run)
                with told_errors(context):
                    study = launched_study(self.study, storage, name)
                    study = at_version(study, storage.seed_version, self.folder)
                    run = AssetRun(study, self.folder, name, storage, context, compute)
                    with heartbeat(context):
                        made = body(run)
                yield made

            spec = dg.AssetSpec(
                self.key(name),
                deps=[self.key(dep) for dep in deps],
                group_name=group_of(self.study, name),
                owners=list(self.study.owners),
                kinds=set(kinds),
                tags={"privacy": privacy, "job": job},
                code_version=self._code_version,
                description=body.__doc__,
                freshness_policy=self._freshness if job == "refresh" else None,
                automation_condition=condition,
            )
            step = step_settings(pool, hands_out=hands_out, once=once)
            return declared_asset(spec, materialize, checks, needs=NEEDS, step=step)

        return declare
