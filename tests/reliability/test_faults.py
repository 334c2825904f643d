"""Faults of disk, files, memory, generators and clock, each injected for real.

After each of them the last complete version is whole, the message says what to do, and the next
run gives, byte for byte, what one that nothing disturbed gives.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dagster_project.fitting import CovariateGenerator
from dagster_project.resources import HOME_VARIABLE
from dagster_project.system_refusals import LESS_MEMORY, STAYS
from hybrid_assets.generators import GENERATORS
from hybrid_assets.generators.cart import CartGenerator
from tests.reliability.conftest import Undisturbed
from tests.reliability.pipeline import SECOND, require_sound, run, run_harmed
from warehouse import StorageUnavailable, Warehouse

RunAgain = Callable[[], None]
NOBODY = 65534
HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def limit_file_size(n_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


@pytest.mark.parametrize("n_bytes", [0, 2_000, 30_000])
def test_a_disk_without_room(
    home: Path, undisturbed: Undisturbed, require_recovery: RunAgain, n_bytes: int
) -> None:
    finished = run_harmed(home, limit_file_size, n_bytes)
    assert not finished.success
    assert "free disk space" in finished.said or "raise the limit of file sizes" in finished.said
    require_sound(home, undisturbed.complete)
    require_recovery()


def test_the_terminal_tells_of_a_home_without_room(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "dagster_project.command_line", "run", "nhefs"],
        env={**os.environ, "HYBRID_HOME": str(tmp_path / "home")},
        preexec_fn=lambda: limit_file_size(0),
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 1
    assert "Traceback" not in shown.stdout + shown.stderr
    assert "raise the limit of file sizes (ulimit -f), then run again" in shown.stdout


def become_nobody(home: Path) -> None:
    os.environ[HOME_VARIABLE] = str(home)  # of this process: what is denied there is not the seed
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@pytest.fixture
def read_only_home(undisturbed: Undisturbed) -> Iterator[Path]:
    """Give a home that everyone may read and nobody may write, on a path that all may walk."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        shutil.copytree(undisturbed.before, home)
        every = [Path(folder), home, *home.rglob("*")]
        for path in every:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield home
        for path in every:
            path.chmod(0o700)


def test_a_home_that_cannot_be_written(
    read_only_home: Path, undisturbed: Undisturbed, home: Path, require_recovery: RunAgain
) -> None:
    finished = run_harmed(read_only_home, become_nobody, read_only_home)
    assert not finished.success
    assert "check its permissions" in finished.said or "let this user write there" in finished.said
    require_sound(read_only_home, undisturbed.complete)
    require_recovery()


def test_a_database_that_another_program_holds_for_a_while(
    home: Path, require_recovery: RunAgain
) -> None:
    database = home / "warehouse" / "small.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        threading.Timer(1.0, lambda: holder.stdin and holder.stdin.close()).start()
        require_recovery()


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 3]


