"""Results as the Dagster UI shows them: schemas, pictures, small tables."""

import base64
import math
from collections.abc import Mapping

import dagster as dg
import pandas as pd
import pyarrow as pa

from hybrid_assets.schema import TableSchema

TYPE_WORDS = {"int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}


def column_schema(table: pa.Schema, comments: Mapping[str, str]) -> dg.TableSchema:
    """Describe a table's columns: name, storage type, meaning."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=TYPE_WORDS.get(str(field.type), "VARCHAR"),
                description=comments.get(field.name),
            )
            for field in table
        ]
    )


def comments_of(schema: TableSchema) -> dict[str, str]:
    """Say in words what each column of a study table is."""
    return {
        column.name: f"{column.role.value}, {column.kind.value}"
        + ("" if column.decimals is None else f", {column.decimals} decimals")
        for column in schema.columns
    }


def picture(png: bytes, what: str) -> dg.MarkdownMetadataValue:
    """Show a picture inside the UI."""
    return dg.MetadataValue.md(f"![{what}](data:image/png;base64,{base64.b64encode(png).decode()})")


def small_table(table: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Show a table of aggregates as Markdown: four significant digits, "–" where absent."""
    shown = table.astype(object).map(_cell)
    lines = [list(map(str, table.columns)), ["---"] * table.shape[1], *shown.to_numpy().tolist()]
    return dg.MetadataValue.md("\n".join("| " + " | ".join(cells) + " |" for cells in lines))


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return " ".join(str(value).split()).replace("|", "\\|")


def columns_from(
    sources: Mapping[str, Mapping[dg.AssetKey, list[str]]],
) -> dg.TableColumnLineage:
    """Say from which upstream columns each column was made."""
    return dg.TableColumnLineage(
        deps_by_column={
            column: [
                dg.TableColumnDep(asset_key=key, column_name=name)
                for key, names in origins.items()
                for name in names
            ]
            for column, origins in sources.items()
        }
    )
