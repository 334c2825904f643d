"""How near the tiny language model comes to a known design.

Paper 1's seed table (1 000 rows) is fitted with three training seeds. For each: CPU seconds of the
fit, KL to the design in nats per row at two decimals on fresh rows; and of 10 000 rows drawn at
temperatures .7, .85 and 1: the mean KS distance of the columns, ratios of standard deviations, TSTR
AUC on the fresh rows, and the difference in means beside the seed's. The sequential trees (`cart`)
and CTGAN (`gan`, 3 000 steps) are drawn from once beside them. No seed here was used to choose
anything about the model.
"""

import time
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from scipy.stats import ks_2samp, norm
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from hybrid_assets.designs import DESIGNS, paper1_outcome_mean
from hybrid_assets.generators import GENERATORS, CovariateGenerator, draw_valid
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.language.batches import NOT_LEARNED, encoded_values
from hybrid_assets.randomness import one_torch_thread
from hybrid_assets.schema import ColumnKind, TableSchema

DESIGN = DESIGNS["paper1_trial"]
COVARIATES = ["W1", "W2", "W3", "W4", "W5", "W6"]
CONTINUOUS = ["W4", "W5", "W6"]
N_FRESH, N_TRUTH, N_ORDERS, N_DRAWN = 5_000, 50_000, 4, 10_000
FRESH_SEED, TRUTH_SEED, ROWS_SEED = 90_210, 61_803, 271_828
TRAINING_SEEDS = (101, 102, 103)
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


def design_log_prob(table: pd.DataFrame) -> np.ndarray:
    """Log probability of each row's cells under the design, shape (n,)."""

    def cell(values: pd.Series, mean: pd.Series | float) -> np.ndarray:
        return np.log(norm.cdf(values + 0.005, mean) - norm.cdf(values - 0.005, mean))

    p3 = 0.3 + 0.175 * (table["W1"] + table["W2"])
    found = 3 * np.log(0.5) + np.log(np.where(table["W3"] == 1, p3, 1 - p3))
    found = found + cell(table["W4"], 0.0) + cell(table["W5"], 0.0)
    found = found + cell(table["W6"], 0.5 * table["W4"] + 0.5 * table["W5"])
    p = paper1_outcome_mean(table, table["A"].to_numpy())
    return np.asarray(found + np.log(np.where(table["Y"] == 1, p, 1 - p)))


def model_log_prob(generator: LlmGenerator, table: pd.DataFrame, schema: TableSchema) -> np.ndarray:
    """Log probability of each row's values, columns in random order, mean over `N_ORDERS` orders.

    No token is masked: what the model gives to invalid rows counts against it.
    """
    values = encoded_values(table, schema, generator.tokenizer_)
    names = set(values.tokens[:, :, 0].ravel().tolist()) | {generator.tokenizer_.eos_token_id}
    total = np.zeros(len(table))
    for order in range(N_ORDERS):
        rows = values.in_random_order(
            generator.tokenizer_.eos_token_id, np.random.default_rng(order)
        )
        tokens = torch.from_numpy(rows)
        with torch.inference_mode(), one_torch_thread():
            for part in torch.arange(len(table)).split(256):
                after = tokens[part, 1:]
                logits = generator.model_(input_ids=tokens[part, :-1].clamp(min=0)).logits
                chosen = logits.log_softmax(2).gather(2, after.clamp(min=0)[..., None])[..., 0]
                is_value = ~torch.isin(after, torch.tensor([*names, NOT_LEARNED]))
                total[part.numpy()] += (chosen * is_value).sum(1).numpy()
    return total / N_ORDERS


def scores(drawn: pd.DataFrame, truth: pd.DataFrame, fresh: pd.DataFrame) -> dict[str, float]:
    """Compare drawn rows with the truth; the AUC is on fresh rows."""
    forest = RandomForestClassifier(random_state=42, min_samples_leaf=20)
    forest.fit(drawn[[*COVARIATES, "A"]], drawn["Y"])
    told = forest.predict_proba(fresh[[*COVARIATES, "A"]])[:, 1]
    ratios = [drawn[name].std() / truth[name].std() for name in CONTINUOUS]
    return {
        "KS mean": float(np.mean([ks_2samp(drawn[n], truth[n]).statistic for n in truth])),
        "sd least": min(ratios),
        "sd most": max(ratios),
        "TSTR AUC": float(roc_auc_score(fresh["Y"], told)),
        "difference in means": difference(drawn),
    }


def difference(table: pd.DataFrame) -> float:
    """Treated minus control mean of Y."""
    return float(table.loc[table["A"] == 1, "Y"].mean() - table.loc[table["A"] == 0, "Y"].mean())


def show_draws(word: str, generator: CovariateGenerator, tables: Tables) -> None:
    """Draw and print how the rows compare."""
    rng = np.random.default_rng(ROWS_SEED)
    start = time.process_time()
    drawn, report = draw_valid(generator, tables.schema, N_DRAWN, rng)
    spent = time.process_time() - start
    found = scores(drawn, tables.truth, tables.fresh)
    shown = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    mass = f", least valid mass {min(report.valid_mass.values()):.3f}" if report.valid_mass else ""
    print(f"  {word}: {shown}, valid {report.valid_share:.3f}{mass}, {spent:.1f} CPU s", flush=True)


def show_language_model(training_seed: int, tables: Tables) -> None:
    """Fit with one seed; print the distance to the design, and draws at three temperatures."""
    start = time.process_time()
    rng = np.random.default_rng(training_seed)
    generator = LlmGenerator(LlmSettings()).fit(tables.seed, tables.schema, rng)
    spent = time.process_time() - start
    fresh = tables.fresh
    gap = design_log_prob(fresh) - model_log_prob(generator, fresh, tables.schema)
    print(
        f"training seed {training_seed}: {spent:.1f} CPU s, "
        f"{generator.learning_curve_['step'].iloc[-1]} steps, "
        f"KL {gap.mean():.3f} (MC error {gap.std() / np.sqrt(len(gap)):.3f})",
        flush=True,
    )
    for temperature in (0.7, 0.85, 1.0):
        generator.settings = generator.settings.model_copy(update={"temperature": temperature})
        show_draws(f"temperature {temperature}", generator, tables)


def main() -> None:
    seed = DESIGN(1000, 2)
    schema = seed_schema(seed)
    seed, fresh, truth = (
        schema.rounded(schema.canonical(table))
        for table in (seed, DESIGN(N_FRESH, FRESH_SEED), DESIGN(N_TRUTH, TRUTH_SEED))
    )
    tables = Tables(seed, fresh, truth, schema)
    ceiling = scores(seed, truth, fresh)
    print("seed itself: " + ", ".join(f"{name} {value:.4f}" for name, value in ceiling.items()))
    for training_seed in TRAINING_SEEDS:
        show_language_model(training_seed, tables)
    for kind, settings in PEERS.items():
        start = time.process_time()
        peer = GENERATORS[kind](GENERATORS[kind].settings_class(kind=kind, **settings))
        peer.fit(tables.seed, schema, np.random.default_rng(TRAINING_SEEDS[0]))
        print(f"{kind}: fit in {time.process_time() - start:.1f} CPU s")
        show_draws(kind, peer, tables)
    print({name: version(name) for name in ("torch", "transformers", "ctgan", "numpy")})


if __name__ == "__main__":
    main()
