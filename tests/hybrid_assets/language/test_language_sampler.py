"""The sampler's law against every row of small tables, written out one by one."""

from collections import Counter
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chi2_contingency, chisquare, ks_2samp

from hybrid_assets.errors import GeneratorError, YieldTooLow
from hybrid_assets.language.conditions import conditions_met, nothing_given
from hybrid_assets.language.free_sampler import drawn_texts
from hybrid_assets.language.grammar import RowGrammar
from hybrid_assets.language.reading import Reader
from hybrid_assets.language.sampler import RowSampler
from hybrid_assets.language.serialization import read_rows, start_of, written_values
from hybrid_assets.language.starts import Start
from hybrid_assets.language.tree_walk import TreeWalk
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


GAPS = TableSchema(
    study="gaps",
    columns=tuple(c.model_copy(update={"may_be_missing": True}) for c in SMALL.columns),
)


def values_of(schema):
    return {
        column.name: [*VALUES[column.name], *["missing"] * column.may_be_missing]
        for column in schema.columns
    }


@pytest.fixture(
    scope="module", params=["compact", "byte pairs", "compact, gaps", "byte pairs, gaps"]
)
def language_model(request, compact_model, byte_pair_model):
    """An untrained model that knows names and end tokens better than chance."""
    build = compact_model if "compact" in request.param else byte_pair_model
    return build(GAPS if "gaps" in request.param else SMALL)


@dataclass(frozen=True)
class Expected:
    """In place of counts, the probability of every continuation."""

    is_masked: bool

    def __call__(self, weights, valid, begin):
        total = np.add.reduceat(valid, begin) if self.is_masked else np.ones(len(begin))
        return np.repeat(weights / total, np.diff(begin, append=len(valid))) * valid


def law(language_model, order, *, is_masked, given=(), restrictions=None):
    """Give the walk's probability of each row."""
    grammar = RowGrammar(language_model.schema, language_model.tokenizer)
    walk = TreeWalk(
        Reader(language_model.model, grammar.most_tokens),
        grammar,
        Expected(is_masked),
        loses_invalid=not is_masked,
    )
    found = {}
    with torch.inference_mode():
        for done in walk.rows([Start(order, given, 0, 1.0)], restrictions or {}):
            for row, weight in zip(walk.words.written(done.codes), done.weight, strict=True):
                assert tuple(row) not in found
                found[tuple(row)] = float(weight)
    return found


NAME = "one of the names to come"


