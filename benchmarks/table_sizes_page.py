"""What table_sizes measured, as a table and as curves: FILE.jsonl ... PICTURE.png."""

import json
import sys
from pathlib import Path

import pandas as pd

from benchmarks.table_sizes import FIXED_ROWS, SAMPLED

LIMIT_MIB = 4096


def read_costs(files: list[str]) -> pd.DataFrame:
    """Read the lines of several runs; of a step that was measured twice, the cheaper."""
    lines = [line for file in files for line in Path(file).read_text().splitlines()]
    found = pd.DataFrame([json.loads(line) for line in lines if line.startswith("{")])
    found = found[found["step"] != "cart/approve"]
    found["step"] = found["step"].str.removeprefix("cart/").str.replace("_", " ")
    rows = found["n_synthetic"] - FIXED_ROWS
    found["microseconds"] = 1e6 * (found["cpu_seconds"] - found["fixed_seconds"]) / rows
    keys = ["n_seed", "n_synthetic", "step"]
    return found.sort_values("cpu_seconds").drop_duplicates(keys).sort_index()


def markdown(costs: pd.DataFrame) -> str:
    """Lay the steps out: start and fixed cost, microseconds a row and peak MiB at each size."""
    sizes = sorted(costs["n_synthetic"].unique())
    heads = [*(f"{n:,}" for n in sizes), "largest / least"]
    lines = ["| step | first, s | fixed, s | " + " | ".join(heads) + " | peak MiB |"]
    lines.append("|---" * (len(heads) + 4) + "|")
    for step, rows in costs.groupby("step", sort=False):
        at = rows.set_index("n_synthetic").reindex(sizes)
        cells = [f"{value:.2f}" if value == value else "" for value in at["microseconds"]]
        cells.append(f"{at['microseconds'].max() / at['microseconds'].min():.2f}")
        once = [f"{rows[name].min():.1f}" for name in ("first_seconds", "fixed_seconds")]
        peaks = ", ".join(f"{value:.0f}" for value in at["peak_mib"].dropna())
        lines.append(f"| {step} | {' | '.join([*once, *cells])} | {peaks} |")
    return "\n".join(lines)


def draw(costs: pd.DataFrame, picture: str) -> None:
    """Draw cost a row and peak memory by rows; dashed where a sample stands for most work."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for number, (step, rows) in enumerate(costs.groupby("step", sort=False)):
        at = rows.sort_values("n_synthetic")
        how = {"marker": "o", "color": f"C{number % 10}", "label": step}
        how["linestyle"] = "--" if step.replace(" ", "_").endswith(SAMPLED) else "-"
        left.plot(at["n_synthetic"], at["microseconds"], **how)
        right.plot(at["n_synthetic"], at["peak_mib"], **how)
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
