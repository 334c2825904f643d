"""What the gates are decided on, and what of it may be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from hybrid_assets.fidelity.drift import effect_drift
from hybrid_assets.privacy.dcr import DcrEvaluation
from hybrid_assets.privacy.evaluate import PrivacyEvaluation
from hybrid_assets.privacy.ledger import PrivacyLoss
from hybrid_assets.privacy.measure import Attack
from hybrid_assets.schema import ColumnKind, TableSchema


@dataclass(frozen=True)
class ReleaseFacts:
    """Facts of a table that may leave, told wherever its gates are.

    Attributes
    ----------
    generator_kind : str
        Such as ``"cart"``.
    label : str
        What the study marks its tables with; mostly empty.
    assignment : str
        ``observed`` or ``randomised``.
    treated_probability : float or None
        The coin that treatment was drawn with, where it was one.
    n_rows : int
        Of the table.
    n_rows_released_before : int
        In other tables made from the same training people.
    n_seed : int
        People whose effect the table keeps.
    n_members, n_holdout : int
        Training people, and people whom nothing was fitted to.
    extreme_share : float or str
        Share of the seed with an extreme propensity; in words where it would tell
        of 1 to 9 people.
    psi_exact : float
        Effect of the table's population by construction.
    seed_estimate, seed_standard_error : float
        The seed's TMLE.
    privacy_verdict, privacy_policy : str
        Verdict, and the policy's version with every threshold that was changed.
    privacy_loss : PrivacyLoss or None
        What a differentially private generator's rows may claim.
    seed_version : str
        Of a seed that lies in a file for each version; empty otherwise.
    """

    generator_kind: str
    label: str
    assignment: str
    treated_probability: float | None
    n_rows: int
    n_rows_released_before: int
    n_seed: int
    n_members: int
    n_holdout: int
    extreme_share: float | str
    psi_exact: float
    seed_estimate: float
    seed_standard_error: float
    privacy_verdict: str
    privacy_policy: str
    privacy_loss: PrivacyLoss | None = None
    seed_version: str = ""

    @property
    def drift(self) -> float:
        """Distance of the effect to the seed's, in standard errors of the latter."""
        return effect_drift(self.psi_exact, self.seed_estimate, self.seed_standard_error)


@dataclass(frozen=True, eq=False, repr=False)
class ReleaseEvidence:
    """What the gates are decided on; exact figures, some of which are of few people.

    Attributes
    ----------
    facts : ReleaseFacts
    privacy : PrivacyEvaluation
        Of the table.
    label_audit : str
        How the audit with planted outcomes stands.
    copies : DcrEvaluation
        Of its covariates.
    calibration_shift : float or None
        The larger arm's, in the unit of `Gates.max_calibration_shift`; None if
        nothing was calibrated.
    extreme_share : float
        That of `ReleaseFacts`, exactly.
    cells_beyond : mapping of str to int
        By continuous column: cells that had more digits than it declares before
        they were rounded to leave, all of them where it declares none.
    broken_rules : tuple of str
        Rules on columns, types, ranges and levels that the table breaks.
    formula_columns : tuple of str
        Columns whose name or text a spreadsheet would run as a formula.
    columns_not_attacked : tuple of str
        Columns that the privacy evaluation did not see.
    columns_not_guessed : tuple of str
        Covariates that no attacker tried to guess, because the study does not
        call them sensitive.
    """

    facts: ReleaseFacts
    privacy: PrivacyEvaluation
    label_audit: str
    copies: DcrEvaluation
    calibration_shift: float | None
    extreme_share: float
    cells_beyond: Mapping[str, int]
    broken_rules: tuple[str, ...]
    formula_columns: tuple[str, ...]
    columns_not_attacked: tuple[str, ...]
    columns_not_guessed: tuple[str, ...]


def columns_not_guessed(privacy: PrivacyEvaluation, schema: TableSchema) -> tuple[str, ...]:
    """Name the covariates that no attacker tried to guess."""
    guessed = {f.measure.target for f in privacy.findings if f.measure.attack is Attack.INFERENCE}
    return tuple(name for name in schema.covariate_names if name not in guessed)


def cells_beyond(blocks: Iterable[pd.DataFrame], schema: TableSchema) -> dict[str, int]:
    """Count the cells of each continuous column that `ReleaseEvidence` tells of."""
    continuous = [column for column in schema.columns if column.kind is ColumnKind.CONTINUOUS]
    n_beyond = dict.fromkeys((column.name for column in continuous), 0)
    for block in blocks:
        shown = schema.rounded(block)
        for column in continuous:
            differs = block[column.name] != shown[column.name]
            n_beyond[column.name] += len(block) if column.decimals is None else int(differs.sum())
    return n_beyond
