"""What table_sizes measured, as a table and as curves: FILE.jsonl ... PICTURE.png."""

import json
import sys
from pathlib import Path

import pandas as pd

FIXED = 1_000  # rows of the run whose cost is start-up, libraries, models and people
LIMIT_MIB = 4096


def read_costs(files: list[str]) -> pd.DataFrame:
    """Read the lines of several runs; of a step that was measured twice, the cheaper."""
    lines = [line for file in files for line in Path(file).read_text().splitlines()]
    found = pd.DataFrame([json.loads(line) for line in lines if line.startswith("{")])
    keys = ["generator", "n_seed", "n_synthetic", "step"]
    return found.sort_values("cpu_seconds").drop_duplicates(keys).sort_index()


def per_row(costs: pd.DataFrame) -> pd.DataFrame:
    """Give microseconds of CPU for each synthetic row beyond those of `FIXED` rows."""
    keys = ["generator", "n_seed", "step"]
    fixed = costs[costs["n_synthetic"] == FIXED].set_index(keys)["cpu_seconds"].rename("fixed")
    grown = costs[costs["n_synthetic"] > FIXED].join(fixed, on=keys, how="inner")
    seconds = grown["cpu_seconds"] - grown["fixed"]
    return grown.assign(microseconds=1e6 * seconds / (grown["n_synthetic"] - FIXED))


def markdown(costs: pd.DataFrame) -> str:
    """Lay the steps out: microseconds a row and peak MiB at each size."""
    grown = per_row(costs)
    sizes = sorted(grown["n_synthetic"].unique())
    heads = [f"{n:,}" for n in sizes]
    lines = ["| generator, step | " + " | ".join(heads) + " | peak MiB |"]
    lines.append("|---" * (len(sizes) + 2) + "|")
    for (generator, step), rows in grown.groupby(["generator", "step"], sort=False):
        at = rows.set_index("n_synthetic")
        cells = [f"{at['microseconds'][n]:.2f}" if n in at.index else "" for n in sizes]
        peaks = ", ".join(f"{at['peak_mib'][n]:.0f}" for n in sizes if n in at.index)
        lines.append(f"| {generator}, {step.split('/')[-1]} | {' | '.join(cells)} | {peaks} |")
    return "\n".join(lines)


def draw(costs: pd.DataFrame, picture: str) -> None:
    """Draw cost a row and peak memory by rows, one line for each step that reads all rows."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    grown = per_row(costs)
    grown = grown[grown["generator"] == grown["generator"].iloc[0]]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for step, rows in grown.groupby("step", sort=False):
        at = rows.sort_values("n_synthetic")
        name = str(step).split("/")[-1].replace("_", " ")
        left.plot(at["n_synthetic"], at["microseconds"], marker="o", label=name)
        right.plot(at["n_synthetic"], at["peak_mib"], marker="o", label=name)
    right.axhline(LIMIT_MIB, color="grey", linestyle=":", label="4 GiB")
    left.set(xscale="log", yscale="log", xlabel="synthetic rows", ylabel="CPU µs a row")
    right.set(xscale="log", xlabel="synthetic rows", ylabel="peak resident MiB", ylim=(0, None))
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(picture, dpi=120)


def main() -> None:
    """Print the table and draw the curves."""
    *files, picture = sys.argv[1:]
    costs = read_costs(files)
    print(markdown(costs))
    draw(costs, picture)


if __name__ == "__main__":
    main()
