"""The study model: roles, defaults, refusals, hash and random streams."""

import numpy as np
import pytest
from pydantic import ValidationError

from hybrid_assets.estimators import EffectQuestions
from hybrid_assets.nuisance import ForestSettings
from hybrid_assets.schema import ColumnKind
from hybrid_assets.study import Study

BASE = {
    "name": "demo",
    "title": "A demo",
    "treatment": "A",
    "outcome": "Y",
    "design": {"kind": "observational"},
    "generators": {"bootstrap": {}},
    "random_seed": 1,
}


def study(**changes: object) -> Study:
    return Study.model_validate(BASE | changes)


def test_generator_kind_defaults_to_its_name() -> None:
    named = study(generators={"gan": {}, "gan_short": {"kind": "gan", "steps": 10}}).generators
    assert [settings.kind for settings in named.values()] == ["gan", "gan"]
    assert named["gan_short"].steps == 10


def test_questions_are_what_the_study_names() -> None:
    asked = study(estimands=["ate", "att"], subgroups=["W1"], estimators=["tmle"]).questions
    assert asked == EffectQuestions(("tmle",), ("ate", "att"), ("W1",))
    assert study().questions == EffectQuestions()


def test_lists_of_generators_and_covariates_are_names_with_defaults() -> None:
    listed = study(generators=["cart"], covariates=["W1", "W2"])
    assert list(listed.generators) == ["cart"]
    assert listed.covariates is not None
    assert listed.covariates["W2"].kind is None


