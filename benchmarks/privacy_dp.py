"""What differential privacy costs on paper 1's seed: laws of columns, the effect, the verdict.

    pip install -e '.[dp]'
    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/privacy_dp.py [FITS] [VERDICTS] [TABLE ...]

Paper 1's seed (1 000 people) and its test table as people never seen. Each fit of `dp` has
noise of its own; 50 000 hybrid rows are made as a study makes them: models and effect
from rows of the private law. Beside it `cart` (no promise), strangers, and TABLEs of one's own
(csv with the seed's columns, such as paper 1's published ones). Total variation: mean over all sets
of one or three columns, numbers in eighths of the seed's. ± are Monte-Carlo errors.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import estimate_from_cross_fits
from hybrid_assets.generators import CovariateGenerator, DpSettings
from hybrid_assets.generators.cart import CartGenerator, CartSettings
from hybrid_assets.generators.dp import DpGenerator
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import hybrid_triplets
from hybrid_assets.nuisance import (
    NuisanceSettings,
    cross_fit_draws,
    fit_outcome_model,
    fit_propensity_model,
)
from hybrid_assets.privacy.dcr import evaluate_dcr
from hybrid_assets.privacy.evaluate import WAY, W, evaluate_privacy
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.schema import ColumnKind, TableSchema

N_ROWS, N_FITTED, TRUTH, TRIAL = 50_000, 20_000, 0.41847, 0.5
RANGES = {"W4": (-4.0, 4.0), "W5": (-4.0, 4.0), "W6": (-5.0, 5.0)}
EPSILONS, BINS = (1.0, 3.0, 10.0), (6, 10, 16)


HEADINGS = (
    *("rows", "law, 1-way", "3-way", "hybrid, 1-way", "3-way", "effect", "SD of fits"),
    *("RMSE to seed", "to truth", "verdicts", "failed", "CPU s of a fit"),
)


def declared() -> TableSchema:
    """State ranges and two decimals, as a study with `dp` does."""
    plain = DESIGNS["paper1_trial"].schema()
    stated = {
        name: {"decimals": 2, "minimum": low, "maximum": high}
        for name, (low, high) in RANGES.items()
    }
    columns = tuple(c.model_copy(update=stated.get(c.name, {})) for c in plain.columns)
    return plain.model_copy(update={"columns": columns})


SCHEMA = declared()


def people(random_seed: int) -> pd.DataFrame:
    """Draw paper 1's tables, values beyond the ranges set to their ends."""
    drawn = DESIGNS["paper1_trial"](1000, random_seed)
    for name, ends in RANGES.items():
        drawn[name] = drawn[name].clip(*ends)
    return SCHEMA.canonical(SCHEMA.rounded(drawn))


SEED, STRANGERS = people(2), people(3)


def total_variation(table: pd.DataFrame, ways: int) -> float:
    """Average over all sets of so many columns the distance to the seed's law."""
    coded = [_coded(rows) for rows in (SEED, table)]
    distances = []
    for columns in combinations(range(len(SCHEMA.columns)), ways):
        cells = [rows[:, columns] @ 8 ** np.arange(ways) for rows in coded]
        laws = [np.bincount(c, minlength=8**ways) / len(c) for c in cells]
        distances.append(np.abs(laws[0] - laws[1]).sum() / 2)
    return float(np.mean(distances))


def _coded(table: pd.DataFrame) -> np.ndarray:
    coded = []
    for column in SCHEMA.columns:
        values = table[column.name].to_numpy(dtype=float)
        if column.kind is ColumnKind.CONTINUOUS:
            edges = np.quantile(SEED[column.name], np.arange(1, 8) / 8)
            values = np.searchsorted(edges, values, side="right")
        coded.append(values.astype(np.int64))
    return np.stack(coded, axis=1)


@dataclass
class Found:
    """Figures of several fits of one kind."""

    law_one_way: list[float] = field(default_factory=list)
    law_three_way: list[float] = field(default_factory=list)
    one_way: list[float] = field(default_factory=list)
    three_way: list[float] = field(default_factory=list)
    effect: list[float] = field(default_factory=list)
    fit_seconds: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


def models_of(rows: pd.DataFrame, rng: np.random.Generator) -> GeneratingModels:
    """Fit what makes A and Y to rows, whoever they are of."""
    settings = NuisanceSettings()
    fits = cross_fit_draws(rows, SCHEMA, settings, rng, TRIAL)
    target = estimate_from_cross_fits(fits, ["tmle"])["tmle"]
    return GeneratingModels(
        propensity=fit_propensity_model(rows, SCHEMA, settings, fits),
        outcome=fit_outcome_model(rows, SCHEMA, settings, fits),
        mean_treated=target.mean_treated,
        mean_control=target.mean_control,
    )


