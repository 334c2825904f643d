"""Cores of one machine are taken in turn, and given back however their holder ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dagster_project.core_turns import core_turn

HOLD = """
import sys, time
from pathlib import Path
from dagster_project.core_turns import core_turn
with core_turn(Path(sys.argv[1]), 2):
    print("held", flush=True)
    time.sleep(60)
"""
WORK = """
import sys, time
from pathlib import Path
from dagster_project.core_turns import core_turn
for _ in range(8):
    with core_turn(Path(sys.argv[1]), 2):
        with Path(sys.argv[2]).open("a") as notes:
            notes.write("+")
            notes.flush()
            time.sleep(0.02)
            notes.write("-")
"""


def started(code: str, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_no_more_than_the_cores_are_at_work(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    working = [started(WORK, str(tmp_path / "cores"), str(notes)) for _ in range(4)]
    for process in working:
        process.communicate(timeout=60)
        assert process.returncode == 0
    at_work = [0]
    for sign in notes.read_text():
        at_work.append(at_work[-1] + (1 if sign == "+" else -1))
    assert len(at_work) == 1 + 4 * 8 * 2
    assert max(at_work) == 2


def test_a_killed_holder_gives_its_core_back(tmp_path: Path) -> None:
    holders = [started(HOLD, str(tmp_path)) for _ in range(2)]
    for process in holders:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
    os.kill(holders[0].pid, signal.SIGKILL)
    os.kill(holders[1].pid, signal.SIGKILL)
    before = time.monotonic()
    with core_turn(tmp_path, 2):
        assert time.monotonic() - before < 10
    for process in holders:
        process.communicate(timeout=20)


def test_who_waits_is_given_the_core_that_is_free_first(tmp_path: Path) -> None:
    holders = [started(HOLD, str(tmp_path)) for _ in range(2)]
    for process in holders:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
    waiting = [started(WORK, str(tmp_path), str(tmp_path / "notes")) for _ in range(2)]
    holders[1].kill()
    for process in waiting:
        process.communicate(timeout=30)
        assert process.returncode == 0
    holders[0].kill()
    for process in holders:
        process.communicate(timeout=20)
