"""The estimator benchmark: replicates × sample sizes × scenarios × estimators."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future, as_completed
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import pandas as pd

from hybrid_assets.benchmark.blocks import REPLICATE_COLUMNS, pool_estimates, run_block
from hybrid_assets.benchmark.performance import performance
from hybrid_assets.benchmark.plan import BenchmarkPlan, Block
from hybrid_assets.benchmark.recommendation import Recommendation, recommend
from hybrid_assets.errors import EvaluationError


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkProgress:
    """One finished block; keep `replicates` to be able to resume.

    Attributes
    ----------
    n_done, n_blocks : int
        Blocks finished so far, those of an earlier run included, and in all.
    block : Block
    replicates : DataFrame
        The block's estimates, for `finished` of a later run.
    """

    n_done: int
    n_blocks: int
    block: Block
    replicates: pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkResult:
    """How each estimator does, by scenario and sample size.

    Attributes
    ----------
    performance : DataFrame
        One row for each scenario, sample size and estimator: the columns of
        `PERFORMANCE_COMMENTS`.
    replicates : DataFrame
        Every estimate; `finished` of a run with more replicates.
    recommendations : tuple of Recommendation
        For the first scenario, by sample size; the last is for the largest tables.
    """

    performance: pd.DataFrame
    replicates: pd.DataFrame
    recommendations: tuple[Recommendation, ...]


def run_benchmark(
    plan: BenchmarkPlan,
    *,
    finished: pd.DataFrame | None = None,
    progress: Callable[[BenchmarkProgress], None] | None = None,
    workers: Executor | None = None,
) -> BenchmarkResult:
    """Simulate the estimators on populations whose effect is known.

    Each block of replicates has its own random stream, so that a run that was
    interrupted and resumed, or run by several workers, gives the same bytes.

    Parameters
    ----------
    plan : BenchmarkPlan
    finished : DataFrame, optional
        Replicates of an earlier run; blocks of another plan are left aside.
    progress : callable, optional
        Called after each block. An exception it raises ends the run.
    workers : Executor, optional
        Runs the blocks: processes of this machine, or tasks of a cluster; this process if None.

    Raises
    ------
    EvaluationError
        If `finished` is not a table of replicates.
    """
    blocks = plan.blocks
    found = _kept(finished, blocks)
    waiting = [block for block in blocks if block.key not in found]
    # closed here: an interrupt that a traceback holds would leave workers waiting for ever
    with closing(_run(plan, waiting, workers)) as running:
        for block, replicates in running:
            found[block.key] = replicates
            if progress is not None:
                progress(BenchmarkProgress(len(found), len(blocks), block, replicates))
    return _result(plan, pd.concat([found[b.key] for b in blocks], ignore_index=True))


def _kept(finished: pd.DataFrame | None, blocks: list[Block]) -> dict[str, pd.DataFrame]:
    if finished is None or finished.empty:
        return {}
    absent = [name for name in REPLICATE_COLUMNS if name not in finished.columns]
    if absent:
        raise EvaluationError(f"finished replicates lack the columns {absent}")
    wanted = {block.key: block for block in blocks}
    found = {}
    for key, rows in finished[REPLICATE_COLUMNS].groupby("block", sort=False):
        block = wanted.get(str(key))
        is_whole = block is not None and rows["replicate"].nunique() == block.n_replicates
        if is_whole and not rows.duplicated(["replicate", "estimator"]).any():
            found[str(key)] = rows.reset_index(drop=True)
    return found


def _run(
    plan: BenchmarkPlan, blocks: list[Block], workers: Executor | None
) -> Generator[tuple[Block, pd.DataFrame], None, None]:
    if workers is None or len(blocks) < 2:
        for block in blocks:
            yield block, run_block(plan, block)
        return
    work = partial(run_block, plan)
    futures: dict[Future[pd.DataFrame], Block] = {
        workers.submit(work, block): block for block in blocks
    }
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _result(plan: BenchmarkPlan, replicates: pd.DataFrame) -> BenchmarkResult:
    truth = {label: law.true_ate for label, law in plan.scenarios.items()}
    table = performance(replicates, truth, pool_estimates(plan))
    first = next(iter(plan.scenarios))
    sizes = sorted({n_rows for label, n_rows, _ in plan.cells if label == first})
    recommendations = tuple(recommend(table, replicates, first, n_rows) for n_rows in sizes)
    return BenchmarkResult(table, replicates, recommendations)
