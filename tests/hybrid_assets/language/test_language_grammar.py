"""Automata against lists of all values, and tables that are hard to write as text."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.conditions import nothing_given
from hybrid_assets.language.grammar import RowGrammar
from hybrid_assets.language.number_acceptor import SIGN, NumberAcceptor
from hybrid_assets.language.reading import Reader
from hybrid_assets.language.sampler import RowSampler, column_orders
from hybrid_assets.language.serialization import NumberFormat, read_rows, written_values
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def column(name, kind, **details):
    return ColumnSchema(name=name, role=Role.COVARIATE, kind=kind, **details)


def table_of(*columns):
    return TableSchema(study="edges", columns=columns)


def accepted(acceptor, state=SIGN, read=""):
    """List everything that the acceptor accepts."""
    if acceptor.accepts(state):
        yield read
    for letter in "0123456789.+-":
        after = acceptor.step(state, letter)
        if after is not None:
            yield from accepted(acceptor, after, read + letter)


@given(
    st.integers(-1300, 1300),
    st.integers(0, 300),
    st.integers(0, 2),
    st.booleans(),
    st.integers(0, 9),
)
def test_accepts_exactly_the_numbers_between_its_limits(low, width, decimals, fixed_width, inside):
    numbers = NumberFormat(decimals, low, low + width, fixed_width)
    acceptor = NumberAcceptor(numbers, low + min(inside, width), low + width)
    words = list(accepted(acceptor))
    units = range(acceptor.low, acceptor.high + 1)
    assert sorted(words) == sorted(numbers.word(unit / 10**decimals) for unit in units)
    assert all(numbers.pattern.fullmatch(word) for word in words)


def test_huge_integers_have_exact_limits():
    numbers = NumberFormat(0, 2**53 + 1, 2**53 + 3)
    words = list(accepted(NumberAcceptor(numbers, numbers.low, numbers.high)))
    assert words == ["9007199254740993", "9007199254740994", "9007199254740995"]


def drawn(language_model, n_rows=200):
    grammar = RowGrammar(language_model.schema, language_model.tokenizer)
    sampler = RowSampler(language_model.model, grammar, mode="masked")
    return sampler.sample([nothing_given(n_rows)], np.random.default_rng(1)).table


EDGES = {
    "one column": table_of(column("x", ColumnKind.CONTINUOUS, minimum=-1, maximum=2, decimals=2)),
    "all categorical": table_of(
        column("b", ColumnKind.BINARY),
        column("c", ColumnKind.CATEGORICAL, levels=("u", "v")),
        column("o", ColumnKind.ORDINAL, levels=(1, 2, 10)),
    ),
    "constant": table_of(
        column("c", ColumnKind.CATEGORICAL, levels=("here",)),
        column("x", ColumnKind.CONTINUOUS, minimum=1.75, maximum=1.75, decimals=2),
        column("y", ColumnKind.INTEGER, minimum=2020, maximum=2020),
    ),
    "500 levels": table_of(
        column("c", ColumnKind.CATEGORICAL, levels=tuple(f"site {n}" for n in range(500))),
        column("b", ColumnKind.BINARY),
    ),
    "prefixes": table_of(
        column(
            "one", ColumnKind.CATEGORICAL, levels=("a", "ab", "abc", "a, b", "a, bc", "12", "1")
        ),
        column("two", ColumnKind.CATEGORICAL, levels=("a, b, c", "a, b", "a", "b")),
    ),
    "punctuation": table_of(
        column("who is it", ColumnKind.CATEGORICAL, levels=('"a"', "it's", "a)", "(b),", "...")),
        column("is", ColumnKind.INTEGER, minimum=-5, maximum=5),
        column("x, y", ColumnKind.CATEGORICAL, levels=("é ü", "日本", "🙂", "Ġ", "")),
    ),
    "huge": table_of(
        column("n", ColumnKind.INTEGER, minimum=2**53, maximum=2**60),
        column("m", ColumnKind.INTEGER, minimum=-(2**55), maximum=-(2**54)),
    ),
    "missing": table_of(
        column("b", ColumnKind.BINARY, may_be_missing=True),
        column("n", ColumnKind.INTEGER, minimum=2**53, maximum=2**60, may_be_missing=True),
        column("c", ColumnKind.CATEGORICAL, levels=("m", "miss", "not"), may_be_missing=True),
    ),
    "zero": table_of(
        column("x", ColumnKind.CONTINUOUS, minimum=-0.01, maximum=0.01, decimals=2),
        column("y", ColumnKind.CONTINUOUS, minimum=-0.4, maximum=0.4, decimals=0),
    ),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("kind", ["compact", "byte pairs"])
def test_every_row_is_valid(edge, kind, compact_model, byte_pair_model):
    schema = EDGES[edge]
    language_model = (compact_model if kind == "compact" else byte_pair_model)(schema)
    table = drawn(language_model)
    assert list(table.columns) == schema.names
    assert not schema.invalid_counts(table)[0].any()
    texts = [
        ", ".join(f"{name} is {value}" for name, value in row.items())
        for row in written_values(table, schema).to_dict("records")
    ]
    again = read_rows(texts, schema)
    assert not schema.invalid_counts(again)[0].any()
    for name in schema.names:
        is_there = table[name].notna()
        assert again[name].notna().equals(is_there)
        if schema[name].is_discrete_set:
            words = [one[name][is_there].astype(str).tolist() for one in (again, table)]
            assert words[0] == words[1] or schema[name].kind is ColumnKind.BINARY
        else:
            assert again[name][is_there].tolist() == table[name][is_there].astype(float).tolist()
    assert all((~table[c.name].notna()).any() == c.may_be_missing for c in schema.columns)


def test_a_row_has_the_tokens_of_its_text(compact_model, byte_pair_model):
    for schema, build in product(EDGES.values(), (compact_model, byte_pair_model)):
        tokenizer = build(schema).tokenizer
        grammar = RowGrammar(schema, tokenizer)
        rng = np.random.default_rng(2)
        for order in column_orders([range(len(schema.names))], rng)[:3]:
            text, tokens = "", ()
            for place, number in enumerate(order):
                about = schema.columns[number]
                low = about.minimum if about.minimum is not None else 0
                word = (
                    str(rng.choice(about.levels))
                    if about.levels
                    else written_values(
                        pd.DataFrame({about.name: [low]}), schema.select([about.name])
                    ).iloc[0, 0]
                )
                is_last = place == len(order) - 1
                names = grammar.next_names if place else grammar.first_names
                tokens += names[number] + grammar.value_tokens(number, word, is_last=is_last)
                text += f"{', ' if place else ''}{about.name} is {word}"
            assert list(tokens) == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_huge_integers_stay_exact(compact_model):
    table = drawn(compact_model(EDGES["huge"]))
    assert table.dtypes.tolist() == [np.int64, np.int64]
    assert (table["n"] % 2 == 1).any()
    pd.testing.assert_frame_equal(EDGES["huge"].canonical(table), table)


@pytest.fixture
def rows_read(monkeypatch):
    """Rows of every pass through the model, which reads a token of each."""
    rows, read = [], Reader.read

    def noting(self, tokens, *about):
        rows.append(len(tokens))
        return read(self, tokens, *about)

    monkeypatch.setattr(Reader, "read", noting)
    return rows


def test_binary_tables_cost_the_same_for_any_number_of_rows(compact_model, rows_read):
    schema = table_of(*(column(f"b{n}", ColumnKind.BINARY) for n in range(6)))
    language_model, costs = compact_model(schema), []
    for n_rows in (20_000, 200_000):
        rows_read.clear()
        drawn(language_model, n_rows)
        costs.append(sum(rows_read))
    assert costs[1] < 1.5 * costs[0]
    assert costs[1] <= 64 * 2 * (2**6 - 1) + 1  # two tokens at every node of 64 binary trees


def test_memory_is_bounded(compact_model, monkeypatch, rows_read):
    monkeypatch.setattr("hybrid_assets.language.reading.MEMORY_BYTES", 2**16)
    assert len(drawn(compact_model(EDGES["one column"]), 3_000)) == 3_000
    assert 1 < max(rows_read) < 20


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (("<|endoftext|>", "b"), "cannot write one of its levels as ordinary text"),
        (("a", "a, other"), "cannot tell where one of its levels ends"),
    ],
)
def test_refuses_levels_that_tokens_cannot_tell_apart(levels, message, byte_pair_model):
    schema = table_of(
        column("c", ColumnKind.CATEGORICAL, levels=levels), column("other", ColumnKind.BINARY)
    )
    with pytest.raises(GeneratorError, match=f"study 'edges', column 'c': .*{message}"):
        drawn(byte_pair_model(schema, n_tokens=400))


def test_refuses_special_tokens_as_levels(compact_model):
    schema = table_of(column("c", ColumnKind.CATEGORICAL, levels=("<end>", "b")))
    with pytest.raises(GeneratorError, match="column 'c': .*joins its values with the words"):
        drawn(compact_model(schema))
    assert torch.get_num_threads() == 1
