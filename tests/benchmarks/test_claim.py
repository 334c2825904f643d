"""The claim's draws and their summary, by hand."""

from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.claim import run_tasks
from benchmarks.claim_draws import ClaimDraw, Task, read_draws, run_draw, unfinished
from benchmarks.claim_page import claim_page
from benchmarks.claim_summary import claim_row, paired_recovery, recovered_share, rmse_ratio
from hybrid_assets.designs import DESIGNS

SMALL = {"n_rows": 300, "n_synthetic": 400}
TASKS = [
    Task(design, generator, draw, **SMALL)
    for design, generator, draw in (
        ("paper1_trial", "bootstrap", 0),
        ("paper1_trial", "cart", 0),
        ("confounded_binary", "cart", 1),
    )
]


@pytest.fixture(scope="module")
def draws() -> list[ClaimDraw]:
    return [run_draw(task) for task in TASKS]


def test_the_hybrid_population_has_the_seeds_effect(draws: list[ClaimDraw]) -> None:
    for draw in draws:
        assert draw.hybrid_exact == pytest.approx(draw.seed_tmle, abs=1e-12)


def test_generators_of_one_draw_learn_from_the_same_people(draws: list[ClaimDraw]) -> None:
    bootstrap, cart, other = draws
    shared = ("oracle", "seed_tmle", "seed_standard_error", "true_ate")
    assert [getattr(bootstrap, n) for n in shared] == [getattr(cart, n) for n in shared]
    assert bootstrap.hybrid != cart.hybrid
    assert other.oracle != cart.oracle


@pytest.mark.parametrize("place", [1, 2])
def test_the_oracle_is_aipw_with_the_designs_own_nuisances(
    draws: list[ClaimDraw], place: int
) -> None:
    draw = draws[place]
    design = DESIGNS[draw.design]
    people = design(300, 10_000 + draw.draw)
    a, y, g = people["A"], people["Y"], design.propensity(people)
    q0, q1 = (design.outcome_mean(people, arm) for arm in (0, 1))
    by_hand = np.mean(q1 - q0 + a * (y - q1) / g - (1 - a) * (y - q0) / (1 - g))
    assert draw.oracle == pytest.approx(by_hand, abs=1e-13)


def test_errors_are_widened_for_synthesis(draws: list[ClaimDraw]) -> None:
    """An honest error of a 400-row table from 300 people is over that of the 300 people.

    Times sqrt(1 + 400 / 300) = 1.53, and that of 400 rows is about sqrt(3 / 4) of theirs.
    """
    for draw in draws:
        ratio = draw.hybrid_standard_error / draw.seed_standard_error
        assert 1.1 < ratio < 1.6


def test_a_draw_is_repeatable(draws: list[ClaimDraw]) -> None:
    again = run_draw(TASKS[1])
    assert replace(again, cpu_seconds=0.0) == replace(draws[1], cpu_seconds=0.0)


def test_shares_and_their_interval() -> None:
    misses, errors = np.array([0.1, -0.2, 0.201, -0.5]), np.full(4, 0.1)
    found = recovered_share(misses, errors)
    assert (found.n_recovered, found.n_draws) == (2, 4)
    wilson = binomtest(2, 4).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=1e-12)
    everyone = recovered_share(np.zeros(40), np.ones(40))
    assert (everyone.low, everyone.high) == pytest.approx((0.9124, 1.0), abs=1e-4)


def test_rmse_ratio_and_its_jackknife() -> None:
    misses, oracle = np.array([3.0, 0.0, 4.0]), np.array([0.0, 3.0, 4.0])
    found = rmse_ratio(misses, oracle)
    assert found.value == 1.0
    without = [np.sqrt(16 / 25), np.sqrt(25 / 16), 1.0]
    by_hand = np.sqrt(2 / 3 * sum((w - np.mean(without)) ** 2 for w in without))
    assert found.monte_carlo_error == pytest.approx(by_hand, abs=1e-15)


def made(n_draw: int, hybrid: float, full: float) -> ClaimDraw:
    zero = dict.fromkeys(ClaimDraw.__dataclass_fields__, 0.0)
    return ClaimDraw(
        **zero
        | {
            "design": "d",
            "generator": "gan",
            "code_version": "c",
            "draw": n_draw,
            "true_ate": 1.0,
            "oracle": 1.0 + 0.1 * (-1) ** n_draw,
            "hybrid_exact": hybrid,
            "hybrid": hybrid,
            "full": full,
            "hybrid_standard_error": 0.1,
            "full_standard_error": 0.1,
        }
    )


