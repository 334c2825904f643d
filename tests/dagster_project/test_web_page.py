"""The real web page in Chromium: the graph is grouped by study, materialized assets show."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.command_line", "ui", "--port", str(port)],
        env={**os.environ, "HYBRID_HOME": str(tmp_path_factory.mktemp("home"))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield _when_it_answers(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def _when_it_answers(address: str) -> str:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/server_info", timeout=2).close()
        except OSError:
            time.sleep(0.5)
        else:
            return address
    pytest.fail("the web server did not answer within a minute")


def page(url: str, folder: Path) -> str:
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    shown = subprocess.run(
        [
            CHROMIUM,
            *flags,
            f"--user-data-dir={folder}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return shown.stdout


def test_the_graph_is_grouped_by_study(address: str, tmp_path: Path) -> None:
    shown = page(f"{address}/asset-groups", tmp_path)
    assert "paper_trial" in shown
    assert "nhefs" in shown


def test_an_asset_tells_what_it_is(address: str, tmp_path: Path) -> None:
    shown = page(f"{address}/assets/nhefs/gan/hybrid_triplets", tmp_path)
    assert "targeted to the seed" in shown
    assert "team" in shown or "epidemiology" in shown
