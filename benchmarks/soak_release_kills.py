"""SIGKILL at random moments of the real `hybrid release`, and while it writes its folder.

    python -m benchmarks.soak_release_kills --moments 12

Each moment starts from a copy of a home whose first release is approved and made, kills the making
of the second (every third one as soon as its unfinished folder is there), recomputes every release
and hash that is left, releases again, and compares the files with those of a release that nobody
killed: all of them that hold neither its number nor its place in the audit log.
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

from benchmarks.soak_kills import FIRST, STUDY, finish, kill, start, under_way, write_attributes
from dagster_project.verification import verified
from warehouse import Release, ReleaseStore, check_audit

OVERRIDE = {"gate": "privacy_verdict", "generator": "cart", "person": "Ada Lovelace"}
RELEASED = STUDY | {
    "generators": ["cart"],
    "gates": {"overrides": [OVERRIDE | {"reason": "a study of 300 people that nobody is in"}]},
    "random_seed": FIRST,
}
WORDS = ("release", "--generator", "cart")
APPROVAL = ("approve", "--generator", "cart", "--reviewer", "Grace Hopper", "--reason", "read it")
VICTIMS = ("run", "group", "writing")
NOT_APPROVED = 3
Files = dict[str, bytes]


def releases(home: Path) -> list[Release]:
    """List the releases that a reader of the home sees."""
    return ReleaseStore(home, "killed").releases("cart")


def files_of(release: Release) -> Files:
    """Read a release's files."""
    return {file.name: file.read_bytes() for file in release.folder.iterdir()}


def faults_of(home: Path) -> list[str]:
    """Recompute every release from its folder alone, and every hash in the home."""
    wrong = [
        f"{release.number}: {check.name}: {fault}"
        for release in releases(home)
        for check in verified(release.folder)
        for fault in check.faults
    ]
    return [*wrong, *check_audit(home, "killed").faults]


def wait_for_writing(home: Path, run: subprocess.Popen[str]) -> None:
    """Wait until the folder of a release is being written, or the command has ended."""
    folder = home / "releases" / "killed" / "cart"
    while run.poll() is None and not list(folder.glob(".unfinished-*")):
        time.sleep(0.0005)


def disturb(home: Path, studies: Path, number: int, seconds: float) -> str:
    """Release, and kill what is meant; give what was killed."""
    rng, victim = random.Random(number), VICTIMS[number % 3]
    run = start(home, studies, *WORDS)
    if victim == "writing":
        wait_for_writing(home, run)
        time.sleep(rng.uniform(0.0, 0.02))
    else:
        time.sleep(rng.uniform(0.3, 1.0) * seconds)
    if run.poll() is not None:
        return "nothing: it had ended"
    if victim == "writing":
        os.killpg(run.pid, signal.SIGKILL)
    else:
        kill(run, victim)
    run.wait()
    return victim


def moment(number: int, before: Path, studies: Path, seconds: float, expected: Files) -> dict:
    """Kill one release, look at what is left, release again."""
    home = before.with_name(f"home{number}")
    shutil.copytree(before, home)
    killed = disturb(home, studies, number, seconds)
    left, faults, at_work = len(releases(home)), faults_of(home), under_way(home)
    unfinished = len(list((home / "releases" / "killed" / "cart").glob(".unfinished-*")))
    took = finish(home, studies, *WORDS)
    made = files_of(releases(home)[-1])
    differing = [name for name, content in expected.items() if made.get(name) != content]
    told = {
        "moment": number,
        "killed": killed,
        "under_way": at_work,
        "releases_left": left,
        "unfinished_left": unfinished,
        "faults": faults,
        "faults_after": faults_of(home),
        "differing": differing,
        "compared": len(expected),
        "releases_after": len(releases(home)),
        "seconds_to_recover": round(took, 1),
    }
    subprocess.run(["chmod", "-R", "u+w", str(home)], check=True)
    shutil.rmtree(home)
    return told


def prepare(before: Path, undisturbed: Path, studies: Path) -> tuple[float, Files]:
    """Make the first release, and beside it the second; give its seconds and what to compare."""
    write_attributes(studies, RELEASED)
    finish(before, studies, "run")
    finish(before, studies, *WORDS, code=NOT_APPROVED)
    finish(before, studies, *APPROVAL)
    finish(before, studies, *WORDS)
    shutil.copytree(before, undisturbed)
    seconds = finish(undisturbed, studies, *WORDS)
    first, second = map(files_of, releases(undisturbed))
    return seconds, {name: content for name, content in second.items() if first[name] == content}


def main() -> None:
    """Do the moments; end with 1 at the first fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=12)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        studies = Path(scratch)
        before = studies / "before"
        seconds, expected = prepare(before, studies / "undisturbed", studies)
        print(json.dumps({"seconds": round(seconds, 1), "compared": sorted(expected)}), flush=True)
        for number in range(asked.moments):
            told = moment(number, before, studies, seconds, expected)
            print(json.dumps(told), flush=True)
            if told["faults"] or told["faults_after"] or told["differing"]:
                sys.exit(1)


if __name__ == "__main__":
    main()
