"""The batched engine against the package's own plain code, replicate by replicate.

Folds are the engine's; everything else is computed one table at a time with
the learners, stacks and estimators that a study's analysis uses. Tolerance
1e-7 of the estimate: both solve their equations to 1e-8 per row or better.
"""

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.benchmark.design_population import DesignPopulation
from hybrid_assets.benchmark.estimates import estimate_all
from hybrid_assets.benchmark.folds import FoldLayout
from hybrid_assets.benchmark.nuisances import cross_fitted_nuisances
from hybrid_assets.benchmark.replicates import Replicates
from hybrid_assets.benchmark.settings import Analysis
from hybrid_assets.designs import DESIGNS
from hybrid_assets.estimators import DEFAULT_ESTIMATORS, ESTIMATORS, estimate_from_cross_fits
from hybrid_assets.nuisance import NuisanceSettings, cross_fit
from hybrid_assets.nuisance.basis import main_effect_names, main_effects, product_pairs
from hybrid_assets.nuisance.cross_fitting import propensity_bound
from hybrid_assets.nuisance.library import LEARNERS
from hybrid_assets.nuisance.observed import Observed
from hybrid_assets.nuisance.stacking import fit_stack
from hybrid_assets.schema import ColumnSchema, TableSchema

N_FOLDS = 5
WORDS = ["confounded_binary", "confounded_continuous"]


def tables_of(replicates, schema):
    """Give each replicate as the table it is."""
    for effects, a, y in zip(
        replicates.effects, replicates.treatment, replicates.outcome, strict=True
    ):
        table = pd.DataFrame(effects, columns=schema.covariate_names)
        yield schema.canonical(table.assign(A=a, Y=y))


def plain_nuisances(table, schema, words, fold_ids):
    """Cross-fit and stack one table in plain loops: g, Q0, Q1."""
    settings = NuisanceSettings(propensity_library=words[0], outcome_library=words[1])
    seen = Observed.from_table(table, schema, settings)
    g, q = np.empty((len(table), len(words[0]))), np.empty((2, len(table), len(words[1])))
    for fold in range(N_FOLDS):
        train, test = fold_ids != fold, fold_ids == fold
        for k, word in enumerate(words[0]):
            x = seen.matrix(LEARNERS[word].basis)
            fitted = LEARNERS[word].fit(x[train], seen.treatment[train], True)
            g[test, k] = fitted.predict(x[test])
        for k, word in enumerate(words[1]):
            x = seen.matrix(LEARNERS[word].basis)
            arms = seen.arm_design.fit(
                LEARNERS[word], x[train], seen.treatment[train], seen.outcome[train], seen.is_binary
            )
            for arm in (0, 1):
                q[arm, test, k] = arms[arm].predict(seen.arm_design.matrix(x[test], arm))
    g_stack = fit_stack(words[0], g, seen.treatment, True)
    own = q[seen.treatment.astype(int), np.arange(len(table))]
    q_stack = fit_stack(words[1], own, seen.outcome, seen.is_binary)
    return g_stack.combine(g), *q_stack.combine(q)


SMOOTH = (("constant", "linear", "spline", "pairwise"), ("linear", "spline", "pairwise"))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("words", [(("linear",), ("linear",)), SMOOTH])
@pytest.mark.parametrize("n_rows", [150, 403])
def test_estimates_are_those_of_a_plain_loop(word, words, n_rows):
    design, rng = DESIGNS[word], np.random.default_rng(1)
    schema = design.schema()
    replicates = DesignPopulation(design).draw(4, n_rows, rng)
    strata = 2 * replicates.treatment + (replicates.outcome if replicates.is_binary else 0)
    folds = FoldLayout.draw(strata, N_FOLDS, rng)
    fitted = cross_fitted_nuisances(replicates, folds, Analysis(*words), is_pooled=n_rows < 200)
    order, bound = folds.take_rows(folds.rows), propensity_bound(n_rows)
    batched = estimate_all(
        fitted.treatment,
        fitted.outcome,
        np.clip(fitted.propensity, bound, 1 - bound),
        fitted.outcome_control,
        fitted.outcome_treated,
    )
    for k, table in enumerate(tables_of(replicates, schema)):
        g, q0, q1 = plain_nuisances(table, schema, words, folds.fold_ids[k])
        tolerance = 1e-7 if len(words[0]) == 1 else 2e-5  # stack weights stop at a 1e-9 gap
        assert fitted.propensity[k] == pytest.approx(g[order[k]], abs=tolerance)
        assert fitted.outcome_treated[k] == pytest.approx(q1[order[k]], abs=10 * tolerance)
        a, y = table["A"].to_numpy(float), table["Y"].to_numpy(float)
        for name in DEFAULT_ESTIMATORS:
            plain = ESTIMATORS[name](a, y, np.clip(g, bound, 1 - bound), q0, q1)
            assert batched[name][0][k] == pytest.approx(plain.estimate, abs=tolerance)
            assert batched[name][1][k] == pytest.approx(plain.standard_error, abs=tolerance)


