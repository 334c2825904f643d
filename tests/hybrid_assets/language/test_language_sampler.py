"""The sampler's law against every row of small tables, written out one by one."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chisquare

from hybrid_assets.errors import GeneratorError, YieldTooLow
from hybrid_assets.language.conditions import conditions_met, nothing_given
from hybrid_assets.language.grammar import RowGrammar
from hybrid_assets.language.sampler import RowSampler
from hybrid_assets.language.serialization import start_of, written_values
from hybrid_assets.language.tree_walk import Start, TreeWalk
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def column(name, kind, **details):
    return ColumnSchema(name=name, role=Role.COVARIATE, kind=kind, **details)


SMALL = TableSchema(
    study="small",
    columns=(
        column("a", ColumnKind.BINARY),
        column("x", ColumnKind.CONTINUOUS, minimum=-0.4, maximum=1.1, decimals=1),
        column("c", ColumnKind.CATEGORICAL, levels=("1", "u", "u (v)", "u, w")),
    ),
)
VALUES = {
    "a": ["0", "1"],
    "x": [f"{tenths / 10 + 0.0:.1f}" for tenths in range(-4, 12)],
    "c": ["1", "u", "u (v)", "u, w"],
}


@pytest.fixture(params=["compact", "byte pairs"])
def language_model(request, compact_model, byte_pair_model):
    """An untrained model that knows names and end tokens better than chance."""
    return compact_model(SMALL) if request.param == "compact" else byte_pair_model(SMALL)


@dataclass(frozen=True)
class Expected:
    """In place of counts, the probability of every continuation."""

    is_masked: bool

    def __call__(self, weights, valid):
        total = valid.sum(axis=1, keepdims=True) if self.is_masked else 1.0
        return weights[:, None] * valid / total


def law(language_model, order, *, is_masked, given=(), restrictions=None):
    """Give the walk's probability of each row."""
    grammar = RowGrammar(SMALL, language_model.tokenizer)
    walk = TreeWalk(
        language_model.model,
        grammar,
        Expected(is_masked),
        loses_invalid=not is_masked,
        temperature=1.0,
    )
    found = {}
    with torch.inference_mode():
        for done in walk.rows([Start(order, given, 0, 1.0)], restrictions or {}):
            for row, weight in zip(walk.written(done.codes), done.weight, strict=True):
                assert tuple(row) not in found
                found[tuple(row)] = float(weight)
    return found


def spelled_out(language_model, order, values):
    """Give the probabilities of a row's tokens and where they are, from its text alone.

    Returns the product of the probabilities of value tokens and of the ends
    of values, by the letters that a token has, never by the grammar.
    """
    tokenizer, names = language_model.tokenizer, SMALL.names
    text, role = "", ""
    for place, number in enumerate(order):
        start = (", " if place else "") + start_of(names[number]) + " "
        if language_model.has_commas:
            role += ("," if place else "") + ("N" if place else "n")
            role += "n" * (len(start) - len(", ") - 1 if place else len(start) - 2) + "v"
        else:
            role += ("N" if place else "n") + "n" * (len(start) - 1)
        text += start + values[number]
        role += "v" * len(values[number])
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tokens = [tokenizer.eos_token_id, *encoded["input_ids"], tokenizer.eos_token_id]
    logits = language_model.model(torch.tensor([tokens])).logits[0].double()
    probabilities = logits.softmax(dim=1).numpy()
    total, place = probabilities[-2, tokens[-1]], 0
    for position, (begin, end) in enumerate(language_model.spans(text, encoded)):
        roles = set(role[begin:end])
        if "N" in roles:
            place += 1
            to_come = {
                language_model.name_token(names[number], at_start=False) for number in order[place:]
            }
            total *= probabilities[position, sorted(to_come)].sum()
        elif roles & {"v", ","}:
            total *= probabilities[position, tokens[position + 1]]
    return float(total)


@pytest.mark.parametrize("order", list(permutations(range(3)))[::2])
def test_both_modes_have_the_law_of_all_rows_written_out(language_model, order):
    with torch.inference_mode():
        wanted = {
            row: spelled_out(language_model, order, row) for row in product(*VALUES.values())
        }
    exact = law(language_model, order, is_masked=False)
    assert exact.keys() == wanted.keys()
    assert exact == pytest.approx(wanted, rel=1e-5, abs=1e-12)
    masked = law(language_model, order, is_masked=True)
    assert masked.keys() == wanted.keys()
    assert sum(masked.values()) == pytest.approx(1, abs=1e-9)
