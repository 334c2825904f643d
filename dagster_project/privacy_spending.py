"""The study's privacy ledger in its warehouse: written before a fit looks, read by all who tell."""

import json
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from pandas import DataFrame

from dagster_project.asset_run import AssetRun
from dagster_project.display import small_table
from dagster_project.private_branch import is_private
from dagster_project.study_file import StudyFile
from hybrid_assets.errors import GeneratorError
from hybrid_assets.generators import DpSettings
from hybrid_assets.privacy.ledger import (
    LEDGER,
    PrivacyLedger,
    PrivacyLoss,
    Spent,
    loss_of,
    rho_within,
)
from warehouse import DecisionStore

FIT: Final = "privacy_ledger"
ROUNDING: Final = 1e-9


def spend(run: AssetRun) -> PrivacyLedger:
    """Enter the fit that is about to be made: one that fails has been paid for too.

    Raises
    ------
    GeneratorError
        If it would go beyond what the study allows; nothing is spent.
    """
    settings = run.study.generators[run.generator]
    assert isinstance(settings, DpSettings)
    cost = tuple(
        Spent(f"{run.generator}: {entry.what}", entry.mechanism, entry.rho)
        for entry in settings.spent
    )
    store = run.storage.decisions(run.study.name)
    ledger = PrivacyLedger()

    def permit(fits: Sequence[bytes]) -> None:
        nonlocal ledger
        ledger = ledger_of(fits).with_spent(*cost, delta=settings.delta)
        require_allowed(run.study, ledger)

    fit = fit_document(PrivacyLedger(cost, settings.delta))
    store.record(FIT, fit, run.origin(), permit=permit)  # no host can spend in between
    return ledger  # nothing after the entry may fail: a second try would pay again


def fit_document(fit: PrivacyLedger) -> bytes:
    """Write one fit as a document of its own: equal fits have different hashes, and so files."""
    return json.dumps(LEDGER.dump_python(fit, mode="json") | {"fit_id": uuid4().hex}).encode()


def require_allowed(study: StudyFile, ledger: PrivacyLedger) -> None:
    """Refuse what goes beyond ``gates: max_epsilon``, or beyond one fit of each generator.

    Raises
    ------
    GeneratorError
    """
    limit, private = study.gates.max_epsilon, study.private_generators.values()
    one_each = sum(entry.rho for settings in private for entry in settings.spent)
    allowed = one_each if limit is None else rho_within(limit, ledger.delta)
    if ledger.rho > allowed * (1.0 + ROUNDING):
        stated = "one fit of each dp generator" if limit is None else f"ε = {limit:g}"
        raise GeneratorError(
            f"study {study.name!r}: expected fits within {stated} (gates: max_epsilon); got one "
            f"that makes all fits of these people ε = {ledger.epsilon:.4g} at δ = "
            f"{ledger.delta:g}: it was not made and nothing was spent"
        )


def read_ledger(store: DecisionStore) -> PrivacyLedger:
    """Add up every fit of the study, whatever version of the seed and whichever generator.

    The same people may be in all of them. δ is that of the last fit. Fits that
    the log no longer knows count too, so that a database that is lost or put
    back to an earlier state makes no loss smaller.

    Raises
    ------
    CorruptDocument
        If an entry is altered or missing: then nothing can be promised.
    """
    return ledger_of(store.contents(FIT))


def ledger_of(fits: Sequence[bytes]) -> PrivacyLedger:
    """Add up the documents of fits, in their order."""
    ledger = PrivacyLedger()
    for content in fits:
        fit = LEDGER.validate_json(content)
        ledger = ledger.with_spent(*fit.spent, delta=fit.delta)
    return ledger


def spent_so_far(run: AssetRun) -> PrivacyLedger:
    """Read the study's ledger."""
    return read_ledger(run.storage.decisions(run.study.name))


def branch_loss(run: AssetRun, generator: str) -> PrivacyLoss | None:
    """Give what may be claimed of a private generator's rows; None of any other's."""
    if not is_private(run.study, generator):
        return None
    return loss_of(spent_so_far(run))


def privacy_loss(run: AssetRun) -> PrivacyLoss | None:
    """Give the loss of the asset's own branch."""
    return branch_loss(run, run.generator)


def loss_metadata(loss: PrivacyLoss | None) -> dict[str, object]:
    """Show the claim, and what it covers."""
    if loss is None:
        return {}
    return {
        "privacy_loss": loss.claim,
        "epsilon": loss.epsilon,
        "privacy_covers": loss.covers,
        "privacy_does_not_cover": loss.does_not_cover,
    }


def ledger_metadata(ledger: PrivacyLedger) -> dict[str, object]:
    """Show the claim and every entry behind it."""
    entries = LEDGER.dump_python(ledger)["spent"]
    return {**loss_metadata(loss_of(ledger)), "privacy_ledger": small_table(DataFrame(entries))}
