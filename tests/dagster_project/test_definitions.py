"""The code location: what it imports, what it holds, and that the tools accept it."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from dagster_project.definitions import defs
from dagster_project.study_file import read_study_file

PROJECT = Path(__file__).parents[2]
PINNED_GRAPH = Path(__file__).with_name("asset_graph.txt")
HEAVY = ("torch", "transformers", "be_great", "ctgan", "great_expectations", "sklearn")


def graph_as_text(study: str) -> str:
    """Write one line for each asset: key, kinds, tags, owners, pool; then its inputs and checks."""
    location = defs()
    checks = location.resolve_asset_graph().asset_check_keys
    lines = []
    for spec in sorted(location.resolve_all_asset_specs(), key=lambda s: s.key.to_user_string()):
        if spec.key.path[0] != study:
            continue
        lines.append(
            f"{spec.key.to_user_string()} [{', '.join(sorted(spec.kinds))}] "
            f"{spec.tags['privacy']} {' '.join(spec.owners)}"
        )
        lines += [f"    < {dep.asset_key.to_user_string()}" for dep in spec.deps]
        lines += sorted(f"    ? {check.name}" for check in checks if check.asset_key == spec.key)
    return "\n".join(lines) + "\n"


def test_the_asset_graph_is_as_pinned() -> None:
    """Write it anew with ``python tests/dagster_project/test_definitions.py``."""
    assert graph_as_text("paper_trial") == PINNED_GRAPH.read_text()


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys, json, dagster_project.definitions as d; d.defs(); "
        f"print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    )
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout) == []


def test_definitions_are_loadable() -> None:
    dg.Definitions.validate_loadable(defs())
    jobs = {job.name for job in defs().resolve_all_job_defs()}
    assert {"refresh_paper_trial", "refresh_nhefs"} <= jobs
    assert {"simulate_paper_trial", "simulate_nhefs"} <= jobs


def test_an_asset_is_of_one_job() -> None:
    location = defs()
    wanted: dict[str, set[dg.AssetKey]] = {"refresh": set(), "simulate": set(), "release": set()}
    for spec in location.resolve_all_asset_specs():
        if spec.key.path[0] == "nhefs":
            wanted[spec.tags["job"]].add(spec.key)
    assert dg.AssetKey(["nhefs", "gan", "estimator_benchmark"]) in wanted["simulate"]
    for word, keys in wanted.items():
        job = location.resolve_job_def(f"{word}_nhefs")
        assert set(job.asset_layer.selected_asset_keys) == keys
    assert dg.AssetKey(["nhefs", "cart", "release_candidate"]) in wanted["release"]
    assert "estimator_benchmark" not in " ".join(map(str, wanted["refresh"]))


def test_both_entries_name_the_same_code_location() -> None:
    workspace = yaml.safe_load((PROJECT / "dagster_project" / "workspace.yaml").read_text())
    module = workspace["load_from"][0]["python_module"]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert module["module_name"] == project["code_location_target_module"]
    assert module["location_name"] == project["code_location_name"]


def test_every_table_of_synthetic_rows_has_a_blocking_check() -> None:
    location = defs()
    graph = location.resolve_asset_graph()
    blocking = {check.asset_key for check in graph.asset_check_keys if graph.get(check).blocking}
    for spec in location.resolve_all_asset_specs():
        if spec.key.path[-1] in ("hybrid_triplets", "full_synthetic", "synthetic_covariates"):
            assert spec.key in blocking


Links = dict[str, list[str]]


def unguarded_origins(links: Links, start: str, guarded: set[str]) -> set[str]:
    """Name all that `start` is made from, directly or not, without passing a guarded asset."""
    found: set[str] = set()
    ahead = list(links.get(start, ()))
    while ahead:
        asset = ahead.pop()
        if asset not in found | guarded:
            found.add(asset)
            ahead += links.get(asset, [])
    return found


@pytest.mark.parametrize(
    ("links", "reached"),
    [
        ({"bundle": ["candidate"], "candidate": ["seed"]}, set()),
        ({"bundle": ["candidate", "scores"], "candidate": ["seed"], "scores": []}, {"scores"}),
        ({"bundle": ["scores"], "scores": ["seed"], "candidate": ["seed"]}, {"scores", "seed"}),
        ({"bundle": ["seed"]}, {"seed"}),
    ],
)
def test_a_way_around_the_guard_is_found(links: Links, reached: set[str]) -> None:
    assert unguarded_origins(links, "bundle", {"candidate"}) == reached


def test_every_path_from_people_to_a_release_passes_blocking_privacy_gates() -> None:
    location = defs()
    graph = location.resolve_asset_graph()
    specs = {s.key.to_user_string(): s for s in location.resolve_all_asset_specs()}
    links = {k: [d.asset_key.to_user_string() for d in s.deps] for k, s in specs.items()}
    guarded = {
        check.asset_key.to_user_string()
        for check in graph.asset_check_keys
        if check.name == "gate_privacy_verdict" and graph.get(check).blocking
    }
    assert "paper_trial/cart/release_candidate" in guarded
    people = {name for name, spec in specs.items() if spec.tags["privacy"] == "confidential"}
    released = [name for name, spec in specs.items() if spec.tags["privacy"] == "release"]
    assert "paper_trial/cart/release_bundle" in released
    for name in released:
        assert people.isdisjoint(unguarded_origins(links, name, guarded)), name


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """Copy what `dg` needs of the project, so that it can be written to."""
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    for package in ("dagster_project", "hybrid_assets", "warehouse"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=ignored)
    return tmp_path


def dg_cli(*arguments: str, project: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("dg"), *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("study", ["actg175", "nhanes", "nhefs", "paper_trial"])
def test_dg_check_yaml_accepts_the_studies(study: str) -> None:
    shown = dg_cli("check", "yaml", f"dagster_project/defs/{study}")
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_dg_lists_the_assets_of_the_studies() -> None:
    shown = dg_cli("list", "defs", "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    keys = {asset["asset_key"] for asset in json.loads(shown.stdout)["assets"]}
    assert {"nhefs/gan/hybrid_triplets", "paper_trial/seed_table"} <= keys


def test_a_scaffolded_study_is_accepted_and_a_misspelt_generator_is_not(project_copy: Path) -> None:
    component = "dagster_project.component.StudyComponent"
    shown = dg_cli("scaffold", "defs", component, "my_study", project=project_copy)
    file = project_copy / "dagster_project" / "defs" / "my_study" / "defs.yaml"
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert read_study_file(file).name == "my_study"

    written = yaml.safe_load(file.read_text())
    written["attributes"]["generators"] = {"lmm": {"kind": "lmm"}}
    file.write_text(yaml.safe_dump(written, sort_keys=False))
    (line,) = (
        n for n, text in enumerate(file.read_text().splitlines(), 1) if "generators:" in text
    )
    # Named, since dg 1.13 validates the last file of each component type only.
    shown = dg_cli("check", "yaml", str(file.parent), project=project_copy)
    assert shown.returncode == 1, shown.stdout + shown.stderr
    assert f"my_study/defs.yaml:{line}" in shown.stdout + shown.stderr
    assert "lmm" in shown.stdout + shown.stderr


if __name__ == "__main__":
    PINNED_GRAPH.write_text(graph_as_text("paper_trial"))
