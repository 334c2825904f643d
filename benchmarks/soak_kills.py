"""SIGKILL at random moments of the real `hybrid run`, and what is left.

    python -m benchmarks.soak_kills --moments 30 --into benchmarks/soak_kills.jsonl

Each moment starts from a copy of a home with a complete version, kills the next run (its whole
process group, its own process, or one step, in turn), checks every hash in the home, runs again,
and compares each table and model with those of a run that nobody killed. Moments that are in the
file already are not done again.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
import yaml

from warehouse import Warehouse, check_audit

STUDY = {
    "name": "killed",
    "title": "A study whose runs are killed",
    "source": {"kind": "design", "name": "paper1_trial", "n_rows": 300, "random_seed": 5},
    "treatment": "A",
    "outcome": "Y",
    "design": {"kind": "trial", "probability": 0.5},
    "assignment": "randomised",
    "nuisance": {"n_fold_draws": 1, "outcome_library": ["linear"]},
    "n_synthetic": 300,
}
GENERATORS: dict[str, dict[str, object]] = {
    "cart": {},
    "gan": {"steps": 60},
    "llm": {"steps": 200},
}
FIRST, SECOND = 7, 8
BEGUN = {dg.DagsterEventType.STEP_START}
ENDED = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
VICTIMS = ("group", "run", "step")
Versions = dict[str, str]


def write_study(folder: Path, random_seed: int, generators: list[str]) -> None:
    """Write the study file; another seed is another version of all that is drawn."""
    chosen = {name: GENERATORS[name] for name in generators}
    attributes = STUDY | {"generators": chosen, "random_seed": random_seed}
    write_attributes(folder, attributes)


def write_attributes(folder: Path, attributes: dict[str, object]) -> None:
    """Write ``defs.yaml`` of the study to kill."""
    content = {"type": "dagster_project.component.StudyComponent", "attributes": attributes}
    (folder / "killed").mkdir(exist_ok=True)
    (folder / "killed" / "defs.yaml").write_text(yaml.safe_dump(content))


def start(home: Path, studies: Path, *words: str) -> subprocess.Popen[str]:
    """Start a `hybrid` command, such as `run`, in a process group of its own."""
    command, *options = words
    return subprocess.Popen(
        [sys.executable, "-m", "dagster_project.command_line", command, "killed", *options],
        env={**os.environ, "HYBRID_HOME": str(home), "HYBRID_STUDIES": str(studies)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(home: Path, studies: Path, *words: str, code: int = 0) -> float:
    """Let a command come to its end, and to an exit code; give the seconds it took."""
    started = time.monotonic()
    process = start(home, studies, *words)
    shown, _ = process.communicate(timeout=1200)
    if process.returncode != code:
        raise RuntimeError(shown[-2000:])
    return time.monotonic() - started


def versions(home: Path) -> Versions:
    """Give the last version of every table and model."""
    entries = Warehouse(home, "killed").audit_entries()
    kept = entries[entries["kind"].isin(["table", "model"])]
    last: Versions = (
        kept.assign(key=kept["asset"] + " " + kept["kind"])
        .groupby("key")["data_version"]
        .last()
        .to_dict()
    )
    return last


def steps_of(run: subprocess.Popen[str]) -> list[int]:
    """List the processes that were forked for the steps of a run."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,pgid="], capture_output=True, text=True, check=True
    )
    rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    own = {pid: parent for pid, parent, group in rows if group == run.pid}
    return [pid for pid, parent in own.items() if parent in own and parent != run.pid]


def under_way(home: Path) -> list[str]:
    """Name the steps of the last run that had started and not ended."""
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        (run,) = instance.get_runs(limit=1)
        found = [instance.get_records_for_run(run.run_id, None, kind) for kind in (BEGUN, ENDED)]
    begun, ended = ({str(r.event_log_entry.step_key) for r in each.records} for each in found)
    return sorted(begun - ended)


def kill(run: subprocess.Popen[str], victim: str) -> str:
    """Kill what is meant, or the group where there is no step; give what was killed."""
    steps = steps_of(run)
    if victim == "step" and steps:
        os.kill(steps[-1], signal.SIGKILL)
        return "step"
    if victim == "run":
        run.kill()
        return "run"
    os.killpg(run.pid, signal.SIGKILL)
    return "group"


def moment(number: int, before: Path, studies: Path, seconds: float, after: Versions) -> dict:
    """Kill one run, look at what is left, run again."""
    rng = random.Random(number)
    home = before.with_name(f"home{number}")
    shutil.copytree(before, home)
    run = start(home, studies, "run")
    time.sleep(rng.uniform(0.3, 1.0) * seconds)
    ended = run.poll() is not None
    killed = "nothing: it had ended" if ended else kill(run, VICTIMS[number % 3])
    if killed != "step" and not ended:
        run.wait()
    shown = run.communicate()[0] if killed in ("step",) or ended else ""
    at_work = under_way(home)
    left = versions(home)
    faults = check_audit(home, "killed").faults
    known = set(after.values()) | set(versions(before).values())
    torn = [key for key, version in left.items() if version not in known]
    took = finish(home, studies, "run")
    now = versions(home)
    differing = [key for key in after if now.get(key) != after[key]]
    faults += check_audit(home, "killed").faults
    shutil.rmtree(home)
    said = [line.strip() for line in shown.splitlines() if "failed" in line]
    new = [key for key in left if left[key] == after[key] != versions(before)[key]]
    return {
        "moment": number,
        "killed": killed,
        "under_way": at_work,
        "new_when_killed": len(new),
        "of": len(after),
        "faults": list(faults),
        "torn": torn,
        "differing": differing,
        "seconds_to_recover": round(took, 1),
        "said": said[:1],
    }


def main() -> None:
    """Do the moments that are not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--into", type=Path, default=Path("benchmarks/soak_kills.jsonl"))
    parser.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=GENERATORS)
    asked = parser.parse_args()
    done = asked.into.read_text().splitlines() if asked.into.exists() else []
    numbers = sorted(set(range(asked.moments)) - {json.loads(line)["moment"] for line in done})
    with tempfile.TemporaryDirectory() as scratch:
        studies = Path(scratch)
        before, undisturbed = studies / "before", studies / "undisturbed"
        write_study(studies, FIRST, asked.generators)
        finish(before, studies, "run")
        write_study(studies, SECOND, asked.generators)
        shutil.copytree(before, undisturbed)
        seconds = finish(undisturbed, studies, "run")
        after = versions(undisturbed)
        for number in numbers:
            told = moment(number, before, studies, seconds, after)
            print(json.dumps(told), flush=True)
            with asked.into.open("a") as file:
                file.write(json.dumps(told) + "\n")
            if told["faults"] or told["torn"] or told["differing"]:
                sys.exit(1)


if __name__ == "__main__":
    main()