def choices(language_model, order, values):
    """Give what the model chooses in a row: what came before, the choice, its probability.

    Value tokens and the ends of values are choices, told by the letters that
    a token has, from the row's text alone, never by the grammar.
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
    found, place = [], 0
    for position, (begin, end) in enumerate(language_model.spans(text, encoded)):
        before, roles = tuple(tokens[: position + 1]), set(role[begin:end])
        if "N" in roles:
            place += 1
            to_come = {
                language_model.name_token(names[number], at_start=False) for number in order[place:]
            }
            found.append((before, NAME, probabilities[position, sorted(to_come)].sum()))
        elif roles & {"v", ","}:
            chosen = tokens[position + 1]
            found.append((before, chosen, probabilities[position, chosen]))
    return [*found, (tuple(tokens[:-1]), tokens[-1], probabilities[-2, tokens[-1]])]


def written_out(language_model, order):
    """Give the choices in every row of its schema."""
    rows = product(*values_of(language_model.schema).values())
    with torch.inference_mode():
        return {row: choices(language_model, order, row) for row in rows}


@pytest.mark.parametrize("order", list(permutations(range(3)))[::2])
def test_exact_draws_have_the_law_of_all_rows_written_out(language_model, order):
    rows = written_out(language_model, order)
    wanted = {row: np.prod([p for *_, p in made]) for row, made in rows.items()}
    exact = law(language_model, order, is_masked=False)
    assert exact.keys() == wanted.keys()
    assert exact == pytest.approx(wanted, rel=1e-5, abs=0)


@pytest.mark.parametrize("order", list(permutations(range(3)))[::2])
def test_masked_draws_divide_each_choice_by_all_that_lead_to_a_row(language_model, order):
    rows = written_out(language_model, order)
    leads_on = {choice for made in rows.values() for choice in made}
    valid_mass = Counter()
    for before, _, p in {choice[:2]: choice for choice in leads_on}.values():
        valid_mass[before] += p
    wanted = {
        row: np.prod([p / valid_mass[before] for before, _, p in made])
        for row, made in rows.items()
    }
    assert sum(wanted.values()) == pytest.approx(1, abs=1e-6)
    masked = law(language_model, order, is_masked=True)
    assert masked.keys() == wanted.keys()
    assert masked == pytest.approx(wanted, rel=1e-5, abs=0)


def test_masked_draws_renormalise_every_token(compact_model):
    language_model, words = compact_model(SMALL), VALUES["c"]
    vocabulary = language_model.tokenizer.get_vocab()
    tokens = torch.tensor([[vocabulary["<end>"], vocabulary[", c is "]]])
    with torch.inference_mode():
        logits = language_model.model(tokens).logits[0, -1].double()
    levels = [language_model.tokenizer(f"c is {word}")["input_ids"][-1] for word in words]
    wanted = logits[levels].softmax(dim=0).tolist()
    masked = law(language_model, (2, 0, 1), is_masked=True)
    shares = [sum(p for row, p in masked.items() if row[2] == word) for word in words]
    assert shares == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("known", "columns"), [({0: "1"}, (0,)), ({2: "u, w", 0: "0"}, (2, 0))])
def test_given_columns_condition_by_bayes(language_model, known, columns):
    order = (*columns, *(c for c in range(3) if c not in columns))
    joint = law(language_model, order, is_masked=False)
    alike = {r: p for r, p in joint.items() if all(r[c] == word for c, word in known.items())}
    given = tuple(known[column] for column in columns)
    drawn = law(language_model, order, is_masked=False, given=given)
    conditional = {
        tuple(known.get(c, word) for c, word in enumerate(row)): p for row, p in drawn.items()
    }
    assert conditional.keys() == alike.keys()
    total, total_drawn = sum(alike.values()), sum(conditional.values())
    for row, p in alike.items():
        assert conditional[row] / total_drawn == pytest.approx(p / total, rel=1e-5)


def test_ranges_condition_by_bayes(language_model):
    order = (1, 0, 2)
    joint = law(language_model, order, is_masked=False)
    (known,) = conditions_met({"x": ">= -0.2 and < 0.3"}, SMALL, 1)
    drawn = law(language_model, order, is_masked=False, restrictions=known.restrictions)
    wanted = {
        row: p for row, p in joint.items() if row[1] != "missing" and -0.2 <= float(row[1]) < 0.3
    }
    assert drawn.keys() == wanted.keys()
    assert drawn == pytest.approx(wanted, rel=1e-5, abs=0)


@pytest.mark.parametrize("name", SMALL.names)
@pytest.mark.parametrize("kind", ["compact", "byte pairs"])
def test_a_missing_value_is_given_or_forbidden_by_bayes(name, kind, compact_model, byte_pair_model):
    language_model = (compact_model if kind == "compact" else byte_pair_model)(GAPS)
    column = SMALL.names.index(name)
    order = (column, *(c for c in range(3) if c != column))
    joint = law(language_model, order, is_masked=False)
    is_gap = {row: row[column] == "missing" for row in joint}
    (known,) = conditions_met({name: "not missing"}, GAPS, 1)
    there = law(language_model, order, is_masked=False, restrictions=known.restrictions)
    wanted = {row: p for row, p in joint.items() if not is_gap[row]}
    assert there == pytest.approx(wanted, rel=1e-5, abs=0)
    (known,) = conditions_met({name: None}, GAPS, 1)
    assert (known.columns, known.words.tolist()) == ((column,), [["missing"]])
    drawn = law(language_model, order, is_masked=False, given=("missing",))
    gone = {
        tuple("missing" if c == column else word for c, word in enumerate(row)): p
        for row, p in drawn.items()
    }
    total = sum(p for row, p in joint.items() if is_gap[row]) / sum(gone.values())
    wanted = {row: p / total for row, p in joint.items() if is_gap[row]}
    assert gone == pytest.approx(wanted, rel=1e-5, abs=0)


def sampled(language_model, known, seed=1, mode="exact"):
    grammar = RowGrammar(language_model.schema, language_model.tokenizer)
    sampler = RowSampler(language_model.model, grammar, mode=mode)
    return sampler.sample(known, np.random.default_rng(seed))


@pytest.fixture(scope="module", params=["compact", "byte pairs"])
def taught(request, compact_model, byte_pair_model, teach):
    return teach((compact_model if request.param == "compact" else byte_pair_model)(SMALL), VALUES)


@pytest.mark.parametrize("mode", ["exact", "masked"])
def test_draws_follow_the_law(taught, mode):
    orders = list(permutations(range(3)))
    laws = [law(taught, order, is_masked=mode == "masked") for order in orders]
    share = pd.Series({row: sum(one[row] for one in laws) for row in laws[0]})
    drawn = sampled(taught, [nothing_given(20_000)], mode=mode)
    assert list(drawn.table.columns) == SMALL.names
    assert drawn.table.dtypes.tolist() == [np.int64, np.float64, object]
    words = written_values(drawn.table, SMALL)
    counts = words.value_counts().reindex(share.index, fill_value=0)
    expected = 20_000 * share / share.sum()
    rare = expected < 5
    parts = [(*counts[~rare],), (*expected[~rare],)]
    if rare.any():
        parts = [(*parts[0], counts[rare].sum()), (*parts[1], expected[rare].sum())]
    assert chisquare(*parts).pvalue > 1e-3
    assert set(drawn.valid_mass) == set(SMALL.names)
    if mode == "exact":
        accepted = np.prod(list(drawn.valid_mass.values()))
        assert accepted == pytest.approx(share.sum() / len(orders), rel=0.1)
        assert 0.2 < accepted < 0.999


def test_exact_draws_have_the_law_of_free_text_that_is_valid(taught):
    with torch.inference_mode():
        texts = drawn_texts(
            taught.model,
            taught.tokenizer,
            8_000,
            max_tokens=30,
            temperature=1.0,
            random=torch.Generator().manual_seed(3),
        )
    free = read_rows(texts, SMALL)
    free = free[~SMALL.invalid_counts(free)[0]]
    assert len(free) > 2_000
    drawn = sampled(taught, [nothing_given(20_000)]).table
    cells = [t[["a", "c"]].astype({"a": int}).value_counts() for t in (free, drawn)]
    assert chi2_contingency(pd.concat(cells, axis=1).to_numpy()).pvalue > 1e-3
    assert ks_2samp(free["x"], drawn["x"]).pvalue > 1e-3


def test_rows_come_in_random_order(taught):
    words = sampled(taught, [nothing_given(4_000)], mode="masked").table
    halves = [words["a"][:2000], words["a"][2000:]]
    assert abs(halves[0].mean() - halves[1].mean()) < 4 * np.sqrt(0.5 / 2000)


def test_the_same_seed_gives_the_same_rows(taught):
    first, again, other = (
        sampled(taught, [nothing_given(300)], seed, "masked").table for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_imputes_row_by_row(taught):
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "a": rng.choice([0, 1, None], 60),
            "c": rng.choice([*VALUES["c"], None], 60),
            "x": [0.5, np.nan, -0.2] * 20,
        }
    )
    table.loc[table.notna().all(axis=1), "a"] = None
    known = conditions_met(table, SMALL, 60)
    drawn = sampled(taught, known, mode="masked").table
    assert not SMALL.invalid_counts(drawn)[0].any()
    for name in SMALL.names:
        there = table[name].notna()
        assert drawn[name][there].astype(str).tolist() == (
            table[name][there].astype(drawn[name].dtype).astype(str).tolist()
        )


def test_counterfactual_rows_keep_what_is_given(taught):
    known = conditions_met({"a": 1, "x": "> 0.4"}, SMALL, 200)
    drawn = sampled(taught, known)
    assert drawn.table["a"].eq(1).all()
    assert drawn.table["x"].between(0.5, 1.1).all()
    assert set(drawn.valid_mass) == {"c"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"b": 1}, r"given columns \['b'\], expected some of \['a', 'x', 'c'\]"),
        ({"a": 2}, r"given values that columns cannot have: \{'a': 1\}"),
        ({"c": "v"}, r"given values that columns cannot have: \{'c': 1\}"),
        ({"x": "> 1.1"}, "column 'x': it has no value in the range '> 1.1'"),
        ({"x": "about 1"}, "column 'x': expected a range such as '>= 40'"),
        ({"a": 1, "x": 0.5, "c": "u"}, "all columns are given"),
        (pd.DataFrame({"a": [1, 0]}), "given 2 rows, expected 1"),
        (pd.DataFrame({"x": [pd.Timestamp("2020-01-01")]}), "cannot have: {'x': 1}"),
    ],
)
def test_refuses_conditions(given, message):
    with pytest.raises(GeneratorError, match=message):
        conditions_met(given, SMALL, 1)


def test_a_model_that_knows_no_rows_is_told_in_exact_mode(compact_model):
    with pytest.raises(YieldTooLow, match="study 'small': the language model gave 0 valid rows"):
        sampled(compact_model(SMALL), [nothing_given(100)])


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("narrow", [0, 32])  # how keys and values lie in memory
def test_prefixes_without_room_keep_the_law(language_model, is_masked, narrow, monkeypatch):
    order = (2, 1, 0)
    monkeypatch.setattr("hybrid_assets.language.reading.NARROW", narrow)
    wanted = law(language_model, order, is_masked=is_masked)
    monkeypatch.setattr("hybrid_assets.language.reading.MOST_PREFIXES", 8)
    assert law(language_model, order, is_masked=is_masked) == pytest.approx(wanted, rel=1e-5, abs=0)
