"""Where a stored thing came from, and which version of it is meant."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from warehouse.errors import InvalidProvenance

_SMALLEST_SEED, _LARGEST_SEED = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Provenance:
    """The run, code, study file, seed and inputs that made something.

    Attributes
    ----------
    run_id : str
        The orchestrator's run.
    code_version : str
        Version of the code that ran.
    study_hash : str
        Hash of the study file.
    random_seed : int
        Seed of the run, within 64 bits.
    upstream : Mapping[str, str]
        Upstream asset -> its data version when it was read.
    seconds : float
        Time that the computation took, in seconds, finite and not negative.
    user : str
        Who started the run.
    started_at : str
        When the computation started: ISO 8601, UTC, such as ``2026-01-31T12:00:00+00:00``.

    Raises
    ------
    InvalidProvenance
        If `seconds`, `random_seed` or `started_at` is outside the above.
    """

    run_id: str
    code_version: str
    study_hash: str
    random_seed: int
    upstream: Mapping[str, str]
    seconds: float
    user: str
    started_at: str

    def __post_init__(self) -> None:
        """Refuse what the log cannot hold."""
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise InvalidProvenance("seconds must be finite and not negative; pass a duration")
        if not _SMALLEST_SEED <= self.random_seed <= _LARGEST_SEED:
            raise InvalidProvenance("random_seed must fit in 64 bits; choose a smaller seed")
        self.started()

    def started(self) -> datetime:
        """Return `started_at` as a date and time in UTC, without a time zone, as it is stored."""
        try:
            started = datetime.fromisoformat(self.started_at)
        except ValueError:
            started = datetime.min
        if started.utcoffset() != timedelta(0):
            raise InvalidProvenance(
                f"started_at {self.started_at!r} is not a UTC time; "
                "pass datetime.now(timezone.utc).isoformat()"
            )
        return started.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class TableVersion:
    """One version of a stored table.

    Attributes
    ----------
    asset, table_name : str
        ``"gan/hybrid_triplets"`` and ``"gan__hybrid_triplets"``.
    data_version : str
        SHA-256 of the content, 64 hexadecimal digits; see `warehouse.data_version`.
    n_rows, n_columns : int
        Size.
    waited_seconds : float
        Time spent waiting for other processes before the database was free.
    """

    asset: str
    table_name: str
    data_version: str
    n_rows: int
    n_columns: int
    waited_seconds: float
