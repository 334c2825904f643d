"""Every attack on one synthetic table, and the verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pydantic import ConfigDict

from hybrid_assets.privacy.copying import (
    continuous_names,
    copied_cells,
    copied_rows,
    digit_precision,
    digit_replay,
    personal_integer_names,
    rare_levels_shown,
)
from hybrid_assets.privacy.dcr import DcrShare
from hybrid_assets.privacy.inference import attribute_inference
from hybrid_assets.privacy.likelihood import likelihood_membership
from hybrid_assets.privacy.linkage import linkability, singling_out
from hybrid_assets.privacy.measure import Attack, Measure
from hybrid_assets.privacy.membership import membership
from hybrid_assets.privacy.people import Attacked
from hybrid_assets.privacy.policy import PrivacyPolicy
from hybrid_assets.privacy.spikes import spikes
from hybrid_assets.privacy.surroundings import Surroundings
from hybrid_assets.privacy.verdict import Finding, Verdict, judge, overall
from hybrid_assets.schema import Role, TableSchema

W, WAY = "W", "W, A, Y"


@dataclass(frozen=True)
class PrivacyEvaluation:
    """Evidence about one synthetic table; it never says that a table is anonymous.

    As JSON it keeps NaN and infinity, as words.

    Attributes
    ----------
    findings : list of Finding
    verdict : Verdict
        The worst of them; never PASS with fewer unseen people than the policy asks for.
    n_synthetic, n_members, n_holdout : int
    policy : PrivacyPolicy
    n_sampled : int or None
        Rows of the table that attackers by likeness were given, where not all: copies, digits
        and levels were looked for in all rows even so.
    n_asked : int or None
        People, members and others, whom attackers by likeness were asked about, where not all:
        copies, digits and levels were looked for of all people even so.
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    findings: list[Finding]
    verdict: Verdict
    n_synthetic: int
    n_members: int
    n_holdout: int
    policy: PrivacyPolicy
    n_sampled: int | None = None
    n_asked: int | None = None

    @property
    def no_pass_because(self) -> dict[str, str]:
        """Say why this table cannot pass, by what is short; empty if it can."""
        told = {
            "holdout": self.too_few_people,
            "rows": self.too_few_rows,
            "people": self.people_not_asked,
        }
        return {word: reason for word, reason in told.items() if reason}

    @property
    def people_not_asked(self) -> str:
        """Say that a sample of people stood for all; empty where all were asked about."""
        if self.n_asked is None:
            return ""
        n_people = self.n_members + self.n_holdout
        return (
            f"Attackers by likeness were asked about {self.n_asked:,} random people of "
            f"{n_people:,} (copies, digits and rare levels were looked for of all): a row that is "
            "nearly one of the others would not be seen, so a FAIL stands and INCONCLUSIVE is the "
            "best that tables of so many people can reach."
        )

    @property
    def too_few_rows(self) -> str:
        """Say why a table of so many rows cannot pass; empty where all were attacked."""
        if self.n_sampled is None:
            return ""
        return (
            f"Attackers by likeness were given a random sample of {self.n_sampled:,} of "
            f"{self.n_synthetic:,} rows (copies, digits and levels were looked for in all), and "
            "what they learn grows with the rows: a FAIL stands, INCONCLUSIVE is the best that so "
            f"long a table can reach. Release {self.n_sampled:,} rows or fewer."
        )

    @property
    def too_few_people(self) -> str:
        """Say why no table of this study can pass; empty where enough people were set aside."""
        needed = self.policy.min_holdout
        if self.n_holdout >= needed:
            return ""
        return (
            f"{self.n_holdout} people were set aside and a PASS needs {needed}, so INCONCLUSIVE is "
            "the best that any table of this study can reach. Set more people aside (holdout: in "
            "the study file) and run the study again."
        )

    def with_finding(self, finding: Finding) -> PrivacyEvaluation:
        """Add what was found apart; the verdict is the graver of the two."""
        verdict = min(self.verdict, finding.verdict, key=list(Verdict).index)
        return replace(self, findings=[*self.findings, finding], verdict=verdict)


