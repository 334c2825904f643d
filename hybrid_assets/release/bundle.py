"""The files of a release, made from its card and its table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from hybrid_assets.approval import Approval
from hybrid_assets.release.card import ReleaseCard
from hybrid_assets.release.card_page import card_html
from hybrid_assets.release.croissant import croissant_json
from hybrid_assets.release.dictionary import (
    DictionaryColumn,
    decimals_of,
    dictionary_csv,
    dictionary_json,
)
from hybrid_assets.release.public_settings import settings_yaml
from hybrid_assets.release.release_file import ReleaseFile
from hybrid_assets.release.table_files import (
    csv_header,
    csv_lines,
    end_parquet,
    parquet_writer,
    write_block,
)

PARQUET, CSV, CARD = "synthetic.parquet", "synthetic.csv", "card.json"
GATES, ENVIRONMENT, LINEAGE = "gates.json", "environment.lock", "lineage.openlineage.jsonl"
APPROVAL = TypeAdapter(Approval)


@dataclass(frozen=True)
class TableFiles:
    """The rows of a release, written before its number is known.

    Attributes
    ----------
    parquet : open binary file
        Whole but for what it says of itself, which `writer` ends it with.
    csv : open binary file
    writer : pyarrow.parquet.ParquetWriter
    """

    parquet: IO[bytes]
    csv: IO[bytes]
    writer: pq.ParquetWriter


def write_rows(
    blocks: Iterable[pa.Table],
    columns: tuple[DictionaryColumn, ...],
    parquet: IO[bytes],
    csv: IO[bytes],
) -> TableFiles:
    """Write the rows to two empty files, a block at a time.

    Parameters
    ----------
    blocks : iterable of pyarrow.Table, shape (n_k, p)
        At least one.
    columns : tuple of DictionaryColumn
        In the order of the table's columns.
    parquet, csv : open binary files
        Which can be read, too.
    """
    writer = None
    for block in blocks:
        if writer is None:
            writer = parquet_writer(parquet, block.schema)
            csv.write(csv_header(block.column_names))
        write_block(writer, block)
        csv.writelines(csv_lines(block, decimals_of(columns)))
    return TableFiles(parquet, csv, writer)


def bundle_files(
    card: ReleaseCard, rows: TableFiles, others: Mapping[str, bytes]
) -> dict[str, ReleaseFile]:
    """Give every file of a release but its checksums and signature.

    Parameters
    ----------
    card : ReleaseCard
    rows : TableFiles
        The rows that leave, their columns in the order of the card's.
    others : mapping of str to bytes
        `GATES` as it was approved, `ENVIRONMENT` and `LINEAGE`.
    """
    end_parquet(rows.writer, table_metadata(card))
    tables = {PARQUET: ReleaseFile.written(rows.parquet), CSV: ReleaseFile.written(rows.csv)}
    documents = {CARD: card.to_json(), **told_by(card, tables), **others}
    return tables | {name: ReleaseFile.of(content) for name, content in documents.items()}


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


def told_by(card: ReleaseCard, tables: Mapping[str, ReleaseFile]) -> dict[str, bytes]:
    """Write the documents that follow from the card and the hashes of the tables alone."""
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
