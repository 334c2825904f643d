"""The wheel holds what the code reads, and runs outside the checkout."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from hybrid_assets.designs import DESIGNS

PROJECT = Path(__file__).parents[1]
PACKAGES = ("hybrid_assets", "warehouse", "dagster_project")
OWN = DESIGNS["paper1_trial"](200, 5).round(3)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy: setuptools leaves its traces where it builds."""
    tree, built = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, tree)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / package, tree / package, ignore=ignored)
    build = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    command = [sys.executable, "-W", "ignore", "-c", build, str(built)]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    (made,) = built.glob("hybrid_assets-*.whl")
    return made


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    kept = {
        file.relative_to(PROJECT).as_posix()
        for package in PACKAGES
        for file in (PROJECT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in packed if ".dist-info/" not in name} == kept
    about = {name.partition(".dist-info/")[2] for name in packed - kept}
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= about


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install into an environment of its own that borrows the dependencies installed here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    command = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*command, "--force-reinstall", wheel], check=True, cwd=folder)
    return folder / "bin"


def environment() -> dict[str, str]:
    left_out = {"PYTHONPATH", "HYBRID_HOME", "HYBRID_STUDIES", "DAGSTER_HOME"}
    return {name: value for name, value in os.environ.items() if name not in left_out}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_own_and_a_packaged_study_run_from_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    OWN.to_csv(tmp_path / "clinic.csv", index=False, sep=";", encoding="utf-8-sig")
    roles = ("--treatment", "A", "--outcome", "Y", "--identifiers", "", "--probability", "0.5")
    for command in (
        ("init", "clinic.csv", *roles, "--yes"),
        ("check", "clinic"),
        ("run", "clinic", "paper_trial", "--rows", "100", "--generator", "cart"),
    ):
        done = subprocess.run(
            [installed / "hybrid", *command],
            cwd=tmp_path,
            env=environment() | {"HYBRID_STUDIES": "studies" if command[0] != "init" else ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name for path in (tmp_path / ".hybrid" / "trials" / "reports").iterdir()}
    assert made == {"clinic", "paper_trial"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_page_is_served_on_loopback_only(installed: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [installed / "hybrid", "ui", "--port", str(port)],
        cwd=tmp_path,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert answers(port)
        assert listening_addresses(port) == {"127.0.0.1"}
    finally:
        os.killpg(server.pid, 15)
        server.wait(60)
    assert (tmp_path / ".hybrid" / "dagster" / "dagster.yaml").is_file()


def answers(port: int) -> bool:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=2).close()
        except OSError:
            time.sleep(0.5)
        else:
            return True
    return False


def listening_addresses(port: int) -> set[str]:
    """Give the IPv4 addresses that something listens on at `port`; ``any6`` for IPv6."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        address, _, hexadecimal = local.partition(":")
        if state == "0A" and int(hexadecimal, 16) == port:
            found.add(socket.inet_ntoa(bytes.fromhex(address)[::-1]))
    for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        if state == "0A" and int(local.partition(":")[2], 16) == port:
            found.add("any6")
    return found
