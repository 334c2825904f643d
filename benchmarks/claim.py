"""Does a hybrid table recover the true effect where its generator alone does not?

Run: make claim, or python -m benchmarks.claim --help. One JSON line is kept for
each finished draw, so that a run continues where it was stopped; delete the
file to start anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import as_completed
from dataclasses import asdict
from pathlib import Path

from benchmarks.claim_draws import STUDIES, ClaimDraw, Task, read_draws, run_draw, unfinished
from benchmarks.claim_page import claim_page
from hybrid_assets.errors import HybridAssetsError
from hybrid_assets.processes import LocalProcesses

FOLDER = Path(__file__).parent


def attempt(task: Task) -> ClaimDraw | str:
    """Run a draw, or give what the science said: its errors do not cross processes."""
    try:
        return run_draw(task)
    except HybridAssetsError as error:
        return str(error)


def run_tasks(tasks: list[Task], file: Path, n_processes: int) -> int:
    """Run draws, append each to `file` as it ends, and give the number that failed."""
    n_failed = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    cut_off = file.is_file() and not file.read_bytes().endswith(b"\n")
    with (
        file.open("a", encoding="utf-8") as lines,
        LocalProcesses(n_processes) as pool,
    ):
        lines.write("\n" if cut_off else "")
        running = {pool.submit(attempt, task): task for task in tasks}
        for n_done, future in enumerate(as_completed(running), 1):
            task, found = running[future], future.result()
            if isinstance(found, ClaimDraw):
                lines.write(json.dumps(asdict(found)) + "\n")
                lines.flush()
            n_failed += isinstance(found, str)
            ended = f"{task.design} {task.generator} {task.draw}"
            ended += f": failed: {found}" if isinstance(found, str) else ""
            print(f"{n_done}/{len(tasks)} {ended}", flush=True)
    return n_failed


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--generators", nargs="+", default=["bootstrap", "cart", "gan"])
    parser.add_argument("--draws-file", type=Path, default=FOLDER / "claim_draws.jsonl")
    parser.add_argument("--page", type=Path, default=FOLDER / "CLAIM.md")
    asked = parser.parse_args()
    tasks = [
        Task(design, generator, draw)
        for generator in asked.generators
        for draw in range(asked.draws)
        for design in STUDIES
    ]
    missing = unfinished(tasks, read_draws(asked.draws_file))
    n_failed = run_tasks(missing, asked.draws_file, asked.processes) if missing else 0
    asked.page.write_text(claim_page(read_draws(asked.draws_file)), encoding="utf-8")
    print(f"{asked.page} written; draws in {asked.draws_file}")
    sys.exit(1 if n_failed else 0)


if __name__ == "__main__":
    main()
