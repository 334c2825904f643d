"""The study's privacy ledger in its warehouse: written before a fit looks, read by all who tell."""

from typing import Final

from pandas import DataFrame

from dagster_project.asset_run import AssetRun
from dagster_project.display import small_table
from dagster_project.private_branch import is_private
from hybrid_assets.errors import GeneratorError
from hybrid_assets.generators import DpSettings
from hybrid_assets.privacy.ledger import LEDGER, PrivacyLedger, PrivacyLoss, Spent, loss_of
from warehouse import Warehouse

DOCUMENT: Final = "privacy_ledger"
SUFFIX: Final = ".json"


def spend(run: AssetRun) -> PrivacyLedger:
    """Enter the fit that is about to be made: one that fails has been paid for too.

    Entries of earlier fits stay, whatever version of the seed they were made from:
    the same people may be in all of them.
    """
    settings = run.study.generators[run.generator]
    assert isinstance(settings, DpSettings)
    entries = [
        Spent(f"{run.generator}: {entry.what}", entry.mechanism, entry.rho)
        for entry in settings.spent
    ]
    ledger = read_ledger(run.warehouse).with_spent(*entries, delta=settings.delta)
    content = LEDGER.dump_json(ledger, indent=1)
    run.warehouse.record_document(DOCUMENT, content, run.origin(), suffix=SUFFIX)
    return ledger


def read_ledger(warehouse: Warehouse) -> PrivacyLedger:
    """Read what was spent so far.

    Raises
    ------
    CorruptDocument
        If the ledger is not what was logged.
    GeneratorError
        If the audit log knows of more fits than the ledger does.
    """
    n_logged = int((warehouse.audit_entries()["asset"] == DOCUMENT).sum())
    if not n_logged:
        return PrivacyLedger()
    ledger = LEDGER.validate_json(warehouse.read_document(DOCUMENT, suffix=SUFFIX))
    if ledger.n_looks != n_logged:
        raise GeneratorError(
            f"study {warehouse.study!r}: expected {n_logged} fits in the privacy ledger, as the "
            f"audit log has; got {ledger.n_looks}: nothing can be promised of this study any more"
        )
    return ledger


def privacy_loss(run: AssetRun) -> PrivacyLoss | None:
    """Give what may be claimed of a private generator's rows; None of any other's."""
    if not is_private(run.study, run.generator):
        return None
    return loss_of(read_ledger(run.warehouse))


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
