"""How near generators come to a known design: the tiny language model beside its peers, in one run.

Paper 1's seed table (1 000 rows) is fitted with three training seeds. For each: CPU seconds of the
fit, KL to the design in nats per row at two decimals on fresh rows; and of 10 000 rows drawn at
temperatures .7, .85 and 1: the mean KS distance of the columns, ratios of standard deviations, TSTR
AUC on the fresh rows, the difference in means beside the seed's, rows that are exact copies of
seed rows, and the share of rows nearer to the seed than to as many fresh rows (.5 without
memory). Beside them one fit each of the sequential trees (`cart`), CTGAN (`gan`, 3 000 steps),
be-great's GReaT on a small GPT-2 (see language_peers) as it samples unless told otherwise, and
REaLTabFormer where the environment variable REALTABFORMER names a python that has it (see
realtabformer_rows). No seed here was used to choose anything about the model.
"""

import functools
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from hybrid_assets.designs import DESIGNS, paper1_trial_log_prob
from hybrid_assets.fidelity.divergence import divergence_from_design
from hybrid_assets.generators import GENERATORS, CovariateGenerator, draw_valid
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.schema import ColumnKind, TableSchema

DESIGN = DESIGNS["paper1_trial"]
COVARIATES = ["W1", "W2", "W3", "W4", "W5", "W6"]
CONTINUOUS = ["W4", "W5", "W6"]
N_FRESH, N_TRUTH, N_DRAWN = 5_000, 50_000, 10_000
FRESH_SEED, TRUTH_SEED, ROWS_SEED = 90_210, 61_803, 271_828
TRAINING_SEEDS = (101, 102, 103)
HEADINGS = (
    "rows of",
    "fit, CPU s",
    "KL (MC error)",
    "mean KS",
    "sd of W4 to W6 over truth's",
    "TSTR AUC",
    "difference in means",
    "copies of seed rows (of fresh rows)",
    "share nearer the seed (SE)",
    "valid",
    "draw, CPU s",
)
cell_log_prob = functools.partial(paper1_trial_log_prob, decimals=2)
PEERS = {"cart": {}, "gan": {"steps": 3_000}}


@dataclass(frozen=True)
class Tables:
    seed: pd.DataFrame
    fresh: pd.DataFrame
    truth: pd.DataFrame
    schema: TableSchema


def seed_schema(table: pd.DataFrame) -> TableSchema:
    """Give the design's schema at two decimals, with the table's ranges."""
    columns = []
    for column in DESIGN.schema().columns:
        if column.kind is ColumnKind.CONTINUOUS:
            values = table[column.name].round(2)
            limits = {"minimum": values.min(), "maximum": values.max(), "decimals": 2}
            column = column.model_copy(update=limits)
        columns.append(column)
    return TableSchema(study="paper1", columns=tuple(columns))


def seed_table() -> tuple[pd.DataFrame, TableSchema]:
    """Give paper 1's seed, covariates first, and its schema."""
    table = DESIGN(1000, 2)[[*COVARIATES, "A", "Y"]]
    schema = seed_schema(table)
    return schema.rounded(schema.canonical(table)), schema


def scores(drawn: pd.DataFrame, tables: Tables) -> list[str]:
    """Compare drawn rows with the truth, and with the seed's people; the AUC is on fresh rows."""
    truth, fresh = tables.truth, tables.fresh
    forest = RandomForestClassifier(random_state=42, min_samples_leaf=20)
    forest.fit(drawn[[*COVARIATES, "A"]], drawn["Y"])
    told = forest.predict_proba(fresh[[*COVARIATES, "A"]])[:, 1]
    ratios = [drawn[name].std() / truth[name].std() for name in CONTINUOUS]
    near = evaluate_dcr(drawn, tables.seed, fresh.head(len(tables.seed)), tables.schema)
    return [
        f"{np.mean([ks_2samp(drawn[n], truth[n]).statistic for n in truth]):.4f}",
        f"{min(ratios):.3f} to {max(ratios):.3f}",
        f"{roc_auc_score(fresh['Y'], told):.3f}",
        f"{difference(drawn):.3f}",
        f"{near.n_copies_in_train} ({near.n_copies_in_holdout})",
        f"{near.share.value:.3f} ({near.share.standard_error:.3f})",
    ]


def difference(table: pd.DataFrame) -> float:
    """Treated minus control mean of Y."""
    return float(table.loc[table["A"] == 1, "Y"].mean() - table.loc[table["A"] == 0, "Y"].mean())


