"""The page says what the card says: every figure, no script, nothing from elsewhere."""

import math
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest

from hybrid_assets.privacy.ledger import PrivacyLedger, Spent, loss_of
from hybrid_assets.release.card_page import card_html
from hybrid_assets.release.limits import limits
from hybrid_assets.report.page_numbers import number_text

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
OWN_NUMBERS = {"95", "1", "3.0", "256"}  # of intervals, of the factor's formula, of sha256sum


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self._hidden = set(), [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._hidden = tag in ("style", "pre", "code")

    def handle_data(self, data):
        if not self._hidden:
            self.words.append(data)

    def handle_endtag(self, tag):
        self._hidden = False

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def numbers_in(value):
    if isinstance(value, dict):
        return {n for each in value.values() for n in numbers_in(each)}
    if isinstance(value, (list, tuple)):
        return {n for each in value for n in numbers_in(each)}
    if isinstance(value, str):
        return set(re.findall(r"\d[\d,]*(?:\.\d+)?", value))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return set()
    forms = {number_text(abs(value), digits) for digits in range(1, 7)}
    forms |= {number_text(100 * abs(value), digits) for digits in range(1, 4)}
    forms |= {f"{abs(value):.{digits}f}" for digits in range(4)}
    return forms | ({f"{value:,}", f"{value:04d}"} if isinstance(value, int) else set())


def test_every_number_of_the_page_is_the_cards(card):
    shown = set(re.findall(r"\d[\d,]*(?:\.\d+)?", Page(card_html(card)).text))
    known = numbers_in(card.model_dump(mode="json")) | OWN_NUMBERS
    assert {number.rstrip(",") for number in shown} - known == set()
    assert len(shown) > 60


def test_what_a_reader_must_see(card):
    text = Page(card_html(card)).text
    for wanted in (
        "release small/cart/0003",
        "Interventional table. Treatment was drawn by a coin",
        "The study's own estimate is 0.4075",
        "has the effect 0.4100 by construction",
        "times √(1 + rows / people) = 1.41",
        "the rows TMLE",
        "Overridden: privacy verdict.",
        "Decided by Ada L.: <b>teaching</b> only",
        "Grace H. on 2026-02-27",
        "bounded: that of fewer than ten, or of all but so few",
        "not called anonymous",
        "under policy 1",
    ):
        assert wanted in text, wanted


def test_an_observational_table_says_so(card):
    text = Page(card_html(card.model_copy(update={"assignment": "observed"}))).text
    assert "Observational table." in text
    assert "Interventional" not in text


def test_nothing_is_loaded_or_run(card):
    html = card_html(card)
    assert not re.search(r"url\(|@import|\son\w+=|https?:", html)
    assert Page(html).tags.isdisjoint({"script", "link", "iframe", "img"})
    assert "default-src 'none'" in html
    assert "width=device-width" in html


def test_hostile_words_are_harmless(card):
    release = {**card.settings["release"], "license": ATTACK, "intended_use": ATTACK}
    columns = tuple(
        c.model_copy(update={"name": ATTACK, "description": ATTACK}) for c in card.columns
    )
    hostile = card.model_copy(
        update={
            "title": ATTACK,
            "study": ATTACK,
            "columns": columns,
            "settings": {**card.settings, "release": release, "treatment": ATTACK},
            "approval": card.approval.model_copy(update={"reviewer": ATTACK}),
        }
    )
    assert Page(card_html(hostile)).tags == Page(card_html(card)).tags


@pytest.mark.parametrize("verdict", ["PASS", "FAIL"])
def test_verdicts_read_without_colour(card, verdict):
    findings = [asdict(f) for f in card.privacy.findings]
    assert findings
    text = Page(card_html(card)).text
    assert {"PASS": "✓ PASS", "FAIL": "✕ FAIL"}[verdict] in text


def test_a_private_card_says_what_its_epsilon_covers_and_what_not(card):
    loss = loss_of(PrivacyLedger((Spent("law", "AIM", 0.2),), 1e-6))
    facts = replace(card.gates.facts, privacy_loss=loss)
    told = {
        "gates": replace(card.gates, facts=facts),
        "limits": limits("trial", holds_counterfactuals=False, is_private=True),
    }
    text = Page(card_html(card.model_copy(update=told))).text
    assert f"Differential privacy: {loss.claim}" in text
    assert "It does not cover figures computed from the study's people" in text
    assert "differ in one person's row" in text
    assert "is given the rows and not the card" in text
    assert "Differential privacy" not in Page(card_html(card)).text
