"""What the README shows is accepted by the code."""

import re
from pathlib import Path

import yaml

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
