import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from math import inf

import pytest

from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.verdict import Finding, Verdict
from hybrid_assets.report.page import study_report_html
from hybrid_assets.report.page_numbers import number_text
from hybrid_assets.report.summary import CheckResult, EffectInterval, MadeFrom, Picture

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """Collects elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def html(summary):
    return study_report_html(summary)


def test_every_number_is_there(html):
    text = Page(html).text
    for wanted in (
        "People analysed 1,000",
        "(holdout) 300",
        "synthetic table 50,000",
        "0.41847 ± 0.00002",
        "gan hybrid 50,000 rows 0.3954 exact: 0.3951 −0.0231 0 SE",
        "AUC 0.751 0.7200 to 0.7800 real: 0.763",
        "0.432 holdout: 0.444 copies: 12",
        "71.2 % expected: 70.0 % z = 1.23",
        "gan hybrid tmle 0.3954 0.3876 to 0.4032 0.3397 to 0.4511",
        "seed outcome regression 0.3957 0.3440 to 0.4470 –",
        "Note. The bootstrap gives people's own rows.",
        "effect drift passed 0.01 SE; at most 0.1.",
        "dcr share failed (warning) z = 3.1",
        "copies failed (blocking) 9 % more",
        "study 0123456789abcdef with random seed 42",
    ):
        assert wanted in text


def test_the_error_of_a_score_from_a_sample_is_told(summary, html):
    assert "Sample" not in Page(html).text
    of_sample = [
        replace(row, predictive_score=replace(row.predictive_score, sampling_error=0.00123))
        if row.predictive_score
        else row
        for row in summary.rows
    ]
    text = Page(study_report_html(replace(summary, rows=tuple(of_sample)))).text
    assert "real: 0.763 sample: SE 0.0012" in text
    assert "the spread of the five over √5 (4 degrees of freedom: known to about a third)" in text


def test_every_number_is_explained(html):
    text = Page(html).text
    assert "the standard error times √(1 + n synthetic / n seed )" in text
    assert "share of synthetic rows whose closest person was in training" in text
    assert "the effect that a hybrid table has by construction" in text
    assert "trained on this table predicts the outcomes of people set aside" in text


def test_the_mode_is_said(summary, html):
    assert "they are interventional tables" in Page(html).text
    observed = study_report_html(replace(summary, assignment="observed"))
    assert "they keep the study's confounding" in Page(observed).text
    assert "interventional" not in observed


def test_lights_read_without_colour_and_without_eyes(html):
    """A word in every light; the symbol is hidden from screen readers, which read the word."""
    page = Page(html)
    assert "Verdict on the table ? INCONCLUSIVE ✕ FAIL" in page.text
    assert "exact copies ✓ PASS 2 of 2 ✓ PASS" in page.text
    assert "attribute inference ? INCONCLUSIVE ✕ FAIL 2 of 3" in page.text
    assert "DCR share – ! REVIEW" in page.text
    lights = [s["class"] for s in page.all("span") if s.get("class", "").startswith("light ")]
    symbols = [s for s in page.all("span") if s.get("aria-hidden") == "true"]
    assert len(lights) == len(symbols) == 2 + 5 + 4 + 8
    assert set(lights) == {f"light {word}" for word in ("pass", "inconclusive", "review", "fail")}


def test_every_finding_is_told_the_gravest_first(html):
    text = Page(html).text
    of_gan = text[text.index("Every finding: gan (FAIL)") :]
    assert "50,000 rows; 700 people in training, 300 unseen; policy version 1." in of_gan
    leak = "✕ FAIL attribute inference A 0.876 0.8365 to 0.9165 AUC 0.500 Smaller models."
    assert of_gan.index(leak) < of_gan.index("! REVIEW DCR share W") < of_gan.index("✓ PASS exact")


def test_too_few_people_are_said_in_words_and_once(summary, html):
    said = "No PASS is possible here. 300 people were set aside and a PASS needs 500"
    assert Page(html).text.count(said) == 1
    enough = {name: replace(found, n_holdout=500) for name, found in summary.risks.items()}
    assert "No PASS is possible" not in study_report_html(replace(summary, risks=enough))


def test_the_label_audit_has_a_light_and_says_how_it_stands(summary, html):
    assert "Label audit" not in Page(html).text
    measure = Measure(
        Attack.LABEL_AUDIT, "Y", "ε from 50 coins", 0.4, 0.0, 0.1, inf, 0.9, True, True
    )
    made = summary.risks["gan"].with_finding(Finding(measure, 0.9, Verdict.PASS, ""))
    standing = {"gan": "made", "cart": "of earlier tables"}
    page = replace(summary, risks={**summary.risks, "gan": made}, label_audits=standing)
    text = Page(study_report_html(page)).text
    assert "makes it): gan made; cart of earlier tables." in text
    assert re.search(r"planted coin-flip outcomes( –)* ✓ PASS", text)
    assert "✓ PASS planted coin-flip outcomes Y 0.400 0.1000 to" in text


def test_same_summary_same_text(summary, html):
    assert study_report_html(summary) == html


def test_nothing_is_loaded_or_run(html):
    page = Page(html)
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    assert "http:" not in html
    assert "https:" not in html
    assert not re.search(r"url\(|@import|\son\w+=", html)
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none';")
    assert "width=device-width" in html


def test_pictures_are_inside_the_page(html):
    (picture,) = Page(html).all("img")
    kind, data = picture["src"].split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == b"\x89PNG picture"
    assert picture["alt"] == "Propensity by arm."


def hostile_columns(evaluation):
    """Name every column attacked ``<script>``, and so on."""
    findings = [replace(f, measure=replace(f.measure, target=ATTACK)) for f in evaluation.findings]
    return replace(evaluation, findings=findings)


def test_hostile_names_are_harmless(summary, html):
    rows = tuple(
        replace(row, table=ATTACK, estimates={ATTACK: EffectInterval(1, 0, 2)})
        for row in summary.rows
    )
    hostile = study_report_html(
        replace(
            summary,
            study=ATTACK,
            title=ATTACK,
            description=ATTACK,
            study_hash=ATTACK,
            main_estimator=ATTACK,
            rows=rows,
            notes=(ATTACK,),
            pictures=(Picture(ATTACK, ATTACK, b"png"),),
            checks=(CheckResult(ATTACK, True, "warning", ATTACK),),
            risks={ATTACK: hostile_columns(summary.risks["gan"])},
        )
    )
    page = Page(hostile)
    assert page.all("script") == []
    assert [set(img) for img in page.all("img")] == [{"alt", "src"}]
    assert page.all("img")[0]["alt"] == ATTACK
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in Page(html).elements}
    assert page.text.count("<script>alert(1)</script>") >= 10


def test_what_is_absent_leaves_no_trace(summary):
    bare = study_report_html(
        replace(
            summary,
            description="",
            rows=summary.rows[:1],
            true_effect=None,
            true_effect_se=None,
            pictures=(),
            notes=(),
            checks=(),
            risks={},
        )
    )
    page = Page(bare)
    for heading in ("Pictures", "Privacy risks", "Checks", "Off the truth", "True effect", "Note."):
        assert heading not in page.text
    assert "None" not in bare
    assert "nan" not in page.text.lower().split()


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (0.41847, 4, "0.4185"),
        (-0.02346, 4, "−0.0235"),
        (0.8, 3, "0.800"),
        (33.2146, 4, "33.21"),
        (-7328.456, 4, "−7,328"),
        (123456.7, 4, "123,457"),
        (0.00002, 1, "0.00002"),
        (0.00044, 4, "0.0004400"),
        (1e-7, 4, "1.000e-07"),
        (-1e-12, 4, "0"),
        (0.0, 4, "0"),
        (None, 4, "–"),
        (float("nan"), 4, "–"),
        (float("inf"), 4, "∞"),
        (float("-inf"), 4, "−∞"),
    ],
)
def test_number_text(number, digits, text):
    assert number_text(number, digits) == text


def test_a_label_and_a_warning_about_intervals_stand_out(summary, html):
    warned = tuple(replace(row, interval_note="seen < twice") for row in summary.rows)
    page = Page(study_report_html(replace(summary, label="not for <b>release", rows=warned)))
    assert "A simulated trial (not for <b>release)" in page.text
    assert "These intervals are too narrow : seen < twice." in page.text
    assert page.text.count("seen < twice") == 1
    assert {"class": "badge blocking"} in page.all("span")
    assert not page.all("b")
    assert "too narrow : " not in Page(html).text
    assert "It is right for the seed." in Page(html).text
    assert "It is right for the seed." not in page.text


def test_what_it_was_made_from(summary, html):
    assert "What this was made from" not in html
    sources = (
        MadeFrom("seed_table", "table", 1234, f"hmac-sha256:{'ab' * 32}", "c0de", ATTACK, "2026"),
        MadeFrom("gan/fitted_generator", "model", None, "hmac-sha256:cdef", "c0de", "u", "2"),
    )
    text = Page(study_report_html(replace(summary, made_from=sources))).text
    assert "Seed version abababababab Seed rows 1,234 Code version c0de Study settings 0123" in text
    assert f"seed_table table 1,234 abababababab 2026 {ATTACK}" in text
    assert "gan/fitted_generator model – cdef 2 u" in text
    assert "ab" * 7 not in text
