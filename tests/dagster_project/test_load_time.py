"""Fifty studies load, and cost no import more than one: what is done is counted, not seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import gc, json, sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
from dagster_project.definitions import defs
location = defs()
assert gc.isenabled()
print(json.dumps({
    "modules": sorted(sys.modules),
    "study_files": [path for path in opened if path.endswith("defs.yaml")],
    "jobs": sorted(job.name for job in location.resolve_all_job_defs()),
}))
"""
HEAVY = {"torch", "transformers", "be_great", "ctgan", "great_expectations", "opendp", "sklearn"}
HEAVY |= {"scipy", "matplotlib", "jinja2", "sqlalchemy"}
MOST_OWN_MODULES = 300  # 245 when this was written


def loaded(folder: Path, n_studies: int) -> dict[str, list[str]]:
    for i in range(n_studies):
        (folder / f"s{i}").mkdir(parents=True)
        (folder / f"s{i}" / "defs.yaml").write_text(
            "type: dagster_project.component.StudyComponent\n"
            f"attributes: {{name: s{i}, title: t, source: {{kind: csv, path: seed.csv}}, "
            "treatment: A, outcome: Y, design: {kind: observational}, generators: [cart], "
            "schedule: {cron: '0 3 * * 1'}, on_new_seed: true, random_seed: 1}\n"
        )
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env={**os.environ, "HYBRID_STUDIES": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, list[str]] = json.loads(shown.stdout)
    return told


def test_fifty_studies_import_what_one_does(tmp_path: Path) -> None:
    one, fifty = loaded(tmp_path / "one", 1), loaded(tmp_path / "fifty", 50)
    assert fifty["modules"] == one["modules"]
    assert {f"refresh_s{i}" for i in range(50)} <= set(fifty["jobs"])
    packages = {module.partition(".")[0] for module in fifty["modules"]}
    assert not packages & HEAVY
    read_once = sorted(str(file) for file in tmp_path.glob("fifty/*/defs.yaml"))
    assert sorted(f for f in fifty["study_files"] if f.startswith(str(tmp_path))) == read_once
    own = [m for m in fifty["modules"] if m.split(".")[0] in ("hybrid_assets", "dagster_project")]
    assert len(own) <= MOST_OWN_MODULES
