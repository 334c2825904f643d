"""The study's privacy ledger in its warehouse: written before a fit looks, read by all who tell."""

from typing import Final

from pandas import DataFrame

from dagster_project.asset_run import AssetRun
from dagster_project.display import small_table
from dagster_project.private_branch import is_private
from hybrid_assets.generators import DpSettings
from hybrid_assets.privacy.ledger import LEDGER, PrivacyLedger, PrivacyLoss, Spent, loss_of
from warehouse import DecisionStore

FIT: Final = "privacy_ledger"


def spend(run: AssetRun) -> PrivacyLedger:
    """Enter the fit that is about to be made: one that fails has been paid for too."""
    settings = run.study.generators[run.generator]
    assert isinstance(settings, DpSettings)
    entries = tuple(
        Spent(f"{run.generator}: {entry.what}", entry.mechanism, entry.rho)
        for entry in settings.spent
    )
    store = run.storage.decisions(run.study.name)
    store.record(FIT, LEDGER.dump_json(PrivacyLedger(entries, settings.delta)), run.origin())
    return read_ledger(store)


def read_ledger(store: DecisionStore) -> PrivacyLedger:
    """Add up every fit of the study, whatever version of the seed and whichever generator.

    The same people may be in all of them. δ is that of the last fit.

    Raises
    ------
    CorruptDocument
        If an entry is altered or missing: then nothing can be promised.
    """
    ledger = PrivacyLedger()
    for entry in store.history(FIT):
        fit = LEDGER.validate_json(entry.read())
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
