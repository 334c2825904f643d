"""The files of a release, made from its card and its table."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd
from pydantic import TypeAdapter

from hybrid_assets.approval import Approval
from hybrid_assets.release.card import ReleaseCard
from hybrid_assets.release.card_page import card_html
from hybrid_assets.release.croissant import croissant_json
from hybrid_assets.release.dictionary import decimals_of, dictionary_csv, dictionary_json
from hybrid_assets.release.public_settings import settings_yaml
from hybrid_assets.release.table_files import csv_bytes, parquet_bytes

PARQUET, CSV, CARD = "synthetic.parquet", "synthetic.csv", "card.json"
GATES, ENVIRONMENT, LINEAGE = "gates.json", "environment.lock", "lineage.openlineage.jsonl"
APPROVAL = TypeAdapter(Approval)


def bundle_files(
    card: ReleaseCard, table: pd.DataFrame, others: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Write every file of a release but its checksums and signature.

    Parameters
    ----------
    card : ReleaseCard
    table : DataFrame, shape (n, p)
        The rows that leave, in the order of the card's columns.
    others : mapping of str to bytes
        `GATES` as it was approved, `ENVIRONMENT` and `LINEAGE`.
    """
    tables = {
        PARQUET: parquet_bytes(table, table_metadata(card)),
        CSV: csv_bytes(table, decimals_of(card.columns)),
    }
    return {**tables, CARD: card.to_json(), **told_by(card, tables), **others}


def table_metadata(card: ReleaseCard) -> dict[str, str]:
    """Give what the Parquet file says of itself wherever it ends up."""
    return {
        "study": card.study,
        "generator": card.generator,
        "release": f"{card.number:04d}",
        "assignment": card.assignment,
        "candidate": card.origin.candidate,
        "card_numbers_sha256": card.numbers_sha256,
        "notice": "synthetic rows; see card.html of the release for what they may be used for",
    }


def told_by(card: ReleaseCard, tables: Mapping[str, bytes]) -> dict[str, bytes]:
    """Write the documents that follow from the card and the bytes of the tables alone."""
    return {
        "card.html": card_html(card).encode(),
        "data_dictionary.json": dictionary_json(card.columns, card.study),
        "data_dictionary.csv": dictionary_csv(card.columns),
        "croissant.json": croissant_json(card, tables),
        "config.resolved.yaml": settings_yaml(card.settings),
        "approval.json": APPROVAL.dump_json(card.approval, indent=1) + b"\n",
        "release.json": _release_json(card),
    }


def _release_json(card: ReleaseCard) -> bytes:
    document = {
        "schema_version": card.schema_version,
        "study": card.study,
        "generator": card.generator,
        "number": card.number,
        "released_on": card.released_on.isoformat(),
        **card.origin.model_dump(),
        "card_numbers_sha256": card.numbers_sha256,
        "audit_head": card.audit_head.model_dump(exclude_none=True),
    }
    return (json.dumps(document, indent=1) + "\n").encode()