def evaluate_privacy(
    attacked: Attacked,
    *,
    shares: Mapping[str, DcrShare],
    policy: PrivacyPolicy,
    rng: np.random.Generator,
    sensitive: Collection[str] | None = None,
    workers: Executor | None = None,
) -> PrivacyEvaluation:
    """Make every attack on W and on (W, A, Y) and judge them together.

    Parameters
    ----------
    attacked : Attacked
        The table, members and people whom nothing was fitted to.
    shares : mapping of str to DcrShare
        By target, such as ``"W"``: see `evaluate_dcr`.
    policy : PrivacyPolicy
    rng : Generator
        Draws the synthetic rows that descriptions are taken from.
    sensitive : collection of str, optional
        Covariates that an attacker tries to guess, as treatment and outcome are; all by default.
    workers : Executor, optional
        Search neighbours of many people; this process if None. The result is the same.

    Returns
    -------
    PrivacyEvaluation
        With fewer than 20 people on a side, or 50 rows, nothing is attacked:
        only the shares are judged, and the verdict is never PASS. With more than
        `MOST_PEOPLE` on a side, attackers by likeness are asked about a random
        sample of them.
    """
    guessed = _guessed(attacked.schema, sensitive)
    asked = attacked.of_some_people(rng)
    measures: list[Measure] = []
    if attacked.is_large_enough:
        measures = _attacks(attacked, asked, guessed, policy, rng, workers)
    measures += [share_measure(share, target, policy) for target, share in shares.items()]
    findings = judge(measures, policy)
    n_rows, n_given = attacked.traces.n_rows, len(attacked.synthetic)
    n_people, n_asked = len(attacked.people), len(asked.people)
    found = PrivacyEvaluation(
        findings,
        overall(findings),
        n_rows,
        attacked.n_members,
        attacked.n_holdout,
        policy,
        n_given if n_given < n_rows else None,
        n_asked if n_asked < n_people else None,
    )
    if found.verdict is Verdict.PASS and found.no_pass_because:
        return replace(found, verdict=Verdict.INCONCLUSIVE)
    return found


def _attacks(
    attacked: Attacked,
    asked: Attacked,
    guessed: list[str],
    policy: PrivacyPolicy,
    rng: np.random.Generator,
    workers: Executor | None,
) -> list[Measure]:
    """Look for copies of all people, and for those who are asked about by likeness."""
    measures: list[Measure] = []
    for target, all_people, seen in (
        (W, attacked.covariates, asked.covariates),
        (WAY, attacked, asked),
    ):
        around = Surroundings.of(*seen.encoded(), workers)
        measures += [
            copied_rows(all_people, target, policy),
            *membership(seen, target, policy, around, workers),
            spikes(seen, target, policy, around, workers),
            singling_out(seen, target, policy, rng),
        ]
    measures += likelihood_membership(attacked, W, policy)
    measures.append(linkability(asked, WAY, policy, workers))
    names = continuous_names(attacked)
    if len(names) > 1:
        measures.append(digit_replay(attacked, names, policy))
    measures += [digit_precision(attacked, name) for name in names]
    for name in [*names, *personal_integer_names(attacked, policy)]:
        measures += [
            copied_cells(attacked, name, policy),
            digit_replay(attacked, [name], policy),
        ]
    measures += [attribute_inference(asked, name, policy, workers) for name in guessed]
    measures += rare_levels_shown(attacked, policy)
    return measures


def _guessed(schema: TableSchema, sensitive: Collection[str] | None) -> list[str]:
    return [
        column.name
        for column in schema.columns
        if sensitive is None or column.role is not Role.COVARIATE or column.name in sensitive
    ]


def share_measure(share: DcrShare, target: str, policy: PrivacyPolicy) -> Measure:
    """Ask for a look where the DCR share is off on either side; it never fails a table."""
    return Measure(
        attack=Attack.DCR_SHARE,
        target=target,
        statistic="share of rows nearer to training",
        value=share.value,
        reference=share.expected,
        ci_low=share.ci_low,
        ci_high=share.ci_high,
        p_value=None,
        is_within_limit=abs(share.z) <= policy.max_dcr_share_z,
        is_suspicious=True,
    )


def risk_table(evaluation: PrivacyEvaluation) -> pd.DataFrame:
    """Give one row for each finding, the gravest first: aggregates only."""
    return finding_table(evaluation.findings)


def finding_table(findings: list[Finding]) -> pd.DataFrame:
    """Lay findings out as `risk_table` does."""
    order = list(Verdict)
    rows = [
        {
            "attack": f.measure.attack.value,
            "target": f.measure.target,
            "statistic": f.measure.statistic,
            "value": f.measure.value,
            "ci_low": f.measure.ci_low,
            "ci_high": f.measure.ci_high,
            "holdout_value": f.measure.reference,
            "p_adjusted": f.p_adjusted,
            "verdict": f.verdict.value,
            "advice": f.advice,
        }
        for f in sorted(findings, key=lambda f: order.index(f.verdict))
    ]
    return pd.DataFrame(rows).astype({"p_adjusted": float})
