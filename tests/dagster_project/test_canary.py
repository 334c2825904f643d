"""No cell of a seed table is found outside the tables and models, whatever happens to a study."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.dagster_project.canary_table import NUMBERS, TOKEN, canary_table, found_cells, leaks

# What is meant to hold rows, and models fitted to them; their pictures are not.
ROWS = ("warehouse/*.duckdb*", "models/*/*.json", "models/*/*.arrow", "models/*/*.safetensors")
PRIVATE_ERRORS = "errors/redacted_errors.log"
STUDY = {
    "title": "Every cell can be recognised",
    "source": {"kind": "csv", "path": "seed.csv"},
    "treatment": "arm",
    "outcome": "score",
    "identifiers": ["patient"],
    "covariates": {"smoker": {}, "site": {"kind": "categorical"}, "income": {"kind": "continuous"}},
    "design": {"kind": "trial", "probability": 0.5},
    "assignment": "randomised",
    "nuisance": {"n_fold_draws": 1, "outcome_library": ["linear"]},
    "generators": ["bootstrap", "cart"],
    "n_synthetic": 300,
    "random_seed": 11,
}
# Python imports this in every process: each text that a picture shows is written down.
WRITE_DOWN_TEXTS = """
import os, sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

class Recorder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "matplotlib.backends.backend_agg":
            return None
        spec = PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            draw = module.RendererAgg.draw_text

            def draw_text(self, gc, x, y, s, *rest, **named):
                with open(os.environ["DRAWN_TEXTS"], "a") as file:
                    file.write(s + chr(10))
                return draw(self, gc, x, y, s, *rest, **named)

            module.RendererAgg.draw_text = draw_text

        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Recorder())
"""
# pandas, DuckDB and scikit-learn quote the cells that they cannot use; so does this generator.
FAIL = """
import sys
from pathlib import Path

import dagster as dg

from dagster_project.instance import prepare_instance

prepare_instance()

from dagster_project.command_line import console
from dagster_project.definitions import RESOURCES, SENSORS
from dagster_project.factory import study_definitions
from dagster_project.run_display import RunDisplay
from dagster_project.study_file import read_study_file
from hybrid_assets.generators.cart import CartGenerator


def fit(self, table, *rest, **named):
    raise ValueError(f"cannot fit {table.to_dict()}")


CartGenerator.fit = fit
for file in map(Path, sys.argv[1:]):
    made = study_definitions(read_study_file(file), file.parent)
    wanted = ("seed_table", "splits", "fitted_generator")
    result = dg.materialize(
        [*made.assets, *made.asset_checks],
        selection=[key for a in made.assets for key in a.keys if key.path[-1] in wanted],
        instance=dg.DagsterInstance.get(),
        resources=RESOURCES,
        raise_on_error=False,
    )
    assert not result.success
    with RunDisplay(console) as display:
        for event in result.all_events:
            display(event)