def show(name: str, rows: pd.DataFrame, tables: Tables, *cells: str) -> None:
    """Print one row of the table: fit, KL, valid share and draw, then the scores."""
    fit, kl, valid, draw = cells
    print(f"| {' | '.join([name, fit, kl, *scores(rows, tables), valid, draw])} |", flush=True)


def show_draws(
    name: str, generator: CovariateGenerator, tables: Tables, fit: str = "", kl: str = ""
) -> None:
    """Draw and print how the rows compare."""
    start = time.process_time()
    drawn, report = draw_valid(generator, tables.schema, N_DRAWN, np.random.default_rng(ROWS_SEED))
    spent = time.process_time() - start
    show(name, drawn, tables, fit, kl, f"{report.valid_share:.3f}", f"{spent:.1f}")


def show_language_model(training_seed: int, tables: Tables) -> None:
    """Fit with one seed; print the distance to the design, and draws at three temperatures."""
    start = time.process_time()
    rng = np.random.default_rng(training_seed)
    generator = LlmGenerator(LlmSettings()).fit(tables.seed, tables.schema, rng)
    spent = time.process_time() - start
    orders = np.random.default_rng(ROWS_SEED)
    far = divergence_from_design(generator, tables.fresh, cell_log_prob, orders)
    kl = f"{far.value:.3f} ({far.standard_error:.3f})"
    for temperature in (1.0, 0.85, 0.7):
        generator.settings = generator.settings.model_copy(update={"temperature": temperature})
        fit, distance = (f"{spent:.1f}", kl) if temperature == 1 else ("", "")
        name = f"`tiny` {training_seed}, temperature {temperature}"
        show_draws(name, generator, tables, fit, distance)


def show_great(tables: Tables) -> None:
    """Let be-great sample what it tuned, with its own defaults (temperature .7, top-k 50)."""
    from benchmarks.language_peers import great_rows, tuned_by_great

    generator, fit = tuned_by_great()
    rows = great_rows(generator, tables.seed, N_DRAWN)
    draw, share = f"{rows.cpu_seconds:.1f}", f"{len(rows.valid) / rows.n_texts:.3f}"
    show("be-great as shipped", rows.valid, tables, f"{fit:.1f}", "", share, draw)


def show_realtabformer(tables: Tables) -> None:
    """Let REaLTabFormer learn and draw in its own environment."""
    if "REALTABFORMER" not in os.environ:
        print("REaLTabFormer: left out; see realtabformer_rows.py for what to install")
        return
    script = Path(__file__).with_name("realtabformer_rows.py")
    with tempfile.TemporaryDirectory() as folder:
        seed, rows = Path(folder) / "seed.csv", Path(folder) / "rows.csv"
        tables.seed.to_csv(seed, index=False)
        command = [os.environ["REALTABFORMER"], str(script), str(seed), str(rows), str(N_DRAWN)]
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ran = subprocess.run(command, capture_output=True, text=True, env=clean)
        if ran.returncode:
            print(f"REaLTabFormer failed: {ran.stderr[-2_000:]}")
            return
        drawn = pd.read_csv(rows)[tables.schema.names]
    told = json.loads(ran.stdout.splitlines()[-1])
    valid = drawn[~tables.schema.invalid_counts(drawn)[0]]
    share = f"{len(valid) / len(drawn):.3f}"
    show("REaLTabFormer", valid, tables, f"{told['fit']:.1f}", "", share, f"{told['draw']:.1f}")


def main() -> None:
    seed, schema = seed_table()
    fresh, truth = (
        schema.rounded(schema.canonical(DESIGN(n_rows, random_seed)))[schema.names]
        for n_rows, random_seed in ((N_FRESH, FRESH_SEED), (N_TRUTH, TRUTH_SEED))
    )
    tables = Tables(seed, fresh, truth, schema)
    print(f"load {os.getloadavg()[0]:.1f}\n\n| {' | '.join(HEADINGS)} |")
    print("|" + "---|" * len(HEADINGS))
    show("the seed itself", seed, tables, "", "", "", "")
    for training_seed in TRAINING_SEEDS:
        show_language_model(training_seed, tables)
    for kind, settings in PEERS.items():
        start = time.process_time()
        peer = GENERATORS[kind](GENERATORS[kind].settings_class(kind=kind, **settings))
        peer.fit(tables.seed, schema, np.random.default_rng(TRAINING_SEEDS[0]))
        show_draws(f"`{kind}`", peer, tables, f"{time.process_time() - start:.1f}")
    show_great(tables)
    show_realtabformer(tables)
    versions = ("torch", "transformers", "ctgan", "be-great", "numpy")
    print(f"\nload {os.getloadavg()[0]:.1f}; { ({name: version(name) for name in versions}) }")


if __name__ == "__main__":
    main()
