import numpy as np
import pytest

from hybrid_assets.errors import EstimationError
from hybrid_assets.generators.cart import CartGenerator, CartSettings
from hybrid_assets.hybrid import GeneratingModels, HybridSettings
from hybrid_assets.hybrid_draw import hybrid_triplets
from hybrid_assets.nuisance import cross_fit, fit_propensity_model
from hybrid_assets.privacy.dcr import distance_to_closest_record
from hybrid_assets.privacy.records import RecordEncoder
from hybrid_assets.sensitivity import scenarios
from hybrid_assets.sensitivity.hybrid_effect import analyse_seed, hybrid_contrast
from hybrid_assets.sensitivity.scenarios import (
    SeedDraw,
    dimensions,
    filtered,
    misspecified,
    order_of_distances,
    seed_sizes,
    with_noise,
    without_confounders,
)


@pytest.fixture(scope="module")
def draw(trial_population, library):
    table = trial_population.draw(600, np.random.default_rng(3))
    return SeedDraw(trial_population, library, table, 400, 17)


@pytest.mark.parametrize("kind", ["trial", "measured"])
def test_contrasts_are_those_of_hybrid_triplets(kind, request, library):
    population = request.getfixturevalue(f"{kind}_population")
    schema = population.schema
    table = population.draw(500, np.random.default_rng(5))
    analysed = analyse_seed(table, schema, library, np.random.default_rng(6))
    fit = cross_fit(table, schema, library, np.random.default_rng(6))
    models = GeneratingModels(
        fit_propensity_model(table, schema, library, (fit,)),
        analysed.outcome,
        mean_treated=analysed.mean_treated,
        mean_control=analysed.mean_control,
    )
    covariates = population.covariates.iloc[:300]
    ours = hybrid_contrast(covariates, analysed)
    rng = np.random.default_rng(0)
    made = hybrid_triplets(covariates, models, settings=HybridSettings(), rng=rng)
    assert ours.calibrated == pytest.approx(made.cate, abs=1e-12)
    target = analysed.mean_treated - analysed.mean_control
    assert ours.calibrated.mean() == pytest.approx(target, abs=1e-9)
    bare = hybrid_triplets(covariates, models, settings=HybridSettings(calibrate=False), rng=rng)
    assert ours.uncalibrated == pytest.approx(bare.cate, abs=1e-12)


def test_every_misspecification_is_run_on_the_same_seed(draw):
    found = list(misspecified(draw, "misspecification"))
    assert [each.scenario for each in found] == [
        "study's library",
        "no interactions",
        "outcome linear",
        "propensity linear",
        "both linear",
        "no adjustment",
    ]
    assert [each.is_reference for each in found] == [True] + 5 * [False]
    assert {each.n_rows for each in found} == {400}
    arms = draw.seed.groupby("A")["Y"].mean()
    assert found[-1].calibrated == pytest.approx(arms[1] - arms[0])
    # the library of this test has no interactions to begin with, and g is linear already
    assert found[0].calibrated == found[3].calibrated
    assert found[2].calibrated == found[4].calibrated
    again = list(misspecified(draw, "misspecification"))
    assert found == again


def test_a_dropped_confounder_is_left_out_of_every_model(draw):
    found = list(without_confounders(draw))
    names = draw.population.strongest_confounders(3)
    assert [each.scenario for each in found] == [f"without {name}" for name in names]
    assert {each.n_covariates for each in found} == {5}


def test_smaller_seeds_are_the_first_rows_of_the_largest(draw):
    small, own, large = seed_sizes(draw, (250, 400, 600))
    assert [each.n_rows for each in (small, own, large)] == [250, 400, 600]
    assert large.is_reference
    reference = next(misspecified(draw, "misspecification"))
    assert own.calibrated == reference.calibrated


def test_noise_covariates_have_the_study_s_laws_and_no_signal(draw):
    population = draw.population
    rng = np.random.default_rng(0)
    wide, schema = with_noise(draw.table, population.schema, population.covariates, 14, rng)
    assert len(schema.covariate_names) == 14
    assert list(wide.columns) == schema.names
    assert wide[population.schema.names].equals(draw.table)
    added = wide["noise_9_W4"]
    assert schema["noise_9_W4"].kind == population.schema["W4"].kind
    assert abs(np.corrcoef(added, wide["W4"])[0, 1]) < 0.15
    assert set(added) <= set(population.covariates["W4"])
    found = list(dimensions(draw, (5, 8, 12)))
    assert [each.n_covariates for each in found] == [6, 8, 12]
    assert found[0].is_reference


def test_filters_drop_the_nearest_rows_of_a_finished_table(draw):
    found = list(filtered(draw))
    assert [each.scenario for each in found] == [
        "no row dropped",
        "nearest 5% dropped",
        "nearest 10% dropped",
        "nearest 25% dropped",
        "nearest 50% dropped",
    ]
    target = draw.analysis.mean_treated - draw.analysis.mean_control
    assert found[0].calibrated == pytest.approx(target, abs=1e-9)
    assert found[-1].calibrated != found[0].calibrated


def test_tied_rows_are_dropped_at_random_and_as_many_as_asked():
    distances = np.r_[np.full(900, 0.0), np.full(100, 0.7), 0.7 + 1e-14]
    order = order_of_distances(distances, np.random.default_rng(4))
    assert set(order) == set(range(1001))
    assert (order[:900] < 900).all()
    assert abs(order[:450].mean() - 449.5) < 4 * 260 / np.sqrt(900)
    assert order[:900].tolist() != sorted(order[:900])
    assert np.array_equal(order, order_of_distances(distances, np.random.default_rng(4)))
    assert 1000 in order[900:1000]  # rounding alone does not make it the farthest
    assert not np.array_equal(order, order_of_distances(distances, np.random.default_rng(5)))


def test_a_filter_drops_exactly_the_share_asked_for(draw):
    found = list(filtered(draw))
    fitting, drawing, choosing = draw.rng.spawn(3)
    covariates = draw.population.schema.covariates
    people = draw.seed[covariates.names]
    generator = CartGenerator(CartSettings()).fit(people, covariates, fitting)
    rows = covariates.canonical(generator.sample(2000, drawing))
    distances = distance_to_closest_record(rows, people, RecordEncoder.fit(people, covariates))
    coins = choosing.random(2000)
    order = sorted(range(2000), key=lambda row: (round(distances[row] / 1e-9), coins[row]))
    effects = hybrid_contrast(rows, draw.analysis).calibrated
    for each, n_dropped in zip(found, (0, 100, 200, 500, 1000), strict=True):
        assert each.calibrated == pytest.approx(effects[order[n_dropped:]].mean(), abs=1e-13)


def test_binary_covariates_leave_nothing_to_filter(binary_population, library):
    table = binary_population.draw(400, np.random.default_rng(3))
    found = list(filtered(SeedDraw(binary_population, library, table, 400, 17)))
    assert np.isfinite(found[0].calibrated)
    assert np.isnan([[each.calibrated, each.uncalibrated] for each in found[1:]]).all()


def test_a_seed_that_cannot_be_fitted_gives_no_number(draw, library):
    """Ten rows in one arm cannot be cut into folds; the replicate is counted as failed."""
    alone = draw.table.assign(A=(np.arange(600) < 5).astype("int64"))
    thin = SeedDraw(draw.population, library, alone, 400, 1)
    with pytest.raises(EstimationError):
        _ = thin.analysis
    found = [*misspecified(thin, "misspecification"), *filtered(thin)]
    assert all(np.isnan(each.calibrated) for each in found if each.scenario != scenarios.CRUDE)