"""


def write_study(folder: Path, name: str, table: pd.DataFrame) -> Path:
    (folder / name).mkdir(parents=True)
    table.to_csv(folder / name / "seed.csv", index=False)
    study = {
        "type": "dagster_project.component.StudyComponent",
        "attributes": STUDY | {"name": name},
    }
    file = folder / name / "defs.yaml"
    file.write_text(yaml.safe_dump(study))
    return file


def test_a_failure_quotes_no_cell(tmp_path: Path) -> None:
    table, studies, home = canary_table(), tmp_path / "studies", tmp_path / "home"
    spoiled = {
        "generator_fails": table,
        "treatment_is_text": table.assign(arm=table["patient"]),
        "number_is_text": table.assign(
            income=table["income"].astype(str).mask(table.index == 7, TOKEN)
        ),
        "outcome_is_huge": table.assign(score=table["score"].mask(table.index == 7, float("inf"))),
        "person_twice": table.assign(patient=table["patient"].mask(table.index < 2, f"{TOKEN}two")),
        "one_arm": table.assign(arm=1),
    }
    files = [write_study(studies, name, rows) for name, rows in spoiled.items()]
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FAIL, *map(str, files)],
        env={**os.environ, "HYBRID_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "failed  generator_fails__cart__fitted_generator: Error occurred" in shown.stdout
    assert found_cells((shown.stdout + shown.stderr).encode(), table) == set()
    assert TOKEN in (home / PRIVATE_ERRORS).read_text()
    assert leaks(home, table, left_out=(*ROWS, PRIVATE_ERRORS)) == {}
    assert [f for f in home.rglob("*") if f.stat().st_mode & 0o077] == []


@dataclass(frozen=True)
class Shown:
    home: Path
    printed: dict[str, str]
    drawn: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Run the canary study, a trial of it, and each command that tells of it."""
    folder = tmp_path_factory.mktemp("canary")
    write_study(folder / "studies", "canary", canary_table())
    (folder / "hooks").mkdir()
    (folder / "hooks" / "sitecustomize.py").write_text(WRITE_DOWN_TEXTS)
    paths = (str(folder / "hooks"), os.environ.get("PYTHONPATH", ""))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "DRAWN_TEXTS": str(folder / "drawn.txt"),
        "HYBRID_HOME": str(folder / "home"),
        "HYBRID_STUDIES": str(folder / "studies"),
        "HYBRID_WEBHOOK": "http://127.0.0.1:9/hook-secret",
    }
    printed = {}
    for command in (
        "check canary --json",
        "run canary",
        "run canary --generator cart --rows 100",
        "status canary --json",
        "report canary",
        "release canary --generator cart",
        "release canary --generator bootstrap",
        "audit canary --json",
        "audit canary --generator cart",
        "audit canary --check",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "dagster_project.command_line", *command.split()],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        printed[command] = done.stdout + done.stderr
    return Shown(folder / "home", printed, (folder / "drawn.txt").read_text())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_a_trial_and_a_release_show_no_cell(shown: Shown) -> None:
    table = canary_table()
    assert (shown.home / "reports" / "canary" / "study_report.html").is_file()
    assert (shown.home / "trials" / "reports" / "canary" / "study_report.html").is_file()
    assert json.loads(shown.printed["check canary --json"])["runnable"]
    assert (
        "check not passed  canary/bootstrap/privacy_evaluation: copies"
        in shown.printed["run canary"]
    )
    assert {
        c: found
        for c, text in shown.printed.items()
        if (found := found_cells(text.encode(), table))
    } == {}
    of_trials = tuple(f"trials/{pattern}" for pattern in ROWS)
    assert leaks(shown.home, table, left_out=(*ROWS, *of_trials)) == {}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_picture_writes_a_cell(shown: Shown) -> None:
    assert "propensity" in shown.drawn
    assert found_cells(shown.drawn.encode(), canary_table()) == set()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_secrets_and_modes_of_the_home(shown: Shown) -> None:
    assert [f for f in shown.home.rglob("*") if f.stat().st_mode & 0o077] == []
    holding = [f for f in shown.home.rglob("*") if f.is_file() and b"hook-secret" in f.read_bytes()]
    assert holding == []


def test_the_search_finds_cells_wherever_they_are(tmp_path: Path) -> None:
    """In text, rounded, as a float, in a database, in a picture of a page."""
    import base64
    import io
    import sqlite3
    import struct

    from matplotlib.figure import Figure

    table = canary_table()
    number = table["income"].iloc[3]
    picture = io.BytesIO()
    Figure().savefig(picture, format="png", metadata={"Title": f"{TOKEN}0003"})
    packed = base64.b64encode(picture.getvalue()).decode()
    with sqlite3.connect(tmp_path / "events.db") as database:
        database.execute("CREATE TABLE events (body TEXT)")
        page = f'<img src="data:image/png;base64,{packed}">'
        database.execute("INSERT INTO events VALUES (?)", ["x" * 9000 + page])
    (tmp_path / "log.txt").write_text(f"mean 735500.12, cell {number:.3f}")
    (tmp_path / "model.bin").write_bytes(struct.pack("<d", number))
    (tmp_path / "page.html").write_text(page)
    (tmp_path / "means.txt").write_text(", ".join(f"{table[name].mean():.3f}" for name in NUMBERS))
    found = leaks(tmp_path, table, left_out=("page.htm",))
    assert found == {
        "events.db": {TOKEN},
        "log.txt": {f"{number:.3f}"},
        "model.bin": {f"float64 {number}"},
        "page.html": {TOKEN},
    }
