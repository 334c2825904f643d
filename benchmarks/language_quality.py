"""How near the tiny language model comes to a known design.

``python benchmarks/language_quality.py [SEEDS]`` fits paper 1's seed table (1 000 rows) and prints,
for each training seed: CPU seconds of the fit, KL to the design, in nats per row at two decimals
on fresh rows; and for temperatures .7, .85 and 1: the mean KS distance of the columns, ratios of
standard deviations, TSTR AUC and the difference in means beside the seed's.
"""

import sys
import time

import numpy as np
import pandas as pd
import torch
from scipy.stats import ks_2samp, norm
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from hybrid_assets.designs import DESIGNS, paper1_outcome_mean
from hybrid_assets.generators.base import draw_valid
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.language.batches import NOT_LEARNED, encoded_values
from hybrid_assets.randomness import one_torch_thread
from hybrid_assets.schema import ColumnKind, TableSchema

DESIGN = DESIGNS["paper1_trial"]
COVARIATES = ["W1", "W2", "W3", "W4", "W5", "W6"]
CONTINUOUS = ["W4", "W5", "W6"]
N_FRESH, N_ORDERS, N_DRAWN = 2000, 4, 10_000


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
    """Compare drawn rows with the 50 000-row truth; the AUC is on fresh rows."""
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


def main(n_seeds: int) -> None:
    seed = DESIGN(1000, 2)
    schema = seed_schema(seed)
    seed = schema.rounded(schema.canonical(seed))
    fresh, truth = (
        schema.rounded(schema.canonical(DESIGN(n, s))) for n, s in ((N_FRESH, 777), (50_000, 42))
    )
    print(f"seed: difference in means {difference(seed):.4f}, rows fresh {N_FRESH}")
    for training_seed in range(1, n_seeds + 1):
        clock = time.process_time()
        settings = LlmSettings(sampling="masked")
        generator = LlmGenerator(settings).fit(seed, schema, np.random.default_rng(training_seed))
        spent = time.process_time() - clock
        gap = design_log_prob(fresh) - model_log_prob(generator, fresh, schema)
        curve = generator.learning_curve_
        print(
            f"training seed {training_seed}: {spent:.1f} CPU s, {curve['step'].iloc[-1]} steps, "
            f"KL {gap.mean():.3f} (MC error {gap.std() / np.sqrt(len(gap)):.3f})",
            flush=True,
        )
        for temperature in (0.7, 0.85, 1.0):
            generator.settings = settings.model_copy(update={"temperature": temperature})
            drawn, report = draw_valid(generator, schema, N_DRAWN, np.random.default_rng(5))
            found = scores(drawn, truth, fresh)
            shown = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
            print(
                f"  temperature {temperature}: valid {report.valid_share:.3f}, {shown}", flush=True
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
