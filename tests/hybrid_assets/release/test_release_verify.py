"""A release verifies; what was changed in it is found even where every hash was written anew."""

import json

import pytest

from hybrid_assets.gates import GateVerdict
from hybrid_assets.privacy.verdict import Verdict
from hybrid_assets.release.release_file import ReleaseFile
from hybrid_assets.release.verify import Surroundings, verify_contents
from tests.hybrid_assets.release.conftest import released


def checks(files, around):
    return verify_contents({name: ReleaseFile.of(each) for name, each in files.items()}, around)


def faults(files, around):
    return {c.name: c.faults for c in checks(files, around) if not c.passed}


def changed(files, name, old, new):
    assert old in files[name]
    return files | {name: files[name].replace(old, new, 1)}


def test_a_release_verifies(files, around):
    assert faults(files, around) == {}
    assert [check.name for check in checks(files, around)] == [
        "documents",
        "table",
        "approval",
        "card",
        "effects",
        "surroundings",
    ]


def test_the_same_card_gives_the_same_bytes(card, table, others, files):
    assert released(card, table, others) == files
    again = card.model_copy(update={"number": 4})
    other = released(again, table, others)
    moved = {name for name in files if files[name] != other[name]}
    assert moved == {
        "card.json",
        "card.html",
        "croissant.json",
        "release.json",
        "synthetic.parquet",
    }
    assert again.numbers_sha256 == card.numbers_sha256


@pytest.mark.parametrize(
    ("name", "old", "new", "check", "fault"),
    [
        ("synthetic.csv", b"\n1,", b"\n0,", "table", "synthetic.csv holds other values"),
        ("synthetic.csv", b".00,", b".0,", "table", "not written with the declared decimals"),
        ("synthetic.csv", b"W1", b"V1", "table", "cannot be read with the columns"),
        ("card.html", b"small trial", b"large trial", "documents", "card.html is not what the"),
        ("data_dictionary.json", b"age, st", b"Age, st", "documents", "data_dictionary.json is"),
        ("data_dictionary.csv", b"age, st", b"Age, st", "documents", "data_dictionary.csv is"),
        ("croissant.json", b"CC-BY-4.0", b"CC0-1.0", "documents", "croissant.json is not what"),
        ("config.resolved.yaml", b"trial", b"trail", "documents", "config.resolved.yaml is not"),
        ("approval.json", b"Grace", b"Alice", "documents", "approval.json is not what the card"),
        ("release.json", b"ababab", b"cdcdcd", "documents", "release.json is not what the card"),
        ("gates.json", b"generator cart", b"generator tree", "approval", "on other gates"),
        ("environment.lock", b"numpy", b"zumpy", "surroundings", "not a sorted list"),
        ("environment.lock", b"# Python 3", b"# Python x", "surroundings", "version of Python"),
        ("lineage.openlineage.jsonl", b'"job"', b'"jub"', "surroundings", "OpenLineage events"),
        ("card.json", b'"estimator": "tmle"', b'"estimator": "tmla"', "effects", "estimators: "),
    ],
)
def test_every_document_is_held_against_the_card(files, around, name, old, new, check, fault):
    found = faults(changed(files, name, old, new), around)
    assert any(fault in each for each in found[check])


def test_a_card_and_documents_that_agree_on_a_false_figure(card, table, others, around):
    effect = card.effect
    first, *rest = effect.estimates
    moved = first.model_copy(update={"estimate": first.estimate + 0.01})
    false = card.model_copy(
        update={"effect": effect.model_copy(update={"estimates": (moved, *rest)})}
    )
    found = faults(released(false, table, others), around)
    assert list(found) == ["effects"]
    assert found["effects"][0].startswith("difference_in_means: 0.4")


@pytest.mark.parametrize(
    ("part", "update", "fault"),
    [
        ("effect", {"exact": 0.5}, "exact effect: the card contradicts itself"),
        ("effect", {"inference_factor": 1.0}, "factor: the card contradicts itself"),
        ("effect", {"drift_in_standard_errors": 0.0}, "drift: the card contradicts itself"),
    ],
)
def test_figures_of_the_card_contradict_each_other(
    card, table, others, around, part, update, fault
):
    false = card.model_copy(update={part: getattr(card, part).model_copy(update=update)})
    assert fault in faults(released(false, table, others), around)["card"]


def test_a_better_verdict_than_the_findings(card, table, others, around):
    from dataclasses import replace

    false = card.model_copy(update={"privacy": replace(card.privacy, verdict=Verdict.PASS)})
    found = faults(released(false, table, others), around)["card"]
    assert "privacy verdict: does not follow from the findings" in found
    assert "privacy verdict: the card contradicts itself" in found