def add_fit(found: Found, generator: CovariateGenerator, number: int, *, attack: bool) -> None:
    """Fit once more and write down what came of it; of other than the default bins the law only."""
    rng = np.random.default_rng(number)
    is_private, started = isinstance(generator, DpGenerator), time.process_time()
    law = generator.fit(SEED, SCHEMA if is_private else SCHEMA.covariates, rng)
    found.fit_seconds.append(time.process_time() - started)
    if isinstance(generator, DpGenerator):
        rows = generator.sample(N_ROWS, rng)
        found.law_one_way.append(total_variation(rows, 1))
        found.law_three_way.append(total_variation(rows, 3))
        if generator.settings.n_bins != DpSettings().n_bins:
            return
    models = models_of(law.sample(N_FITTED, rng) if is_private else SEED, rng)
    drawn = SCHEMA.rounded(law.sample(N_ROWS, rng))[SCHEMA.covariate_names]
    made = hybrid_triplets(drawn, models, settings=HybridSettings(assignment="randomised"), rng=rng)
    found.effect.append(made.true_ate)
    found.one_way.append(total_variation(made.table, 1))
    found.three_way.append(total_variation(made.table, 3))
    if attack:
        judge(found, made.table, rng)


def judge(found: Found, table: pd.DataFrame, rng: np.random.Generator) -> None:
    """Run the whole privacy evaluation."""
    shares = {
        W: evaluate_dcr(table, SEED, STRANGERS, SCHEMA.covariates).share,
        WAY: evaluate_dcr(table, SEED, STRANGERS, SCHEMA).share,
    }
    attacked = Attacked.of(table, SEED, STRANGERS, SCHEMA)
    result = evaluate_privacy(attacked, shares=shares, policy=PrivacyPolicy(), rng=rng)
    found.verdicts[result.verdict.value] += 1
    found.failed.update({f.measure.attack.value for f in result.findings if f.verdict == "FAIL"})


def kinds() -> Iterator[tuple[str, CovariateGenerator, bool]]:
    """Name what is fitted, and say whether it is attacked."""
    for epsilon in EPSILONS:
        for n_bins in BINS:
            settings = DpSettings(epsilon=epsilon, n_bins=n_bins)
            is_default = n_bins == DpSettings().n_bins
            yield f"dp, ε = {epsilon:g}, {n_bins} bins", DpGenerator(settings), is_default
    yield "cart (no promise)", CartGenerator(CartSettings()), True


def told(figures: list[float], digits: int = 3) -> str:
    """Write a mean and its Monte-Carlo error."""
    if not figures:
        return "–"
    error = np.std(figures, ddof=1) / np.sqrt(len(figures)) if len(figures) > 1 else np.nan
    return f"{np.mean(figures):.{digits}f} ± {error:.{digits}f}"


def spread(effects: list[float], seed: float) -> list[str]:
    """Write the standard deviation over fits, and the errors against the seed and the truth."""
    if not effects:
        return ["–"] * 3
    found = np.array(effects)
    rmse = [np.sqrt(np.mean((found - known) ** 2)) for known in (seed, TRUTH)]
    return [f"{each:.3f}" for each in (found.std(ddof=1), *rmse)]


def main() -> None:
    """Print one row for each generator, then one for each table that is only looked at."""
    n_fits = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    n_verdicts = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seed = estimate_from_cross_fits(
        cross_fit_draws(SEED, SCHEMA, NuisanceSettings(), np.random.default_rng(0), TRIAL), ["tmle"]
    )["tmle"]
    print(f"seed's TMLE {seed.estimate:.4f} (SE {seed.standard_error:.4f}); truth {TRUTH}")
    print(f"| {' | '.join(HEADINGS)} |\n|" + "---|" * len(HEADINGS))
    for name, generator, is_attacked in kinds():
        found = Found()
        for number in range(n_fits):
            add_fit(found, generator, number, attack=is_attacked and number < n_verdicts)
        laws = (found.law_one_way, found.law_three_way, found.one_way, found.three_way)
        cells = [name, *(told(each) for each in (*laws, found.effect))]
        cells += spread(found.effect, seed.estimate)
        cells += [", ".join(f"{n} {v}" for v, n in found.verdicts.items()) or "–"]
        cells += [", ".join(f"{a} {n}" for a, n in found.failed.items()) or "–"]
        print(f"| {' | '.join(cells)} | {told(found.fit_seconds, 2)} |", flush=True)
    others = {"strangers": STRANGERS, **{Path(f).stem: pd.read_csv(f) for f in sys.argv[3:]}}
    for name, table in others.items():
        ways = [f"{total_variation(table, k):.3f}" for k in (1, 3)]
        print(f"| {name} | {' | '.join(ways)} |" + " – |" * 9, flush=True)


if __name__ == "__main__":
    main()
