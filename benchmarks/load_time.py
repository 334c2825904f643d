"""CPU seconds of loading fifty studies, beside what Dagster takes for as many bare assets.

Modules are compiled once before, as they are on a user's machine, whatever the environment says.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TURNS = 5
STUDY = """\
type: dagster_project.component.StudyComponent
attributes: {{name: s{i}, title: t, source: {{kind: csv, path: seed.csv}}, treatment: A, outcome: Y,
  design: {{kind: observational}}, generators: [{generators}], random_seed: 1,
  schedule: {{cron: '0 3 * * 1'}}, on_new_seed: true}}
"""
LIBRARIES = "import dagster as dg, duckdb, pandas, pyarrow"
BARE = """
def bare(i):
    @dg.asset(key=["study", f"a{{i}}"])
    def materialize(context): ...
    return materialize
dg.Definitions(assets=[bare(i) for i in range({n})]).get_repository_def()
n = {n}
"""
IMPORTS = "import dagster_project.definitions"
STUDIES = """
from dagster_project.definitions import defs
n = len(defs().get_repository_def().asset_graph.get_all_asset_keys())
"""


def environment(folder: Path) -> dict[str, str]:
    """Name the studies, and a place beside them that keeps compiled modules between processes."""
    told = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    compiled = str(folder.parent / "compiled")
    return told | {"HYBRID_STUDIES": str(folder), "PYTHONPYCACHEPREFIX": compiled}


def measured(script: str, folder: Path) -> tuple[float, int]:
    """Give CPU seconds of a fresh process, and how many assets it declared."""
    told = "\nimport time; print(time.process_time(), locals().get('n', 0))"
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script + told],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, n_assets = shown.stdout.split()
    return float(seconds), int(n_assets)


def fifty(folder: Path, generators: str) -> Path:
    for i in range(50):
        (folder / f"s{i}").mkdir(parents=True)
        (folder / f"s{i}" / "defs.yaml").write_text(STUDY.format(i=i, generators=generators))
    return folder


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        empty = Path(name) / "none"
        empty.mkdir()
        one, four = (
            fifty(Path(name) / str(n), ", ".join(("cart", "bootstrap", "gan", "llm")[:n]))
            for n in (1, 4)
        )
        n_one, n_four = (measured(STUDIES, folder)[1] for folder in (one, four))
        cases = {
            "libraries: dagster, pandas, pyarrow, duckdb": (LIBRARIES, empty),
            f"libraries and {n_one:,} bare assets": (LIBRARIES + BARE.format(n=n_one), empty),
            f"libraries and {n_four:,} bare assets": (LIBRARIES + BARE.format(n=n_four), empty),
            "imports of the project": (IMPORTS, empty),
            "the packaged studies": (STUDIES, empty),
            "and fifty with one generator": (STUDIES, one),
            "and fifty with four generators": (STUDIES, four),
        }
        taken: dict[str, list[float]] = {case: [] for case in cases}
        for _ in range(TURNS):
            for case, (script, folder) in cases.items():
                taken[case].append(measured(script, folder)[0])
    print(f"load {os.getloadavg()[0]:.1f}; {n_one:,} and {n_four:,} assets; {TURNS} turns")
    for case, seconds in taken.items():
        print(f"{case:45s} least {min(seconds):.2f}  median {statistics.median(seconds):.2f}")


if __name__ == "__main__":
    main()
