"""How large the sensitivity study of a study is."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator


class SensitivitySettings(BaseModel):
    """Size of the asset ``sensitivity``, which no refresh makes.

    Parameters
    ----------
    n_replicates : int
        Seeds drawn from the known population; Monte-Carlo errors fall with
        its square root, time grows with it.
    sample_sizes : tuple of int
        Rows of a seed, for the curve over seed sizes.
    dimensions : tuple of int
        Numbers of covariates, noise included; those that the study exceeds are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_replicates: int = Field(default=20, ge=5, le=10_000)
    sample_sizes: tuple[Annotated[int, Field(ge=200, le=100_000)], ...] = (250, 500, 1000, 2000)
    dimensions: tuple[Annotated[int, Field(ge=2, le=500)], ...] = (25, 100)

    @field_validator("sample_sizes", "dimensions")
    @classmethod
    def _increases(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or list(value) != sorted(set(value)):
            raise ValueError(f"expected one or more numbers in increasing order; got {list(value)}")
        return value
