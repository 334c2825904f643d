"""The real page in Chromium: a study is materialized by clicking, and a person sees what came out.

With ``HYBRID_PICTURES=docs/pictures`` (``make pictures``) the steps leave their screenshots there.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.dagster_project.conftest import SMALL_STUDY

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="needs Chromium and its driver (apt-get install chromium chromium-driver)",
    ),
]
webdriver = pytest.importorskip("selenium.webdriver", reason="needs pip install '.[browser]'")

PICTURES = os.environ.get("HYBRID_PICTURES")
UPSTREAM = "?view=lineage&lineageScope=upstream&lineageDepth=9"
SECONDS_FOR_A_PAGE, SECONDS_FOR_A_RUN = 90, 900
STUDY = SMALL_STUDY | {
    "name": "clinic",
    "title": "A small trial",
    "owners": ["team:biostatistics"],
    "generators": ["bootstrap", "cart"],
    "gates": {
        "overrides": [
            {
                "gate": "privacy_verdict",
                "generator": "cart",
                "person": "Ada Lovelace",
                "reason": "300 simulated people",
            }
        ]
    },
}


@dataclass(frozen=True)
class Page:
    """The page as a person meets it: addresses, words, buttons, pictures."""

    driver: Any
    address: str

    def open(self, path: str, *words: str) -> None:
        """Go to a path and wait for words to stand there."""
        self.driver.get(f"{self.address}{path}")
        self.sees(*words)

    def sees(self, *words: str, seconds: int = SECONDS_FOR_A_PAGE) -> None:
        end = time.monotonic() + seconds
        while missing := [word for word in words if word not in self.text]:
            assert time.monotonic() < end, f"{missing} not in:\n{self.text}"
            time.sleep(0.5)

    @property
    def text(self) -> str:
        return str(self.driver.execute_script("return document.body.innerText"))

    def click(self, words: str, *, row: str = "") -> None:
        """Click on what says exactly `words`, in the table row that begins with `row`."""
        within = f"//tr[td[1]//*[text()='{row}']]" if row else ""
        path = f"{within}//*[normalize-space(text())='{words}']"
        end = time.monotonic() + SECONDS_FOR_A_PAGE
        while not (found := self.driver.find_elements("xpath", path)):
            assert time.monotonic() < end, f"{path} not in:\n{self.text}"
            time.sleep(0.5)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
        found[0].click()

    def shown_picture(self) -> tuple[int, int]:
        """Wait for a picture of the asset's metadata, and give its own width and height."""
        script = (
            "const i = document.querySelector(\"img[src^='data:image/png']\");"
            "return i && i.complete ? [i.naturalWidth, i.naturalHeight] : null"
        )
        end = time.monotonic() + SECONDS_FOR_A_PAGE
        while not (size := self.driver.execute_script(script)):
            assert time.monotonic() < end, "no picture"
            time.sleep(0.5)
        return size[0], size[1]

    def photograph(self, name: str) -> None:
        """Keep the page as a picture of the documentation, where that is asked for."""
        if PICTURES:
            time.sleep(3)  # the graph has slid into its place
            assert self.driver.save_screenshot(f"{PICTURES}/{name}.png")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("web")
    (folder / "studies" / "clinic").mkdir(parents=True)
    study = {"type": "dagster_project.component.StudyComponent", "attributes": STUDY}
    (folder / "studies" / "clinic" / "defs.yaml").write_text(yaml.safe_dump(study))
    own = {"HYBRID_HOME": str(folder / "home"), "HYBRID_STUDIES": str(folder / "studies")}
    return {**os.environ, **own}


def hybrid(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dagster_project.command_line", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def page(environment: dict[str, str]) -> Iterator[Page]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.command_line", "ui", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{flag}")
    options.add_argument("--window-size=1440,1000")
    try:
        address = _when_it_answers(f"http://127.0.0.1:{port}")
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        try:
            yield Page(driver, address)
        finally:
            driver.quit()
    finally:
        os.killpg(server.pid, 15)
        server.wait(60)


def _when_it_answers(address: str) -> str:
    for _ in range(360):
        try:
            urllib.request.urlopen(f"{address}/server_info", timeout=2).close()
        except OSError:
            time.sleep(0.5)
        else:
            return address
    pytest.fail("the web server did not answer within three minutes")


@pytest.fixture(scope="module")
def materialized(page: Page) -> Page:
    """Open the study's job, click on *Materialize all*, and wait for the run to succeed."""
    page.open("/locations/hybrid-assets/jobs/refresh_clinic", "refresh_clinic", "Materialize all")
    assert "A small trial: every table, check and the report, from the source." in page.text
    page.click("Materialize all")
    page.sees("Launched run")
    page.open("/runs", "refresh_clinic")
    page.sees("Success", seconds=SECONDS_FOR_A_RUN)
    return page


def test_the_graph_is_grouped_by_study(page: Page) -> None:
    page.open("/asset-groups", "paper_trial", "nhefs", "clinic")
    assert "Join the Dagster community" not in page.text  # it asks for an address to send away


def test_an_asset_tells_what_it_is(page: Page) -> None:
    page.open("/assets/nhefs/gan/hybrid_triplets", "targeted to the seed", "epidemiology")


def test_the_study_is_materialized_by_clicking(materialized: Page) -> None:
    materialized.open("/runs", "Success")
    path = f"/assets/clinic/cart/hybrid_triplets{UPSTREAM}"
    materialized.open(path, "seed_table", "propensity_model", "outcome_model", "hybrid_triplets")
    materialized.photograph("asset_graph")


@pytest.mark.parametrize(
    ("asset", "words", "name"),
    [
        ("propensity_model", "P(treatment | covariates)", "ui_overlap"),
        ("cart/privacy_evaluation", "distance", "ui_distances"),
    ],
)
def test_a_picture_opens(materialized: Page, asset: str, words: str, name: str) -> None:
    materialized.open(f"/assets/clinic/{asset}", words, "picture")
    materialized.click("[Show Markdown]", row="picture")
    width, height = materialized.shown_picture()
    assert width >= 500
    assert height >= 250
    materialized.photograph(name)


def test_a_failed_gate_says_why(materialized: Page) -> None:
    path = "/assets/clinic/bootstrap/privacy_evaluation?view=checks&checkDetail=copies"
    materialized.open(path, "copies", "Failed", "copies_share", "holdout_copies_share")
    assert "no more often than unseen people do" in materialized.text
    materialized.photograph("ui_failed_gate")


def test_a_release_shows_what_it_was_made_from(
    materialized: Page, environment: dict[str, str]
) -> None:
    cart = ("clinic", "--generator", "cart")
    signed = ("--reviewer", "Grace Hopper", "--reason", "read it all")
    commands = (("release", *cart), ("approve", *cart, *signed), ("release", *cart))
    done = [hybrid(environment, *command) for command in commands]
    assert [each.returncode for each in done] == [3, 0, 0], [each.stdout for each in done]
    materialized.open(
        f"/assets/clinic/cart/release_bundle{UPSTREAM}",
        *("release_bundle", "release_candidate", "hybrid_triplets", "seed_table"),
    )
    materialized.photograph("ui_release_lineage")
    materialized.open("/assets/clinic/cart/release_bundle", "Latest materialization", "card.json")
