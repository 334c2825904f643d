"""A living daemon and web page: a schedule, a sensor, notices and time limits, in real time."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import yaml

from dagster_project.command_line import WORKSPACE
from dagster_project.instance import SETTINGS
from hybrid_assets.designs import DESIGNS
from tests.dagster_project.conftest import SMALL_STUDY
from warehouse import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[2]
PATIENCE = 900.0
CHOSEN = ("--partitions", "2026-02,2026-01")
LOOKS_EVERY = {"poll_interval_seconds": 5}  # at runs beyond their time; two minutes otherwise


@dataclass
class Told:
    """What a chat service and a mail server on loopback have received."""

    texts: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Live:
    """A home whose daemon runs, and the two studies in it."""

    folder: Path
    told: Told

    def runs(self, **tags: str) -> list[dg.DagsterRun]:
        with dg.DagsterInstance.from_config(str(self.folder / "home" / "dagster")) as instance:
            return list(instance.get_runs(filters=dg.RunsFilter(tags=tags)))

    def freshness(self, asset: str) -> str | None:
        """Give what the daemon holds of an asset's freshness policy, as the web page shows it."""
        key = dg.AssetKey(["live", asset])
        with dg.DagsterInstance.from_config(str(self.folder / "home" / "dagster")) as instance:
            found = instance.get_freshness_state_records([key]).get(key)
        return None if found is None else str(found.freshness_state.value)

    def command(self, *words: str) -> None:
        """Run a command of `dagster` in this home."""
        told = [sys.executable, "-m", "dagster", *words, "-w", str(WORKSPACE)]
        subprocess.run(told, env=environment(self.folder), cwd=self.folder, check=True)

    def write_seed(self, version: str, rows: pd.DataFrame) -> None:
        """Put a version into place that has been at rest for a while."""
        file = self.folder / "studies" / "live" / f"seed_{version}.csv"
        rows.to_csv(file, index=False)
        os.utime(file, (time.time() - 120, time.time() - 120))


def environment(folder: Path, **more: str) -> dict[str, str]:
    homes = {"HYBRID_HOME": str(folder / "home"), "HYBRID_STUDIES": str(folder / "studies")}
    dagster_home = {"DAGSTER_HOME": str(folder / "home" / "dagster")}
    return {**os.environ, "PYTHONPATH": str(ROOT), **homes, **dagster_home, **more}