def overwritten(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[: middle // 2] + os.urandom(middle) + content[middle // 2 + middle :]


@pytest.mark.parametrize("damage", [truncated, overwritten, lambda content: b""])
def test_a_damaged_database(
    home: Path,
    undisturbed: Undisturbed,
    require_recovery: RunAgain,
    damage: Callable[[bytes], bytes],
) -> None:
    database = home / "warehouse" / "small.duckdb"
    content = damage(database.read_bytes())
    database.write_bytes(content)
    finished = run(home, SECOND)
    assert not finished.success
    assert "restore it from a backup, or move it away with its .wal and run" in finished.said
    assert database.read_bytes() == content  # evidence
    database.rename(database.with_suffix(".damaged"))
    require_recovery()


def changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file, flip bits of it, or fill a stretch of it with noise or zeros."""
    at, size = int(rng.integers(len(content))), int(rng.choice([16, 4096, 262144]))
    way = rng.choice(["cut", "flip", "noise", "zeros"])
    if way == "cut":
        return content[:at]
    if way == "flip":
        return content[:at] + bytes([content[at] ^ (1 << int(rng.integers(8)))]) + content[at + 1 :]
    stretch = rng.bytes(size) if way == "noise" else bytes(size)
    return content[:at] + stretch + content[at + size :]


@pytest.mark.parametrize(
    "n_ways", [pytest.param(40, id="short"), pytest.param(4000, id="soak", marks=pytest.mark.soak)]
)
@pytest.mark.timeout(7200)  # 4000 ways on a busy machine
def test_no_damage_goes_unseen(home: Path, n_ways: int) -> None:
    """Whatever is done to the file: its tables are as logged, or the error says what to do."""
    database = home / "warehouse" / "small.duckdb"
    content, rng = database.read_bytes(), np.random.default_rng(17)
    warehouse = Warehouse(home, "small", wait_seconds=5.0)
    n_refused = 0
    for _ in range(n_ways):
        database.write_bytes(changed(content, rng))
        try:
            assert warehouse.verify_tables() == 6
            warehouse.check_audit_log()
        except StorageUnavailable as error:
            assert "restore it from a backup" in str(error)  # noqa: PT017
            n_refused += 1
    assert n_ways / 3 < n_refused < n_ways


def test_a_damaged_model_file(home: Path, require_recovery: RunAgain) -> None:
    model = Warehouse(home, "small").model("splits")
    file = home / "models" / model.sha256 / "schema.json"
    file.write_bytes(file.read_bytes().replace(b"covariate", b"cOvariate"))
    finished = run(home, SECOND, ("cart/fitted_generator",))
    assert not finished.success
    assert f"model {model.sha256} has an altered file, 'schema.json'" in finished.said
    assert "materialize the asset that fits it again" in finished.said
    require_recovery()


class Hungry(CartGenerator):
    """Takes ever more memory, of which its process may have half a gigabyte more."""

    def fit(self, *arguments: Any) -> Any:
        n_pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = n_pages * resource.getpagesize() + 2**29
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        taken = []
        while True:
            taken.append(np.ones(2**24))  # what is left suffices for other threads


class GivesNaN(CartGenerator):
    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        return super().sample(n_rows, rng) * np.nan


class GivesOtherColumns(CartGenerator):
    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        return super().sample(n_rows, rng).rename(columns={"W1": "V1"})


class GivesNothing(CartGenerator):
    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        return super().sample(n_rows, rng).iloc[:0]


class GivesWords(CartGenerator):
    def sample(self, n_rows: int, rng: np.random.Generator) -> pd.DataFrame:
        return super().sample(n_rows, rng).astype(object).map(lambda cell: f"about {cell}")


def register(generator: type[CovariateGenerator]) -> None:
    GENERATORS["cart"] = generator


@pytest.mark.parametrize(
    ("generator", "says"),
    [
        (GivesNaN, "0 of 200 rows were valid after drawing 212"),
        (GivesWords, "0 of 200 rows were valid after drawing 212"),
        (GivesOtherColumns, "generator gave columns ['V1', "),
        (GivesNothing, "generator gave no rows; expected 200 more"),
        (Hungry, f"memory ran out: {LESS_MEMORY}, {STAYS}"),
    ],
)  # fmt: skip
def test_a_poisoned_generator(
    home: Path,
    undisturbed: Undisturbed,
    require_recovery: RunAgain,
    generator: type[CartGenerator],
    says: str,
) -> None:
    finished = run_harmed(home, register, generator)
    assert not finished.success
    assert says in finished.said
    require_sound(home, undisturbed.complete)
    kept = Warehouse(home, "small").table_version("cart/full_synthetic")
    assert kept.data_version == undisturbed.first["cart/full_synthetic", "table"]
    require_recovery()


def limit_memory() -> None:
    """Leave room for a few megabytes beyond what the process has already."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    n_bytes = pages * resource.getpagesize() + 8 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))


@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime (apt-get install libfaketime)")
def test_a_clock_that_is_set_back(
    home: Path, undisturbed: Undisturbed, require_recovery: RunAgain
) -> None:
    """Run when the clock is a year ahead, and again when it is right: the last to run counts."""
    ahead = {**os.environ, "LD_PRELOAD": str(FAKETIME), "FAKETIME": "+365d"}
    subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.reliability.pipeline",
            str(home),
            str(SECOND),
        ],
        env=ahead,
        check=True,
        capture_output=True,
    )
    assert Warehouse(home, "small").audit_entries()["recorded_at"].max() > pd.Timestamp.now(
        "UTC"
    ) + pd.Timedelta("300d")
    require_sound(home, undisturbed.complete)
    require_recovery()
    require_sound(home, undisturbed.complete)
