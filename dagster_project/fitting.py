"""What a long fit is lent: the device, a checkpoint that outlives the process, and listeners."""

import math
import time
from collections.abc import Mapping

import pandas as pd

from dagster_project.asset_run import AssetRun
from dagster_project.workers import fits_hand_out, workers
from hybrid_assets.generators import CovariateGenerator
from hybrid_assets.generators.cart import CartGenerator
from hybrid_assets.generators.fit_support import FitProgress, FitSupport
from hybrid_assets.generators.gan import GanGenerator
from hybrid_assets.generators.great import AS_PUBLISHED, GreatGenerator
from hybrid_assets.generators.llm import LlmGenerator
from hybrid_assets.schema import TableSchema

SECONDS_BETWEEN_REPORTS = 10.0


class ProgressEvents:
    """Shows a fit's progress as observations of its asset, at most one in ten seconds."""

    def __init__(self, run: AssetRun) -> None:
        self._run, self._next = run, time.monotonic() + SECONDS_BETWEEN_REPORTS

    def __call__(self, progress: FitProgress) -> None:
        """Report: numbers about the whole table only."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS_BETWEEN_REPORTS
        held_out = progress.held_out_loss
        numbers: dict[str, float] = {
            "share_done": progress.step / progress.n_steps,
            "step": progress.step,
            "most_steps": progress.n_steps,
            "loss": round(progress.loss, 3),
            **({} if math.isnan(held_out) else {"held_out_loss": round(held_out, 3)}),
            "seconds_left_at_most": round(progress.seconds_left),
        }
        self._run.observe(numbers)


def fitted(run: AssetRun, generator: CovariateGenerator, schema: TableSchema) -> CovariateGenerator:
    """Fit to training rows at the digits that may be shown; networks tell how far they are.

    A language model can be interrupted; trees of many people are grown by several.
    """
    train = training_rows(run, schema)
    if isinstance(generator, CartGenerator):
        with workers(fits_hand_out(run.study)) as pool:
            generator.support = FitSupport(workers=pool)
            return generator.fit(train, schema, run.rng)
    if isinstance(generator, LlmGenerator | GanGenerator):
        generator.support = FitSupport(
            run.compute.chosen, run.compute.precision, ProgressEvents(run), run.unfinished_parts()
        )
    return generator.fit(train, schema, run.rng)


def training_rows(run: AssetRun, schema: TableSchema) -> pd.DataFrame:
    """Read the training rows at the digits that may be shown."""
    return schema.rounded(run.part("train", run.schema())[schema.names])


def fit_metadata(run: AssetRun, generator: CovariateGenerator) -> Mapping[str, object]:
    """Tell where a language model was fitted, how fast, and how much memory the step took."""
    if isinstance(generator, GreatGenerator):
        return {"published_generator": AS_PUBLISHED}
    if not isinstance(generator, LlmGenerator):
        return {}
    return {
        "device": generator.model_.device.type,
        "peak_memory_bytes": run.compute.peak_bytes(),
        "tokens_per_second": round(generator.tokens_per_second_),
    }