def test_declared_kind_is_kept() -> None:
    declared = study(covariates={"W1": {"kind": "ordinal", "levels": ["low", "high"]}, "W2": None})
    assert declared.covariates is not None
    assert declared.covariates["W1"].kind is ColumnKind.ORDINAL
    assert declared.covariates["W1"].levels == ("low", "high")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcom": "Y"}, "outcom\n  Extra inputs are not permitted"),
        ({"generators": {"lmm": {}}}, "unknown generator 'lmm'; known: bootstrap, cart, gan, llm"),
        ({"generators": {"Gan": {}}}, "generator name 'Gan': expected lower-case words"),
        ({"generators": {}}, "at least 1 item"),
        ({"generators": {"gan": {"stepps": 1}}}, "stepps\n  Extra inputs"),
        ({"covariates": ["W1", "W1"]}, r"covariates\n .*named more than once: \['W1'\]"),
        ({"covariates": []}, "expected at least one covariate; got none"),
        ({"covariates": ["W1", "A"]}, "study 'demo', column 'A': expected one role"),
        ({"identifiers": ["id"], "covariates": ["id"]}, "column 'id': expected one role"),
        ({"covariates": {"W1": {"levels": ["a"]}}}, "levels are given for kind: cat"),
        ({"covariates": {"W1": {"range": [2, 1]}}}, "range: expected the lower end first"),
        ({"covariates": {"W1": {"range": [0, "inf"]}}}, "finite number"),
        (
            {"covariates": {"W1": {"kind": "integer", "range": [0, 1.5]}}},
            "range of kind: integer: expected whole numbers",
        ),
        (
            {"covariates": {"W1": {"kind": "categorical", "range": [0, 1]}}},
            "range is given for numbers only",
        ),
        ({"estimators": ["aipw"]}, "estimators must include tmle"),
        ({"estimators": ["tmle", "ols"]}, r"unknown: \['ols'\]"),
        ({"estimators": ["tmle", "tmle"]}, r"named more than once: \['tmle'\]"),
        ({"estimands": ["att"]}, "estimands must include ate"),
        ({"estimands": ["ate", "hazard_ratio"]}, "Input should be 'ate', 'att', 'atc', 'risk_ra"),
        ({"subgroups": ["Y"]}, "study 'demo', column 'Y': expected a covariate as subgroup"),
        ({"subgroups": ["W2"], "covariates": ["W1"]}, "column 'W2': expected a covariate as sub"),
        ({"privacy": {"sensitive": ["Y"]}}, "column 'Y': expected a covariate as sensitive"),
        ({"privacy": {"sensitive": ["W1", "W1"]}}, r"named more than once: \['W1'\]"),
        ({"privacy": {"policy": {"membership_fial": 0.6}}}, "membership_fial\n  Extra inputs"),
        ({"name": "Demo Study"}, "String should match pattern"),
        ({"design": {"kind": "trial", "probability": 1.0}}, "less than 1"),
        ({"n_synthetic": 0}, "greater than or equal to 100"),
    ],
)
def test_refuses(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        study(**changes)


def test_known_propensity_is_the_trials() -> None:
    assert study().known_propensity is None
    assert study(design={"kind": "trial", "probability": 0.4}).known_propensity == 0.4


def test_hash_changes_with_any_setting_and_with_nothing_else() -> None:
    assert study().content_hash == study(missing="refuse").content_hash
    assert study().content_hash != study(random_seed=2).content_hash


OVERRIDE = {"gate": "row_budget", "generator": "bootstrap", "person": "Ada", "reason": "asked"}


def test_an_override_names_a_generator_and_decides_no_result() -> None:
    overridden = study(gates={"overrides": [OVERRIDE]})
    assert overridden.gates.override_of("row_budget", "bootstrap") is not None
    assert overridden.gates.override_of("positivity", "bootstrap") is None
    assert overridden.content_hash == study().content_hash
    assert overridden.content_hash == study(gates={"row_budget": 5}).content_hash
    message = "override of gate 'row_budget': unknown generator 'gan'; known: bootstrap"
    with pytest.raises(ValidationError, match=message):
        study(gates={"overrides": [OVERRIDE | {"generator": "gan"}]})


def test_a_changed_privacy_threshold_is_named() -> None:
    assert study().privacy.policy.name == "1"
    changed = study(privacy={"policy": {"membership_pass": 0.58, "rare_people": 20}})
    told = "1, changed: membership_pass 0.58 (default 0.6), rare_people 20 (default 11)"
    assert changed.privacy.policy.name == told
    assert changed.content_hash != study().content_hash


def test_random_streams_are_repeatable_and_differ_by_purpose() -> None:
    draws = [study().random_generator(word).integers(0, 2**62, 4) for word in ("a", "a", "b")]
    assert np.array_equal(draws[0], draws[1])
    assert not np.any(draws[0] == draws[2])


def test_the_published_recipe_is_one_switch() -> None:
    trial = {"design": {"kind": "trial", "probability": 0.5}}
    assert study(**trial).known_propensity == 0.5
    assert study(**trial).label == ""
    published = study(recipe="published", **trial)
    assert published.known_propensity is None
    assert published.design_probability == 0.5
    assert published.label == "published recipe: not for release"
    assert published.nuisance_models == ForestSettings()
    assert published.content_hash != study(**trial).content_hash


def test_the_published_recipe_takes_no_nuisance_settings() -> None:
    expected = "study 'demo': recipe published fits default forests; expected no nuisance"
    with pytest.raises(ValidationError, match=expected):
        study(recipe="published", nuisance={"n_folds": 2})


def test_the_published_recipe_has_no_sensitivity_to_set() -> None:
    expected = "recipe published has none; expected no sensitivity"
    with pytest.raises(ValidationError, match=expected):
        study(recipe="published", sensitivity={"n_replicates": 5})
    assert study(sensitivity={"n_replicates": 5}).sensitivity.n_replicates == 5


def test_an_overlap_dial_needs_an_observed_assignment() -> None:
    dials = {"dials": [{"overlap": 2.0}]}
    assert study(benchmark=dials).benchmark.dials[0].overlap == 2.0
    with pytest.raises(ValidationError, match="the dial overlap changes a propensity"):
        study(benchmark=dials, assignment="randomised")


DECLARED = {
    "age": {"kind": "integer", "range": [18, 90]},
    "weight": {"kind": "continuous", "range": [30, 200], "decimals": 1},
    "smoker": {"kind": "binary"},
    "site": {"kind": "categorical", "levels": ["north", "south", "west"]},
}
PRIVATE = {
    "generators": {"dp": {"epsilon": 1}, "cart": {}},
    "covariates": DECLARED,
    "outcome_range": [-5, 5],
    "outcome_decimals": 2,
}


def declared(**columns: object) -> dict[str, object]:
    return {"covariates": DECLARED | columns}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"covariates": None}, "study 'demo', covariates: expected each one declared for gen"),
        (declared(age={}), "study 'demo', column 'age': expected kind, stated for generator dp"),
        (declared(age={"kind": "integer"}), r"column 'age': expected range: \[lowest, highest\]"),
        (
            declared(weight={"kind": "continuous", "range": [0, 9]}),
            "column 'weight': expected decimals",
        ),
        (declared(site={"kind": "categorical"}), "column 'site': expected levels: all that there"),
        (
            declared(age={"kind": "integer", "range": [0, 9], "missing": "impute"}),
            "column 'age': expected missing: refuse or category",
        ),
        ({"missing": "drop_rows"}, "column 'age': expected missing: refuse or category"),
        ({"missing": "category"}, "column 'site': expected the level 'missing' among its levels"),
        (
            declared(weight={"kind": "continuous", "range": [0.25, 5], "decimals": 1}),
            r"column 'weight': expected a range that begins and ends at 1 decimals.*\[0.25, 5.0\]",
        ),
        ({"outcome_range": [0, 0.005]}, "column 'Y': expected a range that begins and ends at 2"),
        ({"outcome_range": None}, "column 'Y': expected outcome_range and outcome_decimals"),
        ({"outcome_decimals": None}, "column 'Y': expected outcome_range and outcome_decimals"),
        ({"recipe": "published"}, "generator dp: expected recipe targeted"),
    ],
)
def test_a_private_study_states_its_columns(changes: dict[str, object], message: str) -> None:
    assert study(**PRIVATE).promises_privacy
    with pytest.raises(ValidationError, match=message):
        study(**PRIVATE | changes)
    without = PRIVATE | {"generators": {"cart": {}}}
    assert not study(**without | changes).promises_privacy


@pytest.mark.parametrize(
    ("limits", "decimals", "kind"),
    [([0, 1], 0, "binary"), ([0, 40], 0, "integer"), ([0, 1], 1, "continuous"), (None, 2, None)],
)
def test_range_and_digits_decide_the_outcomes_kind(limits, decimals, kind) -> None:
    stated = study(outcome_range=limits, outcome_decimals=decimals).outcome_settings
    assert stated.kind == kind
    assert stated.decimals == decimals
