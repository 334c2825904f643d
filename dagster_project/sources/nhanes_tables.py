"""The US health survey NHANES as a study of adults: from either form to the same columns.

Columns: ``seqn``; ``age`` (years, 80 stands for 80 and over), ``female``,
``race``, ``education``, ``marital``, ``income_ratio`` (family income over the
poverty line, 5 for 5 and over), ``bmi`` (kg/m²), ``smoker`` (100 cigarettes in
a lifetime), ``diabetes``; ``cvd`` (ever told of a heart attack or a stroke) and
the outcome, yes or no. Refused and unknown answers are missing values.
"""

from io import BytesIO

import numpy as np
import pandas as pd

ADULT = 20  # years; younger people are not asked about heart attacks
NO_MORE_THAN_ZERO = 1e-70  # a zero of SAS transport files is read as 5.4e-79

RACE = {
    1: "Mexican American",
    2: "Other Hispanic",
    3: "Non-Hispanic White",
    4: "Non-Hispanic Black",
    6: "Non-Hispanic Asian",
    7: "Other or multi-racial",
}
EDUCATION = {
    1: "Less than 9th grade",
    2: "9-11th grade",
    3: "High school",
    4: "Some college",
    5: "College graduate",
}
MARITAL = {
    1: "Married",
    2: "Widowed",
    3: "Divorced",
    4: "Separated",
    5: "Never married",
    6: "Living with partner",
}
DIABETES = {1: "yes", 2: "no", 3: "borderline"}
YES_NO = {1: 1.0, 2: 0.0}
PACKAGED_WORDS = {
    "Other Race - Including Multi-Racial": "Other or multi-racial",
    "9-11th grade (Includes 12th grade with no diploma)": "9-11th grade",
    "High school graduate/GED or equivalent": "High school",
    "Some college or AA degree": "Some college",
    "College graduate or above": "College graduate",
    "0": "no",
    "1": "yes",
    "Borderline": "borderline",
}
PACKAGED_COLUMNS = {
    "SEQN": "seqn",
    "AgeInYearsAtScreening": "age",
    "Gender": "female",
    "RacehispanicOriginWNhAsian": "race",
    "EducationLevelAdults20": "education",
    "MaritalStatus": "marital",
    "RatioOfFamilyIncomeToPoverty": "income_ratio",
    "BodyMassIndexKgm2": "bmi",
    "SmokedAtLeast100CigarettesInLife": "smoker",
    "DoctorToldYouHaveDiabetes": "diabetes",
    "EverToldYouHadHeartAttack": "heart_attack",
    "EverToldYouHadAStroke": "stroke",
    "HaveSeriousDifficultyWalking": "difficulty_walking",
}


def packaged_nhanes_table(content: bytes) -> pd.DataFrame:
    """Read the survey of 2017-2018 as the package `nhanes` recoded it.

    The outcome is ``difficulty_walking``: serious difficulty walking or
    climbing stairs (DLQ050).
    """
    wanted = list(PACKAGED_COLUMNS)
    people = pd.read_csv(BytesIO(content), sep="\t", usecols=wanted, low_memory=False)
    people = people[wanted].rename(columns=PACKAGED_COLUMNS)
    people["female"] = (people["female"] == "Female").astype("int64")
    words = ["race", "education", "marital", "diabetes"]
    people[words] = people[words].replace(PACKAGED_WORDS)
    people["education"] = people["education"].where(people["education"].isin(EDUCATION.values()))
    return adults_who_answered(people, "difficulty_walking")


def coded_nhanes_table(coded: pd.DataFrame) -> pd.DataFrame:
    """Recode the survey's own variables.

    The outcome is ``pfq051``: limited in the kind or amount of work one can do.

    Parameters
    ----------
    coded : DataFrame
        One row for each person, with the columns of `XPT_COLUMNS`.
    """
    people = pd.DataFrame(
        {
            "seqn": coded["SEQN"].astype("int64"),
            "age": coded["RIDAGEYR"],
            "female": (coded["RIAGENDR"] == 2).astype("int64"),
            "race": coded["RIDRETH3"].map(RACE),
            "education": coded["DMDEDUC2"].map(EDUCATION),
            "marital": coded["DMDMARTL"].map(MARITAL),
            "income_ratio": coded["INDFMPIR"],
            "bmi": coded["BMXBMI"],
            "smoker": coded["SMQ020"].map(YES_NO),
            "diabetes": coded["DIQ010"].map(DIABETES),
            "heart_attack": coded["MCQ160E"].map(YES_NO),
            "stroke": coded["MCQ160F"].map(YES_NO),
            "pfq051": coded["PFQ051"].map(YES_NO),
        }
    )
    return adults_who_answered(people, "pfq051")


XPT_COLUMNS = {
    "DEMO": (
        *("SEQN", "RIDAGEYR", "RIAGENDR", "RIDRETH3"),
        *("DMDEDUC2", "DMDMARTL", "INDFMPIR"),
    ),
    "BMX": ("SEQN", "BMXBMI"),
    "DIQ": ("SEQN", "DIQ010"),
    "MCQ": ("SEQN", "MCQ160E", "MCQ160F"),
    "PFQ": ("SEQN", "PFQ051"),
    "SMQ": ("SEQN", "SMQ020"),
}


def adults_who_answered(people: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Combine heart attack and stroke into ``cvd`` and keep adults with `cvd` and `outcome`.

    One yes makes `cvd` 1, two noes make it 0; anything else is no answer.
    """
    told = people[["heart_attack", "stroke"]]
    cvd = told.max(axis=1).where((told == 1).any(axis=1) | told.notna().all(axis=1))
    ratio = people["income_ratio"].mask(people["income_ratio"].abs() < NO_MORE_THAN_ZERO, 0.0)
    people = people.drop(columns=told.columns).assign(cvd=cvd, income_ratio=ratio)
    answered = people[["cvd", outcome]].notna().all(axis=1) & (people["age"] >= ADULT)
    kept = people.loc[answered].reset_index(drop=True)
    columns = [name for name in kept.columns if name not in ("cvd", outcome)]
    whole = {name: np.int64 for name in ("seqn", "age", "cvd", outcome)}
    return kept[[*columns, "cvd", outcome]].astype(whole)
