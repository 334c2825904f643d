"""Where a study's rows come from, by the word in its YAML; one file for each kind."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from dagster_project.sources.base import Source
from dagster_project.sources.csv_file import CsvSource
from dagster_project.sources.design import DesignSource
from dagster_project.sources.duckdb_table import DuckdbSource
from dagster_project.sources.example import ExampleSource
from dagster_project.sources.nhanes_xpt import NhanesXptSource
from dagster_project.sources.parquet_file import ParquetSource

SOURCES: tuple[type[Source], ...] = (
    CsvSource,
    DesignSource,
    DuckdbSource,
    ExampleSource,
    NhanesXptSource,
    ParquetSource,
)

if TYPE_CHECKING:
    AnySource = Source
else:
    AnySource = Annotated[Union[SOURCES], Field(discriminator="kind")]  # noqa: UP007

__all__ = ["SOURCES", "AnySource", "Source"]
