import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import CubicSpline

from hybrid_assets.errors import EstimationError
from hybrid_assets.nuisance import NuisanceSettings, cross_fit_draws
from hybrid_assets.nuisance.basis import CovariateBasis
from hybrid_assets.nuisance.observed import Observed
from hybrid_assets.nuisance.spline import Curve, natural_spline
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


def column(name, kind, levels=None):
    return ColumnSchema(name=name, role=Role.COVARIATE, kind=kind, levels=levels)


SCHEMA = TableSchema(
    study="demo",
    columns=(
        column("sex", ColumnKind.BINARY),
        column("region", ColumnKind.CATEGORICAL, ("north", "south", "west")),
        column("stage", ColumnKind.ORDINAL, (1, 2, 3)),
        column("age", ColumnKind.CONTINUOUS),
    ),
)


def covariates(n_rows=200, random_seed=0):
    rng = np.random.default_rng(random_seed)
    return SCHEMA.canonical(
        pd.DataFrame(
            {
                "sex": rng.integers(0, 2, n_rows),
                "region": rng.choice(["north", "south", "west"], n_rows),
                "stage": rng.integers(1, 4, n_rows),
                "age": rng.normal(50, 9, n_rows),
            }
        )
    )


def test_linear_basis_by_hand():
    table = covariates()
    linear = CovariateBasis.fit(table, SCHEMA).matrices(table, {"linear"})["linear"]
    raw = np.column_stack(
        [
            table["sex"],
            table["region"] == "south",
            table["region"] == "west",
            table["stage"].cat.codes,
            table["age"],
        ]
    ).astype(float)
    expected = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    assert linear == pytest.approx(expected, abs=1e-12)


def test_bases_nest_and_products_skip_levels_of_one_covariate():
    table = covariates()
    bases = CovariateBasis.fit(table, SCHEMA, ("age",)).matrices(
        table, {"constant", "linear", "spline", "pairwise", "parametric"}
    )
    widths = {word: matrix.shape[1] for word, matrix in bases.items()}
    # 5 main effects; 5 curves of age; 10 pairs less the two region indicators
    assert widths == {"constant": 0, "linear": 5, "spline": 10, "pairwise": 19, "parametric": 6}
    assert (bases["pairwise"][:, :10] == bases["spline"]).all()
    assert (bases["parametric"][:, 5] == bases["linear"][:, 4] ** 2).all()


def test_products_of_many_levels_are_limited():
    """Two columns of 100 levels would give 9801 products; 1000 rows allow 100."""
    levels = tuple(f"{i:02}" for i in range(100))
    names = ["ward", "region"]
    schema = TableSchema(
        study="demo",
        columns=(
            *(column(name, ColumnKind.CATEGORICAL, levels) for name in names),
            column("age", ColumnKind.CONTINUOUS),
            ColumnSchema(name="A", role=Role.TREATMENT, kind=ColumnKind.BINARY),
            ColumnSchema(name="Y", role=Role.OUTCOME, kind=ColumnKind.CONTINUOUS),
        ),
    )
    rng = np.random.default_rng(0)
    coded = {name: np.array(levels)[rng.integers(0, 100, 1000)] for name in names}
    table = schema.canonical(
        pd.DataFrame(
            {
                **coded,
                "age": rng.normal(size=1000),
                "A": np.arange(1000) % 2,
                "Y": rng.normal(size=1000),
            }
        )
    )
    settings = NuisanceSettings(
        n_fold_draws=1, outcome_library=("pairwise",), propensity_library=("pairwise",)
    )
    observed = Observed.from_table(table, schema, settings)
    # 199 main effects, 5 curves of age, 100 products
    assert observed.matrix("pairwise").shape == (1000, 304)
    (fit,) = cross_fit_draws(table, schema, settings, rng)
    assert np.isfinite(fit.outcome_observed_arm).all()
    counts = (table[names].to_numpy()[:, :, None] == np.array(levels[1:])).sum(axis=0).ravel()
    kept = {i for i, j in observed.basis.products if j == 198}
    # an indicator times age before two indicators, and the common ones first
    assert len(kept) == 100
    assert kept == set(np.argsort(-counts, kind="stable")[:100])
    assert observed.basis.products == CovariateBasis.fit(table[::-1], schema.covariates).products


def test_rare_indicators_enter_no_product():
    table = covariates()
    table["sex"] = (np.arange(200) < 9).astype(int)
    basis = CovariateBasis.fit(table, SCHEMA)
    assert all(0 not in pair for pair in basis.products)
    assert len(basis.products) == 5
    assert CovariateBasis.from_json(basis.to_json(), SCHEMA).products == basis.products


def test_new_rows_are_encoded_with_the_fitted_scales_whatever_their_dtype():
    basis = CovariateBasis.fit(covariates(), SCHEMA)
    new = covariates(random_seed=1)
    plain = SCHEMA.stored(new)
    words = {"spline"}
    assert (basis.matrices(new, words)["spline"] == basis.matrices(plain, words)["spline"]).all()


def test_natural_spline_spans_scipys():
    """Any natural cubic spline through the knots is a combination of our columns."""
    knots = np.array([-2.0, -1.0, 0.5, 1.0, 3.0])
    values = np.linspace(-2, 3, 101)
    target = CubicSpline(knots, [0.3, -1.0, 2.0, 0.0, 1.0], bc_type="natural")(values)
    design = np.column_stack([np.ones(101), values, natural_spline(values, knots)])
    fitted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
    assert fitted == pytest.approx(target, abs=1e-10)
    beyond = natural_spline(np.array([4.0, 5.0, 6.0]), knots)
    assert beyond[0] + beyond[2] == pytest.approx(2 * beyond[1], rel=1e-12)


def test_curve_columns_are_orthonormal():
    values = np.random.default_rng(3).normal(size=500)
    values = (values - values.mean()) / values.std()
    columns = np.column_stack([values, Curve.fit(values).columns(values)])
    assert columns.T @ columns / 500 == pytest.approx(np.eye(6), abs=1e-10)


def test_few_distinct_values_have_no_curve():
    assert Curve.fit(np.repeat([-1.0, 0.0, 1.0], 20)) is None


def test_constant_column_is_harmless():
    table = covariates().assign(age=40.0)
    basis = CovariateBasis.fit(table, SCHEMA)
    assert (basis.matrices(table, {"linear"})["linear"][:, 4] == 0).all()


@pytest.mark.parametrize(("name", "value"), [("age", np.nan), ("age", np.inf), ("region", None)])
def test_missing_values_are_refused_without_showing_them(name, value):
    table = covariates().astype({"region": object})
    table.loc[3, name] = value
    with pytest.raises(EstimationError, match=f"column '{name}'.*; 1 values are missing"):
        CovariateBasis.fit(table, SCHEMA)


def test_unknown_level_and_absent_column_are_refused():
    basis = CovariateBasis.fit(covariates(), SCHEMA)
    table = SCHEMA.stored(covariates())
    table.loc[0, "region"] = "east"
    with pytest.raises(EstimationError, match="column 'region'.*not a level"):
        basis.matrices(table, {"linear"})
    with pytest.raises(EstimationError, match=r"covariates \['age'\] are absent"):
        basis.matrices(table.drop(columns="age"), {"linear"})
