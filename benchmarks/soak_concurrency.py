"""Eight writers and readers of one study; four runs at once, launched as the UI launches them.

python -m benchmarks.soak_concurrency --writes 25
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.soak_kills import STUDY
from warehouse import Provenance, Warehouse, check_audit, data_version, storable_table

N_WRITERS, N_READERS, N_ROWS = 8, 3, 20_000
STUDIES = tuple(f"study{i}" for i in range(4))
ASSETS = (("seed_table",), ("splits",), ("cart", "fitted_generator"), ("cart", "full_synthetic"))
LAUNCH = """mutation L($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
ENDED = """query R($id: ID!) { runOrError(runId: $id) { ... on Run { status startTime endTime
  creationTime } } }"""


def write(home: Path, writer: int, n_writes: int) -> list[float]:
    """Write one table again and again; give how long each write waited."""
    warehouse, waits = Warehouse(home, "shared"), []
    for i in range(n_writes):
        value = 1000 * writer + i
        table = pd.DataFrame({"x": [value] * N_ROWS, "label": [str(value)] * N_ROWS})
        origin = Provenance(f"{writer}-{i}", "1", "h", 1, {}, 0.1, "ada", "2026-01-31T12:00:00Z")
        waits.append(warehouse.record_table("seed_table", table, origin).waited_seconds)
    return waits


@contextmanager
def readers(read: Callable[[], None], n_readers: int) -> Iterator[list[float]]:
    """Read all the while; give how long each reading took."""
    done, seconds, faults = threading.Event(), [], []

    def go_on() -> None:
        while not done.is_set():
            started = time.monotonic()
            try:
                read()
            except Exception as error:
                faults.append(error)
            seconds.append(time.monotonic() - started)
            time.sleep(0.02)

    threads = [threading.Thread(target=go_on) for _ in range(n_readers)]
    for thread in threads:
        thread.start()
    try:
        yield seconds
    finally:
        done.set()
        for thread in threads:
            thread.join()
    if faults:
        raise ExceptionGroup("readers", faults)


def read_whole(warehouse: Warehouse, asset: str) -> None:
    """Read a table and make sure that it is what was logged, every cell."""
    if asset.replace("/", "__") not in warehouse.table_names():
        return
    table, version = warehouse.read_versioned(asset)
    if data_version(storable_table(table)) != version:
        raise AssertionError(f"{asset} is torn")


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Give the median, the 95th percentile and the largest."""
    names = {"median": 0.5, "p95": 0.95, "largest": 1.0}
    return {name: round(float(np.quantile(seconds, q)), 3) for name, q in names.items()}


def writers_and_readers(home: Path, n_writes: int) -> dict[str, object]:
    """Let eight processes write one study while threads read it."""
    write(home, 99, 1)
    warehouse = Warehouse(home, "shared")
    with (
        readers(lambda: read_whole(warehouse, "seed_table"), N_READERS) as read_seconds,
        ProcessPoolExecutor(N_WRITERS, get_context("spawn")) as pool,
    ):
        jobs = [pool.submit(write, home, writer, n_writes) for writer in range(N_WRITERS)]
        waits = [wait for job in jobs for wait in job.result()]
    found = check_audit(home, "shared")
    return {
        "what": "eight writers",
        "writes": len(waits),
        "logged": found.n_entries - 1,
        "faults": list(found.faults),
        "write_waited_seconds": quantiles(waits),
        "reads": len(read_seconds),
        "read_seconds": quantiles(read_seconds),
    }


def asked(address: str, query: str, variables: dict[str, Any]) -> Any:
    """Ask the web server's GraphQL."""
    request = urllib.request.Request(
        f"{address}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["data"]


@contextmanager
def web_page(home: Path, studies: Path) -> Iterator[str]:
    """Run `hybrid ui`: web server, daemon and code server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.command_line", "ui", "--port", str(port)],
        env={**os.environ, "HYBRID_HOME": str(home), "HYBRID_STUDIES": str(studies)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/server_info", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def launch(address: str, study: str) -> str:
    """Launch some assets of a study, as the button in the UI does."""
    params = {
        "selector": {
            "repositoryName": "__repository__",
            "repositoryLocationName": "hybrid-assets",
            "jobName": f"refresh_{study}",
            "assetSelection": [{"path": [study, *asset]} for asset in ASSETS],
        },
        "runConfigData": {},
    }
    answer = asked(address, LAUNCH, {"p": params})["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        raise RuntimeError(f"launch of {study}: {answer}")
    return str(answer["run"]["runId"])


def runs_from_the_page(home: Path, studies: Path) -> dict[str, object]:
    """Launch one run of each study at once; read their tables until all have ended."""
    for study in STUDIES:
        attributes = STUDY | {"name": study, "generators": ["cart"], "random_seed": 7}
        (studies / study).mkdir(parents=True)
        document = {"type": "dagster_project.component.StudyComponent", "attributes": attributes}
        (studies / study / "defs.yaml").write_text(json.dumps(document))
    warehouses = [Warehouse(home, study) for study in STUDIES]

    def read() -> None:
        for warehouse in warehouses:
            read_whole(warehouse, "cart/full_synthetic")

    with web_page(home, studies) as address, readers(read, 1) as read_seconds:
        ids = [launch(address, study) for study in STUDIES]
        waiting, ended = set(ids), {}
        limit = time.monotonic() + 1200
        while waiting and time.monotonic() < limit:
            time.sleep(2.0)
            for run_id in list(waiting):
                run = asked(address, ENDED, {"id": run_id})["runOrError"]
                if run["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                    ended[run_id] = run
                    waiting.discard(run_id)
    faults = [fault for study in STUDIES for fault in check_audit(home, study).faults]
    queued = [run["startTime"] - run["creationTime"] for run in ended.values()]
    return {
        "what": "four runs from the page",
        "ended": [run["status"] for run in ended.values()] + ["NOT ENDED"] * len(waiting),
        "at_once": _most_at_once(list(ended.values())),
        "faults": faults,
        "queued_seconds": quantiles(queued),
        "run_seconds": quantiles([run["endTime"] - run["startTime"] for run in ended.values()]),
        "reads": len(read_seconds),
        "read_seconds": quantiles(read_seconds),
    }


def _most_at_once(runs: list[dict[str, float]]) -> int:
    return max(
        sum(other["startTime"] <= run["startTime"] < other["endTime"] for other in runs)
        for run in runs
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=25)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(json.dumps(writers_and_readers(folder / "shared", chosen.writes)), flush=True)
        print(json.dumps(runs_from_the_page(folder / "home", folder / "studies")), flush=True)