def test_a_row_by_hand() -> None:
    row = claim_row([made(0, 1.1, 1.5), made(1, 0.9, 0.4), made(2, 1.1, 1.2)])
    assert (row.hybrid_share.n_recovered, row.full_share.n_recovered) == (3, 1)
    assert row.population_ratio.value == pytest.approx(1.0)
    assert row.full_ratio.value == pytest.approx(np.sqrt((0.25 + 0.36 + 0.04) / 0.03))
    assert row.full_bias == pytest.approx(0.1 / 3)
    assert row.full_bias_error == pytest.approx(np.std([0.5, -0.6, 0.2], ddof=1) / np.sqrt(3))


@pytest.mark.parametrize(
    ("hybrid", "full", "n_draws", "verdicts"),
    [
        (1.05, 1.5, 20, ("as expected", "as expected")),
        (1.3, 1.0, 20, ("NOT as expected", "NOT as expected")),
        (1.05, 1.5, 19, ("undecided", "undecided")),
        (1.3, 1.0, 4, ("NOT as expected", "NOT as expected")),
    ],
)
def test_verdicts(hybrid: float, full: float, n_draws: int, verdicts: tuple[str, str]) -> None:
    row = claim_row([made(n, hybrid, full) for n in range(n_draws)])
    assert (row.hybrid_verdict, row.full_verdict) == verdicts


def test_a_ratio_within_its_monte_carlo_error_is_undecided() -> None:
    row = claim_row([made(0, 1.2, 1.0), made(1, 0.9, 1.0), made(2, 1.02, 1.0)])
    assert row.population_ratio.value == pytest.approx(np.sqrt(0.0504 / 0.03))
    assert row.hybrid_verdict == "undecided"


def test_a_ratio_below_the_limit_by_less_than_two_errors_is_undecided() -> None:
    noise = np.random.default_rng(0).normal(0.1, 0.05, 24)
    row = claim_row([made(n, 1.0 + miss, 1.5) for n, miss in enumerate(noise)])
    ratio = row.population_ratio
    assert 1.1 - 2 * ratio.monte_carlo_error < ratio.value < 1.1
    assert row.hybrid_verdict == "undecided"


def test_recovery_is_compared_draw_by_draw() -> None:
    hybrid, full = np.repeat([True, True, False, False], [5, 9, 2, 4]), np.zeros(20, dtype=bool)
    full[[0, 1, 2, 3, 4, 14, 15]] = True
    found = paired_recovery(hybrid, full)
    assert (found.hybrid_only, found.full_only) == (9, 2)
    by_hand = 2 * sum(comb(11, k) for k in range(3)) / 2**11
    assert found.p_value == pytest.approx(by_hand, abs=1e-15)
    assert paired_recovery(full, full).p_value == 1.0


@pytest.mark.parametrize(
    ("hybrid_misses", "full_misses", "verdict"),
    [
        (0, 8, "as expected"),
        (0, 5, "undecided"),  # 5 of 5 discordant draws: p = .0625
        (8, 0, "NOT as expected"),
        (12, 12, "NOT as expected"),  # neither better, and 8 of 20 is no 95 %
    ],
)
def test_a_failing_hybrid_shows(hybrid_misses: int, full_misses: int, verdict: str) -> None:
    draws = [
        made(n, 1.5 if n < hybrid_misses else 1.1, 1.5 if n < full_misses else 1.1)
        for n in range(20)
    ]
    assert claim_row(draws).recovery_verdict == verdict


def test_the_page_says_what_was_not_as_expected() -> None:
    page = claim_page([made(0, 1.1, 1.0), made(1, 0.9, 1.0)])
    assert "| d | gan | 2 | 2 of 2 (34 to 100 %) | 2 of 2 (34 to 100 %) | 1.00 ± 0.00 |" in page
    assert page.startswith("# Hybrid and full-synthetic tables of studies whose effect is known")
    assert "(0 hybrid only, 0 full synthetic only, p = 1): undecided; hybrid" in page
    assert "hybrid population's RMSE at most 1.1 of the oracle's: undecided;" in page
    assert "full synthetic beyond 2 SE in most draws: undecided." in page


def test_a_stopped_run_continues(tmp_path: Path) -> None:
    file = tmp_path / "partial" / "draws.jsonl"
    assert run_tasks(TASKS[:1], file, 1) == 0
    with file.open("a") as lines:
        lines.write('{"design": "paper1_tri')  # killed while writing
    assert [draw.generator for draw in read_draws(file)] == ["bootstrap"]
    assert unfinished(TASKS, read_draws(file)) == TASKS[1:]
    larger = [replace(TASKS[0], n_rows=301)]
    assert unfinished(larger, read_draws(file)) == larger
    impossible = Task("paper1_trial", "bootstrap", 0, n_rows=12, n_synthetic=400)
    assert run_tasks([impossible, TASKS[1]], file, 1) == 1
    assert [draw.generator for draw in read_draws(file)] == ["bootstrap", "cart"]
