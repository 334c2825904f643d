"""Every error a study author can meet, as one tree.

Messages name the study, the column, what was expected and what came. They
carry counts and names only, never a value of the seed table.
"""


class HybridAssetsError(Exception):
    """Root of all errors raised on purpose by this package."""


class StudyError(HybridAssetsError):
    """The study file contradicts itself or asks for something unknown."""


class SourceError(HybridAssetsError):
    """The seed table cannot be read from where the study says it is."""


class SeedTableError(HybridAssetsError):
    """The seed table does not fit the study.

    Parameters
    ----------
    study, column : str
        Names to look for; `column` may be ``"(table)"``.
    expected, got : str
        Plain words; never a cell value.
    """

    def __init__(self, study: str, column: str, *, expected: str, got: str) -> None:
        super().__init__(f"study {study!r}, column {column!r}: expected {expected}; got {got}")
        self.study, self.column, self.expected, self.got = study, column, expected, got


class GeneratorError(HybridAssetsError):
    """A generator could not be fitted or sampled."""


class YieldTooLow(GeneratorError):
    """A generator gave too few valid rows within its bounded number of draws."""


class InvalidModelFiles(GeneratorError):
    """Saved model files are incomplete or were made by other settings."""


class EstimationError(HybridAssetsError):
    """A nuisance model or an estimator cannot give a trustworthy number."""


class NotConverged(EstimationError):
    """An iterative fit stopped before its equations were solved."""


class EvaluationError(HybridAssetsError):
    """Two tables cannot be compared: too few rows, or values that are not comparable."""


class ReleaseError(HybridAssetsError):
    """A release cannot be made or signed."""
