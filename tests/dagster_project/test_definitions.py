"""The code location: what it imports, what it holds, and that the tools accept it."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import yaml

from dagster_project.definitions import defs

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


def test_both_entries_name_the_same_code_location() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text())
    module = workspace["load_from"][0]["python_module"]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert module["module_name"] == project["code_location_target_module"]
    assert module["location_name"] == project["code_location_name"]


def test_every_path_from_confidential_rows_to_shareable_ones_passes_a_blocking_check() -> None:
    location = defs()
    graph = location.resolve_asset_graph()
    blocking = {check.asset_key for check in graph.asset_check_keys if graph.get(check).blocking}
    for spec in location.resolve_all_asset_specs():
        if spec.key.path[-1] in ("hybrid_triplets", "full_synthetic", "synthetic_covariates"):
            assert spec.key in blocking


def dg_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("dg"), *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_dg_check_yaml_accepts_the_studies() -> None:
    shown = dg_cli("check", "yaml")
    assert shown.returncode == 0, shown.stdout + shown.stderr


if __name__ == "__main__":
    PINNED_GRAPH.write_text(graph_as_text("paper_trial"))
