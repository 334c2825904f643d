"""The card of a release as one self-contained page."""

from __future__ import annotations

import math

from hybrid_assets.gates import GateVerdict
from hybrid_assets.privacy.ledger import ADJACENCY_MEANING
from hybrid_assets.release.card import ReleaseCard
from hybrid_assets.release.card_plot import effect_plot
from hybrid_assets.report.page import page_environment
from hybrid_assets.report.page_numbers import ABSENT, number_text
from hybrid_assets.report.risks import MEANINGS, SYMBOLS

WORDS = {
    "difference_in_means": "difference of means",
    "outcome_regression": "outcome regression",
    "iptw": "IPTW",
    "aipw": "AIPW",
    "tmle": "TMLE",
}


def card_html(card: ReleaseCard) -> str:
    """Write the card as HTML: no script, nothing loaded from elsewhere, readable without colour.

    Every figure is one of the card's. The same card gives the same text.

    Parameters
    ----------
    card : ReleaseCard
    """
    environment = page_environment()
    environment.filters |= {
        "figure": _figure,
        "estimator": lambda word: WORDS.get(word, word.replace("_", " ")),
    }
    environment.tests["is_overridden"] = lambda gate: gate.verdict is GateVerdict.OVERRIDDEN
    template = environment.get_template("release_card.html")
    return template.render(
        card=card,
        plot=effect_plot(card.effect),
        words=card.settings["release"],
        symbols=SYMBOLS,
        meanings=MEANINGS,
        neighbours=ADJACENCY_MEANING,
    )


def _figure(number: float | None, digits: int = 4) -> str:
    return number_text(number, digits) if number is not None and math.isfinite(number) else ABSENT
