"""The estimator benchmark: replicates × sample sizes × dials × estimators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import pandas as pd

from hybrid_assets.benchmark.blocks import REPLICATE_COLUMNS, Block, blocks_of, run_block
from hybrid_assets.benchmark.performance import performance, recommendation
from hybrid_assets.benchmark.population import Population
from hybrid_assets.benchmark.settings import BenchmarkSettings, LibraryWord
from hybrid_assets.errors import EvaluationError


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkProgress:
    """One finished block; keep `replicates` to be able to resume.

    Attributes
    ----------
    n_done, n_blocks : int
        Blocks finished so far, those of an earlier run included, and in all.
    dial : str
    n_rows : int
    replicates : DataFrame
        The block's estimates, for `finished` of a later run.
    """

    n_done: int
    n_blocks: int
    dial: str
    n_rows: int
    replicates: pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkResult:
    """How each estimator does, by dial and sample size.

    Attributes
    ----------
    performance : DataFrame
        One row for each dial, sample size and estimator: the columns of
        `PERFORMANCE_COMMENTS`.
    replicates : DataFrame
        Every estimate; `finished` of a run with more replicates.
    recommended : tuple of str
        Estimators with the smallest RMSE among those whose intervals cover,
        for the first dial and the largest tables: the best and its ties.
    recommendation : str
        The same as a sentence.
    """

    performance: pd.DataFrame
    replicates: pd.DataFrame
    recommended: tuple[str, ...]
    recommendation: str


def run_benchmark(
    population: Population,
    settings: BenchmarkSettings,
    rng: np.random.Generator,
    *,
    n_seed: int = 1000,
    progress: Callable[[BenchmarkProgress], None] | None = None,
    finished: pd.DataFrame | None = None,
    n_processes: int = 1,
) -> BenchmarkResult:
    """Simulate the estimators on a population whose effect is known.

    Replicates come in blocks of 50, each with its own random stream, so that
    a run that was interrupted and resumed, or run by several processes, gives
    the same bytes. An exception raised by `progress` ends the run.

    Parameters
    ----------
    population : Population
    settings : BenchmarkSettings
    rng : numpy Generator
        One number is drawn from it.
    n_seed : int
        Rows of the study's seed: the largest sample size, if the settings name none.
    progress : callable, optional
        Called after each block.
    finished : DataFrame, optional
        Replicates of an earlier run with the same random generator; blocks of
        another population, seed or library are left aside.
    n_processes : int

    Raises
    ------
    EstimationError
        If the population cannot be changed as a dial asks.
    EvaluationError
        If `finished` is not a table of replicates.
    """
    entropy = int(rng.integers(2**63))
    populations = {dial.label: population.with_dials(dial) for dial in settings.dials}
    blocks = blocks_of(populations, settings, settings.sizes(n_seed), entropy)
    found = _kept(finished, blocks)
    waiting = [block for block in blocks if block.key not in found]
    for block, replicates in _run(waiting, populations, settings.library, entropy, n_processes):
        found[block.key] = replicates
        if progress is not None:
            n_done = len(found)
            progress(BenchmarkProgress(n_done, len(blocks), block.dial, block.n_rows, replicates))
    return _result(
        pd.concat([found[b.key] for b in blocks], ignore_index=True), populations, settings
    )


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
    blocks: list[Block],
    populations: dict[str, Population],
    library: LibraryWord,
    entropy: int,
    n_processes: int,
) -> Iterator[tuple[Block, pd.DataFrame]]:
    if n_processes == 1 or len(blocks) < 2:
        for block in blocks:
            yield block, run_block(block, populations[block.dial], library, entropy)
        return
    with ProcessPoolExecutor(
        n_processes,
        mp_context=get_context("spawn"),
        initializer=_start_worker,
        initargs=(populations, library, entropy),
    ) as executor:
        futures: dict[Future[pd.DataFrame], Block] = {
            executor.submit(_run_in_worker, block): block for block in blocks
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


_worker_state: tuple[dict[str, Population], LibraryWord, int] | None = None


def _start_worker(populations: dict[str, Population], library: LibraryWord, entropy: int) -> None:
    """Send the populations to a process once, not with every block."""
    global _worker_state
    _worker_state = populations, library, entropy


def _run_in_worker(block: Block) -> pd.DataFrame:
    assert _worker_state is not None
    populations, library, entropy = _worker_state
    return run_block(block, populations[block.dial], library, entropy)


def _result(
    replicates: pd.DataFrame, populations: dict[str, Population], settings: BenchmarkSettings
) -> BenchmarkResult:
    chosen = replicates[replicates["estimator"].isin(settings.estimators)].reset_index(drop=True)
    table = performance(chosen, {dial: law.true_ate for dial, law in populations.items()})
    first, largest = next(iter(populations)), int(chosen["n_rows"].max())
    recommended, sentence = recommendation(table, chosen, first, largest)
    return BenchmarkResult(table, replicates, recommended, sentence)