def survey(n_rows, rng, is_binary):
    """Draw a table whose covariates have under 32 values each, some levels rare."""
    site = rng.choice(list("abcdef"), n_rows, p=[0.45, 0.3, 0.15, 0.064, 0.018, 0.018])
    score, dose = rng.integers(0, 8, n_rows), rng.integers(1, 5, n_rows)
    rare = (rng.random(n_rows) < 0.03).astype("int64")
    eta = 0.2 * (score - 4) + 0.6 * (site == "b") - 0.5 * rare
    a = (rng.random(n_rows) < 1 / (1 + np.exp(-eta))).astype("int64")
    mean = 0.3 * a + 0.15 * score + 0.4 * (dose > 2) * (site == "a") - 0.9
    y = (rng.random(n_rows) < 1 / (1 + np.exp(-mean))).astype(float)
    y = y if is_binary else mean + rng.normal(size=n_rows)
    return pd.DataFrame({"site": site, "score": score, "dose": dose, "rare": rare, "A": a, "Y": y})


def survey_schema(is_binary):
    kinds = {"site": "categorical", "score": "integer", "dose": "integer", "rare": "binary"}
    kinds |= {"A": "binary", "Y": "binary" if is_binary else "continuous"}
    roles = dict.fromkeys(kinds, "covariate") | {"A": "treatment", "Y": "outcome"}
    levels = {"site": tuple("abcdef")}
    columns = [
        ColumnSchema(name=name, role=roles[name], kind=kind, levels=levels.get(name))
        for name, kind in kinds.items()
    ]
    return TableSchema(study="survey", columns=tuple(columns))


DEFAULT = NuisanceSettings()
WHOLE = DEFAULT.propensity_library, DEFAULT.outcome_library


@pytest.mark.parametrize(("words", "n_rows"), [(SMOOTH, 180), (SMOOTH, 600), (WHOLE, 600)])
@pytest.mark.parametrize("is_binary", [True, False])
def test_a_batch_gives_what_the_analysis_of_each_study_gives(is_binary, words, n_rows):
    """`cross_fit` and `estimate_from_cross_fits` on tables of categories and whole numbers.

    With under 32 values in a column the engine's 32 bins are scikit-learn's
    own. Tolerance: stack weights stop at a gap of 1e-9, trees sum in single precision.
    """
    rng, schema = np.random.default_rng(11), survey_schema(is_binary)
    tables = [schema.canonical(survey(n_rows, rng, is_binary)) for _ in range(6)]
    settings = NuisanceSettings(propensity_library=words[0], outcome_library=words[1])
    fits = [cross_fit(table, schema, settings, rng) for table in tables]
    encoded = [main_effects(table, schema.covariates) for table in tables]
    sources = main_effect_names(schema.covariates)
    if n_rows == 180:  # rare levels, and so the products, differ from table to table
        assert len({product_pairs(x, sources) for x in encoded}) > 1
    replicates = Replicates(
        np.stack(encoded),
        np.stack([fit.treatment for fit in fits]),
        np.stack([fit.outcome for fit in fits]),
        tuple(sources),
        is_binary,
    )
    order = np.stack([dealt_order(fit.fold_ids) for fit in fits])
    folds = FoldLayout.from_order(order, N_FOLDS)
    assert (folds.fold_ids == np.stack([fit.fold_ids for fit in fits])).all()
    fitted = cross_fitted_nuisances(replicates, folds, Analysis(*words), is_pooled=n_rows == 180)
    bound = propensity_bound(n_rows)
    batched = estimate_all(
        fitted.treatment,
        fitted.outcome,
        np.clip(fitted.propensity, bound, 1 - bound),
        fitted.outcome_control,
        fitted.outcome_treated,
    )
    for k, fit in enumerate(fits):
        for name, plain in estimate_from_cross_fits((fit,)).items():
            assert batched[name][0][k] == pytest.approx(plain.estimate, abs=2e-5)
            assert batched[name][1][k] == pytest.approx(plain.standard_error, abs=2e-5)


def dealt_order(fold_ids):
    """Give the order in which rows, dealt to the folds in turn, fall into theirs."""
    counts = np.bincount(fold_ids, minlength=N_FOLDS)
    assert (np.diff(counts) <= 0).all()  # the first folds hold the odd rows
    places = [np.flatnonzero(fold_ids == fold) for fold in range(N_FOLDS)]
    return np.array(
        [places[i % N_FOLDS][i // N_FOLDS] for i in range(len(fold_ids))], dtype=np.int64
    )
