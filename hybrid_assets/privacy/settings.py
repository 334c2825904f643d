"""What a study states about privacy: its sensitive columns, and the policy it is held to."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from hybrid_assets.privacy.policy import PrivacyPolicy


class PrivacySettings(BaseModel):
    """How the privacy of a study's tables is judged.

    Parameters
    ----------
    sensitive : tuple of str, optional
        Covariates that nobody must be able to guess from a table; all by
        default. Treatment and outcome are always sensitive.
    policy : PrivacyPolicy
        A changed threshold is printed with every verdict.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensitive: tuple[str, ...] | None = None
    policy: PrivacyPolicy = PrivacyPolicy()

    @field_validator("sensitive")
    @classmethod
    def _named_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        repeated = sorted({name for name in value or () if (value or ()).count(name) > 1})
        if repeated:
            raise ValueError(f"named more than once: {repeated}")
        return value
