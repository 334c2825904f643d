"""The release as a data set that other tools can find and load: Croissant 1.0 (JSON-LD).

Format: http://mlcommons.org/croissant/1.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybrid_assets.release.card import ReleaseCard
from hybrid_assets.release.release_file import ReleaseFile
from hybrid_assets.schema import ColumnKind

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
OF_CROISSANT = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject"),
    *("fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField"),
    *("path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate"),
    *("separator", "source", "subField", "transform"),
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{word: f"cr:{word}" for word in OF_CROISSANT},
}
ENCODINGS = {"synthetic.csv": "text/csv", "synthetic.parquet": "application/x-parquet"}
TYPES = {
    ColumnKind.BINARY: "sc:Integer",
    ColumnKind.INTEGER: "sc:Integer",
    ColumnKind.CONTINUOUS: "sc:Float",
}


def croissant_json(card: ReleaseCard, tables: Mapping[str, ReleaseFile]) -> bytes:
    """Write ``croissant.json``: the two table files with their hashes, the columns, the words.

    Parameters
    ----------
    card : ReleaseCard
    tables : mapping of str to ReleaseFile
        ``synthetic.csv`` and ``synthetic.parquet``.
    """
    words = card.settings["release"]
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": card.name.replace("/", "-"),
        "description": f"{card.title}: {card.n_rows} synthetic rows. {card.description}".strip(),
        "license": words["license"],
        "url": words["contact"] or f"urn:hybrid-assets:{card.name}",
        "creator": {"@type": "sc:Organization", "name": words["publisher"] or "not stated"},
        "datePublished": card.released_on.isoformat(),
        "version": f"{card.number}.0.0",
        "citeAs": f"{card.title}, synthetic release {card.name}, {card.released_on.isoformat()}",
        "rai:dataUseCases": words["intended_use"],
        "rai:dataLimitations": list(card.limits),
        "distribution": [_file(name, tables[name]) for name in ENCODINGS],
        "recordSet": [_rows(card)],
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _file(name: str, file: ReleaseFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{file.n_bytes} B",
        "encodingFormat": ENCODINGS[name],
        "sha256": file.sha256,
    }


def _rows(card: ReleaseCard) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "rows",
        "name": "rows",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"rows/{quote(column.name, safe='')}",
                "name": column.name,
                "description": column.description or f"{column.role}, {column.kind.value}",
                "dataType": TYPES.get(column.kind, _level_type(column.levels)),
                "source": {
                    "fileObject": {"@id": "synthetic.csv"},
                    "extract": {"column": column.name},
                },
            }
            for column in card.columns
        ],
    }


def _level_type(levels: tuple[str | int, ...] | None) -> str:
    is_number = bool(levels) and all(isinstance(level, int) for level in levels or ())
    return "sc:Integer" if is_number else "sc:Text"
