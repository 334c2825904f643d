"""The claim's page: a table and a verdict for each design and generator."""

from __future__ import annotations

from benchmarks.claim_draws import ClaimDraw
from benchmarks.claim_summary import (
    FEWEST_DRAWS,
    MOST_CHANCE,
    MOST_RMSE,
    NOMINAL_SHARE,
    WITHIN,
    ClaimRow,
    RecoveredShare,
    claim_rows,
)


def claim_page(draws: list[ClaimDraw]) -> str:
    """Write the Markdown page."""
    rows = claim_rows(draws)
    versions = ", ".join(sorted({draw.code_version for draw in draws}))
    sizes = ", ".join(sorted({f"{d.n_rows} people, {d.n_synthetic} synthetic rows" for d in draws}))
    heads, rule = " | ".join(HEADS), "|".join(["---"] * len(HEADS))
    top = TOP.format(sizes=sizes, versions=versions, heads=heads, rule=rule)
    lines = [top, *map(_line, rows), "", "## Verdict", "", RULES, ""]
    return "\n".join([*lines, *map(_verdict, rows), ""])


TOP = """# Hybrid and full-synthetic tables of studies whose effect is known

Written by `make claim` ({sizes}; code {versions}).

Each draw is a fresh study from a design whose effect is known; its generator is fitted anew.
*Within 2 SE* counts draws in which an analyst's TMLE of the table is within two of its standard
errors (widened by √(1 + rows / people)) of the true effect, with Wilson's 95 % interval. *RMSE* is
over that of AIPW with the design's own nuisances on the same people, ± its jackknife Monte-Carlo
error: of the hybrid population's exact effect, and of the effect found in each table (which adds
the table's own sampling error to that of the people). *Bias* is the mean of the full-synthetic
tables' estimates minus the truth, ± its Monte-Carlo error. bootstrap repeats real people: the
ceiling, not a release.

| {heads} |
|{rule}|"""

RULES = f"""Nothing is called as expected on fewer than {FEWEST_DRAWS} draws. Within 2 SE: exact
McNemar test on draws at {100 * MOST_CHANCE:.0f} %, either way; also not as expected where Wilson's
interval of the hybrid's own share lies below {100 * NOMINAL_SHARE:.0f} %. RMSE: two Monte-Carlo
errors below or above {MOST_RMSE}. Most draws: Wilson's interval below or above a half. All else is
undecided."""

HEADS = (
    "design",
    "generator",
    "draws",
    "hybrid within 2 SE",
    "full synthetic within 2 SE",
    "RMSE hybrid population",
    "RMSE hybrid table",
    "RMSE full synthetic",
    "bias full synthetic",
    "CPU s a draw",
)


def _line(row: ClaimRow) -> str:
    cells = (
        row.design,
        row.generator,
        str(row.hybrid_share.n_draws),
        *(_share(share) for share in (row.hybrid_share, row.full_share)),
        *(
            f"{ratio.value:.2f} ± {ratio.monte_carlo_error:.2f}"
            for ratio in (row.population_ratio, row.hybrid_ratio, row.full_ratio)
        ),
        f"{row.full_bias:+.3f} ± {row.full_bias_error:.3f}",
        f"{row.cpu_seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _share(share: RecoveredShare) -> str:
    interval = f"{100 * share.low:.0f} to {100 * share.high:.0f} %"
    return f"{share.n_recovered} of {share.n_draws} ({interval})"


def _verdict(row: ClaimRow) -> str:
    is_ceiling = row.generator == "bootstrap"
    full = "a ceiling, no expectation" if is_ceiling else row.full_verdict
    paired = row.paired
    return (
        f"- {row.design}, {row.generator} ({row.hybrid_share.n_draws} draws): within "
        f"{WITHIN:.0f} SE on more draws than full synthetic ({paired.hybrid_only} hybrid only, "
        f"{paired.full_only} full synthetic only, p = {paired.p_value:.2g}): "
        f"{row.recovery_verdict}; hybrid population's RMSE at most {MOST_RMSE} of the oracle's: "
        f"{row.hybrid_verdict}; full synthetic beyond {WITHIN:.0f} SE in most draws: {full}."
    )