def wait_for(what: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < give_up
        time.sleep(2.0)
    return found


async def take_mail(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mails: list[str]
) -> None:
    """Speak as much SMTP as a mail needs (RFC 5321)."""
    writer.write(b"220 sink\r\n")
    while line := await reader.readline():
        word = line[:4].upper().strip()
        if word == b"DATA":
            writer.write(b"354 go on\r\n")
            content = await reader.readuntil(b"\r\n.\r\n")
            mails.append(content.decode())
        writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
    writer.close()


@pytest.fixture(scope="module")
def listening() -> Iterator[tuple[Told, dict[str, str]]]:
    """Listen as a chat service and a mail server would; give what a daemon is told of them."""
    told = Told()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            told.texts.append(json.loads(content)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    loop = asyncio.new_event_loop()
    mail = loop.run_until_complete(
        asyncio.start_server(lambda r, w: take_mail(r, w, told.mails), "127.0.0.1", 0)
    )
    hook = HTTPServer(("127.0.0.1", 0), Hook)
    threads = [threading.Thread(target=t) for t in (hook.serve_forever, loop.run_forever)]
    for thread in threads:
        thread.start()
    yield (
        told,
        {
            "HYBRID_WEBHOOK": f"http://127.0.0.1:{hook.server_port}/hook",
            "HYBRID_MAIL_TO": "study@example.org",
            "HYBRID_MAIL_SERVER": f"127.0.0.1:{mail.sockets[0].getsockname()[1]}",
        },
    )
    hook.shutdown()
    hook.server_close()
    loop.call_soon_threadsafe(mail.close)
    loop.call_soon_threadsafe(loop.stop)
    for thread in threads:
        thread.join()
    loop.close()


def write_studies(folder: Path, cron: str) -> None:
    live = SMALL_STUDY | {
        "name": "live",
        "source": {"kind": "csv", "path": "seed_{version}.csv"},
        "generators": ["bootstrap"],
        "schedule": {"cron": cron},
        "on_new_seed": True,
    }
    endless = SMALL_STUDY | {"name": "endless", "generators": {"gan": {"steps": 10_000_000}}}
    for study in (live, endless):
        file = folder / "studies" / str(study["name"]) / "defs.yaml"
        file.parent.mkdir(parents=True)
        kind = "dagster_project.component.StudyComponent"
        file.write_text(yaml.safe_dump({"type": kind, "attributes": study}))


@pytest.fixture(scope="module")
def live(
    tmp_path_factory: pytest.TempPathFactory, listening: tuple[Told, dict[str, str]]
) -> Iterator[Live]:
    folder, (told, channels) = tmp_path_factory.mktemp("live"), listening
    due = datetime.now(UTC) + timedelta(minutes=5)
    write_studies(folder, f"{due.minute} {due.hour} * * *")
    settings = yaml.safe_load(SETTINGS.read_text())
    settings["run_monitoring"] |= LOOKS_EVERY
    (folder / "home" / "dagster").mkdir(parents=True)
    (folder / "home" / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(settings))
    home = Live(folder, told)
    home.write_seed("2026-01", trial(5))
    home.write_seed("2026-02", trial(6))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.command_line", "ui", "--port", str(port)],
        env=environment(folder, **channels),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield home
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def trial(seed: int) -> pd.DataFrame:
    return DESIGNS["paper1_trial"](300, seed)


def ended(live: Live, n_runs: int, **tags: str) -> list[dg.DagsterRun] | None:
    runs = live.runs(**tags)
    return runs if len(runs) >= n_runs and all(run.is_finished for run in runs) else None


def test_each_cause_asks_for_one_run_and_people_are_told(live: Live) -> None:
    """The sensor's first look, the schedule's one time of today, then a seed that is not one."""
    (seen,) = wait_for(lambda: ended(live, 1, **{"dagster/sensor_name": "new_seed_live"}))
    assert (seen.job_name, seen.status) == ("refresh_live", dg.DagsterRunStatus.SUCCESS)
    schedule = {"dagster/schedule_name": "refresh_live_schedule"}
    (timed,) = wait_for(lambda: ended(live, 1, **schedule))
    assert timed.status is dg.DagsterRunStatus.SUCCESS
    wait_for(lambda: len(live.told.texts) >= 2 and len(live.told.mails) >= 2)
    assert wait_for(lambda: live.freshness("study_report")) == "PASS"
    assert all("refresh_live: " in text and "copies (error)" in text for text in live.told.texts)
    assert all("To: study@example.org" in mail for mail in live.told.mails)
    assert all("bootstrap/privacy_evaluation: copies" in mail for mail in live.told.mails)

    live.write_seed("2026-03", trial(7).assign(A=2))
    failed, _ = wait_for(lambda: ended(live, 2, **{"dagster/sensor_name": "new_seed_live"}))
    assert failed.status is dg.DagsterRunStatus.FAILURE
    wait_for(lambda: len(live.told.texts) >= 3 and len(live.told.mails) >= 3)
    assert "refresh_live failed\nlive__seed_table: study 'live', column 'A'" in live.told.texts[-1]
    assert "Subject: refresh_live failed" in live.told.mails[-1]
    assert len(live.runs(study="live")) == 3
    assert len(live.runs(**schedule)) == 1


def test_a_backfill_runs_the_versions_it_is_asked_for_oldest_first(live: Live) -> None:
    live.command("job", "backfill", "-j", "backfill_live", "--noprompt", *CHOSEN)
    backfill = {"dagster/partition_set": "backfill_live_partition_set"}
    runs = wait_for(lambda: ended(live, 2, **backfill))
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    with dg.DagsterInstance.from_config(str(live.folder / "home" / "dagster")) as instance:
        records = [instance.get_run_record_by_id(run.run_id) for run in runs]
    records = sorted((r for r in records if r is not None), key=lambda r: r.start_time or 0.0)
    assert [r.dagster_run.tags["dagster/partition"] for r in records] == ["2026-01", "2026-02"]
    assert (records[0].end_time or 0.0) <= (records[1].start_time or 0.0)
    entries = Warehouse(live.folder / "home", "live").audit_entries()
    versions = entries.loc[entries["asset"].eq("seed_table") & entries["kind"].eq("table")]
    assert versions["data_version"].nunique() == 2
    assert versions["study_hash"].nunique() == 1
    drift = Warehouse(live.folder / "home", "live").read_table("refresh_drift")
    assert set(drift["compared_with"]) == {"the version of the seed that was run before"}


def test_a_run_beyond_its_time_is_ended_and_people_are_told_why(live: Live) -> None:
    tags = json.dumps({"dagster/max_runtime": "20"})
    live.command("job", "launch", "-j", "refresh_endless", "--tags", tags)
    (run,) = wait_for(lambda: ended(live, 1, study="endless"))
    assert run.status is dg.DagsterRunStatus.FAILURE
    (text,) = wait_for(lambda: [t for t in live.told.texts if "refresh_endless" in t])
    assert text.startswith("refresh_endless failed\nExceeded maximum runtime of 20 seconds.")
