"""Where networks are fitted, on a machine with and without a GPU."""

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import torch

from dagster_project.resources import ComputeDevice
from hybrid_assets.generators.fit_support import FitSupport, Precision
from hybrid_assets.generators.llm import LlmGenerator, LlmSettings
from hybrid_assets.schema import ColumnKind, ColumnSchema, Role, TableSchema


@pytest.mark.parametrize(
    ("asked", "has_gpu", "chosen"),
    [
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cpu", True, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_a_gpu_is_taken_if_there_is_one_and_nobody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, asked: str, has_gpu: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert ComputeDevice.model_validate({"device": asked}).chosen == chosen


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(dg.Failure, match="expected a CUDA device; PyTorch finds none"):
        _ = ComputeDevice(device="cuda").chosen


def test_precision_is_of_products_on_a_gpu_only() -> None:
    column = ColumnSchema(name="b", role=Role.COVARIATE, kind=ColumnKind.BINARY)
    schema = TableSchema(study="device", columns=(column,))
    table = pd.DataFrame({"b": [0, 1] * 20})
    found = []
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    for precision in precisions:
        generator = LlmGenerator(LlmSettings(steps=3))
        generator.support = FitSupport(device="cpu", precision=precision)
        found.append(generator.fit(table, schema, np.random.default_rng(1)).to_files())
        assert {weight.dtype for weight in generator.model_.parameters()} == {torch.float32}
    assert found[0] == found[1]
