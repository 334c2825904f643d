"""The image as it was built: its user, its packages, a step in it.

``HYBRID_IMAGE`` names it, ``buildah`` runs it; with ``BUILDAH_ISOLATION=chroot`` and
``STORAGE_DRIVER=vfs`` where nothing better may be used.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.hosts.conftest import STUDY
from tests.hosts.test_two_hosts import DRIVER

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(1800)]
IMAGE = os.environ.get("HYBRID_IMAGE", "")
NOBODY = 10001


def buildah(*words: str) -> str:
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Give what runs a command in the image, with a home of its user."""
    if not IMAGE or shutil.which("buildah") is None:
        pytest.skip("HYBRID_IMAGE names no image, or there is no buildah")
    home = tmp_path_factory.mktemp("image")
    study = home / "studies" / "tiny"
    study.mkdir(parents=True)
    (study / "defs.yaml").write_text(STUDY)
    for place in (home, study.parent, study):
        os.chown(place, NOBODY, NOBODY)
    container = buildah("from", "--pull-never", IMAGE)
    run = ["run", "--env", "HYBRID_STUDIES=/var/lib/hybrid/studies"]
    run += ["--volume", f"{home}:/var/lib/hybrid", container, "--"]
    yield lambda *words: buildah(*run, *words)
    buildah("rm", container)


def test_nobody_runs_what_is_pinned(inside: Callable[..., str]) -> None:
    assert inside("id", "-u") == str(NOBODY)
    assert inside("pip", "check") == "No broken requirements found."
    assert "approve" in inside("hybrid", "--help")
    owned = inside("stat", "--format", "%u %a", "/opt/dagster/dagster_home", "/var/lib/hybrid")
    assert owned.splitlines() == [f"{NOBODY} 700"] * 2
    assert inside("sh", "-c", "test -w /opt/hybrid/bin/dagster || echo no") == "no"


def test_a_step_writes_to_its_home_alone(inside: Callable[..., str]) -> None:
    driver = ["python", "-W", "ignore", "-c", DRIVER, "seed_table", "splits"]
    inside("sh", "-c", 'touch /tmp/before && "$@"', "sh", *driver)
    left = "find / -xdev -user $(id -u) -newer /tmp/before -type f 2> /dev/null"
    left += " | grep -vE '^/(proc|sys|dev|var/lib/hybrid)/'; true"
    assert inside("sh", "-c", left) == ""
    inside("test", "-s", "/var/lib/hybrid/warehouse/tiny.duckdb")
