from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from hybrid_assets.language.grammar import RowGrammar
from hybrid_assets.language.reading import Reader
from hybrid_assets.language.scores import block_log_prob, block_orders, log_prob
from hybrid_assets.language.starts import Start
from hybrid_assets.language.tree_walk import TreeWalk
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema

TRIAL = TableSchema(
    study="trial",
    columns=(
        ColumnSchema(name="Y", role=Role.OUTCOME, kind=ColumnKind.BINARY),
        ColumnSchema(
            name="W1", role=Role.COVARIATE, kind=ColumnKind.INTEGER, minimum=-3, maximum=12
        ),
        ColumnSchema(name="A", role=Role.TREATMENT, kind=ColumnKind.BINARY),
        ColumnSchema(
            name="W2", role=Role.COVARIATE, kind=ColumnKind.CATEGORICAL, levels=("u", "u, w")
        ),
    ),
)
ROWS = list(product([0, 1], range(-3, 13), [0, 1], ["u", "u, w"]))


@pytest.fixture(params=["compact", "byte pairs"])
def language_model(request, compact_model, byte_pair_model):
    return compact_model(TRIAL) if request.param == "compact" else byte_pair_model(TRIAL)


@pytest.mark.parametrize("ends_forced", [False, True])
def test_scores_are_the_logs_of_the_sampler_s_law(language_model, ends_forced):
    if ends_forced and language_model.has_commas:
        pytest.skip("byte pairs do not say where a value ends")
    grammar = RowGrammar(TRIAL, language_model.tokenizer, ends_forced=ends_forced)
    table = TRIAL.canonical(pd.DataFrame(ROWS, columns=TRIAL.names))
    order = (3, 1, 2, 0)
    scores = log_prob(language_model.model, grammar, table, [order])
    assert scores.columns.tolist() == TRIAL.names
    walk = TreeWalk(
        Reader(language_model.model, grammar.most_tokens),
        grammar,
        lambda weights, valid, begin: np.repeat(weights, np.diff(begin, append=len(valid))) * valid,
        loses_invalid=True,
    )
    with torch.inference_mode():
        done = list(walk.rows([Start(order, (), 0, 1.0)], {}))
    words = np.concatenate([walk.words.written(part.codes) for part in done])
    law = dict(zip(map(tuple, words), np.concatenate([p.weight for p in done]), strict=True))
    wanted = [law[tuple(map(str, row))] for row in ROWS]
    assert np.exp(scores.sum(axis=1)).tolist() == pytest.approx(wanted, rel=1e-5, abs=0)
    first = scores.groupby(table["W2"], observed=True)["W2"].agg(["min", "max"])
    assert first["min"].tolist() == pytest.approx(first["max"].tolist(), rel=1e-5)


def test_blocks_follow_the_chain_rule(language_model):
    grammar = RowGrammar(TRIAL, language_model.tokenizer)
    table = TRIAL.canonical(pd.DataFrame(ROWS[::5], columns=TRIAL.names))
    orders = block_orders(TRIAL, 5, np.random.default_rng(1))
    assert sorted(orders) == [(1, 3, 2, 0), (3, 1, 2, 0)]
    scores = log_prob(language_model.model, grammar, table, orders)
    blocks = block_log_prob(scores, TRIAL)
    assert blocks.columns.tolist() == ["covariate", "treatment", "outcome"]
    assert block_log_prob(scores[["W1", "W2"]], TRIAL.covariates).columns.tolist() == ["covariate"]
    assert blocks.sum(axis=1).tolist() == pytest.approx(scores.sum(axis=1).tolist())
    assert blocks["covariate"].tolist() == pytest.approx((scores["W1"] + scores["W2"]).tolist())
    each = [log_prob(language_model.model, grammar, table, [order]) for order in orders]
    assert scores["A"].tolist() == pytest.approx(((each[0]["A"] + each[1]["A"]) / 2).tolist())


def test_rows_outside_the_limits_have_a_score(language_model):
    grammar = RowGrammar(TRIAL, language_model.tokenizer)
    table = pd.DataFrame({"Y": [0], "W1": [4711], "A": [1], "W2": ["u"]}, index=[7])
    scores = log_prob(language_model.model, grammar, table, [(0, 1, 2, 3)])
    assert scores.index.tolist() == [7]
    assert np.isfinite(scores.to_numpy()).all()
    assert (scores.to_numpy() < 0).all()
