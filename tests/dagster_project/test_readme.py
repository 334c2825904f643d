"""What the README shows is accepted by the code."""

import re
from pathlib import Path

import typer
import yaml

from dagster_project.command_line import app
from dagster_project.study_file import StudyFile

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_study_in_the_readme_is_valid() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    study = StudyFile.model_validate(yaml.safe_load(shown)["attributes"])
    assert list(study.generators) == ["cart", "gan", "llm"]


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make (\w+)", README, flags=re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_every_command_is_documented_with_an_example() -> None:
    command = typer.main.get_command(app)
    for name, each in command.commands.items():  # type: ignore[attr-defined]
        assert re.search(rf"^\| .*`\.venv/bin/hybrid {name}\b", README, flags=re.MULTILINE), name
        assert f"Example: hybrid {name}" in (each.help or ""), name
        for option in each.params:
            assert getattr(option, "help", None), f"{name}: {option.name}"