def test_a_table_judged_by_a_sample_cannot_have_passed(card, table, others, around):
    from dataclasses import replace

    passed = replace(
        card.privacy,
        findings=[f for f in card.privacy.findings if f.verdict is Verdict.PASS],
        verdict=Verdict.PASS,
        n_holdout=card.privacy.policy.min_holdout,
    )
    for n_sampled, is_false in ((None, False), (100, True)):
        told = replace(passed, n_sampled=n_sampled)
        false = card.model_copy(update={"privacy": told})
        found = faults(released(false, table, others), around)["card"]
        assert ("privacy verdict: does not follow from the findings" in found) is is_false


def test_rows_that_nobody_approved(card, table, others, around):
    other = table.iloc[::-1].reset_index(drop=True)
    found = faults(released(card, other, others), around)
    assert found["approval"][0] == "the rows are not those that were approved"


def test_a_range_that_the_rows_do_not_have(card, table, others, around):
    columns = (card.columns[0].model_copy(update={"maximum": 2.0}), *card.columns[1:])
    false = card.model_copy(update={"columns": columns})
    found = faults(released(false, table, others), around)
    assert found["table"] == ("column 'W1': levels, range or missing values differ",)


def test_a_shut_gate_and_a_refusal(card, table, others, around):
    from dataclasses import replace

    first, *rest = card.gates.gates
    shut = replace(first, verdict=GateVerdict.SHUT)
    refusal = card.approval.model_copy(update={"decision": "refuse"})
    false = card.model_copy(
        update={"gates": replace(card.gates, gates=(shut, *rest)), "approval": refusal}
    )
    found = faults(released(false, table, others), around)["approval"]
    assert "gate recipe is shut" in found
    assert "the approval does not hold: refused by Grace H.: Evidence read." in found


def test_words_that_nobody_approved(card, table, others, around):
    release = card.settings["release"] | {"intended_use": "Anything."}
    false = card.model_copy(update={"settings": card.settings | {"release": release}})
    found = faults(released(false, table, others), around)
    said = "the approval does not hold: Grace H. decided on other settings or words of the card; "
    assert found == {"approval": (f"{said}decide again",)}
    false = card.model_copy(update={"title": "A large trial"})
    found = faults(released(false, table, others), around)
    assert found == {"card": ("title: the card contradicts itself",)}


def test_an_override_by_the_reviewer(card, table, others, around):
    own = card.approval.model_copy(update={"reviewer": "ada l."})
    false = card.model_copy(update={"approval": own})
    found = faults(released(false, table, others), around)
    assert found == {"approval": ("the reviewer overrides privacy_verdict: two people have to",)}


def test_missing_and_added_files(files, around):
    for name in files:
        less = {key: each for key, each in files.items() if key != name}
        assert any(
            f"{name} is missing" in each
            for found in faults(less, around).values()
            for each in found
        )
    found = faults(files | {"model.pkl": b""}, around)
    assert found == {"documents": ("model.pkl belongs to no release",)}


def test_files_that_cannot_be_read(files, around):
    found = faults(files | {"synthetic.parquet": b"PAR1"}, around)
    assert "cannot be read as a release (ArrowInvalid)" in found["table"]
    assert list(faults(files | {"card.json": b"{}"}, around)) == ["card"]


def test_another_version_of_the_code_is_named(files, around):
    later = Surroundings(around.data_version, "later")
    found = faults(changed(files, "card.html", b"trial", b"trail"), later)
    assert found["documents"][0].endswith("(made by code c0de; this is later)")


def test_with_the_truth_the_exact_effect_is_recomputed(card, table, others, schema, around):
    import numpy as np

    from hybrid_assets.release.dictionary import data_dictionary

    control = np.full(len(table), 0.25)
    told = table.assign(outcome_control_mean=control, outcome_treated_mean=control + 0.5)
    columns = data_dictionary([told], schema, {})
    assert [(c.role, c.decimals) for c in columns[-2:]] == [("counterfactual mean", 2)] * 2
    false = card.model_copy(update={"columns": columns})
    found = faults(released(false, told, others), around)["effects"]
    assert found == ("exact effect: the columns of mean outcomes give another one",)


def test_nothing_confidential_is_told(files, study):
    told = b"\n".join(files.values())
    for secret in (b"712345", b"/secret/place", b"patient"):
        assert secret not in told
    settings = json.loads(files["card.json"])["settings"]
    assert {"source", "owners", "identifiers", "random_seed", "benchmark"}.isdisjoint(settings)
