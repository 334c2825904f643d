"""Fine-tuning a causal language model on rows written as text, with be-great."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from hybrid_assets.errors import GeneratorError
from hybrid_assets.language.tokenizer import most_tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NOT_LEARNED = -100  # the label that torch's cross-entropy leaves out
N_CURVE_POINTS = 200


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn; `seed` is in [0, 2**31)."""

    steps: int
    batch_size: int
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class FineTunedModel:
    """A trained model, its tokenizer, and the loss (nats per token) by step."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    learning_curve: pd.DataFrame


@dataclass(frozen=True)
class EndedRows:
    """Collates tokenized rows: the end token before and after each, padding not learned.

    be-great 0.0.14 shows no end, so that generation never stops by itself;
    it shows no start, so that generation needs values of the table to start
    from; and it learns to predict its padding.
    """

    end_token: int

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """Pad on the right; causal attention never looks there."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        texts = [torch.tensor([self.end_token, *row["input_ids"], self.end_token]) for row in rows]
        return {
            "input_ids": pad_sequence(texts, batch_first=True, padding_value=self.end_token),
            "labels": pad_sequence(texts, batch_first=True, padding_value=NOT_LEARNED),
        }


def fine_tuned(model_name: str, values: pd.DataFrame, plan: TrainingPlan) -> FineTunedModel:
    """Fine-tune a causal language model with be-great's GReaT (Borisov et al. 2023).

    Each time a row is used its columns come in a fresh random order. Python's,
    numpy's and torch's global random states are seeded by `transformers`.

    Parameters
    ----------
    model_name : str
        Local folder or hub name.
    values : DataFrame of str
        What `serialization.written_values` gives.
    plan : TrainingPlan
        Steps, rows per step, peak learning rate and seed.

    Raises
    ------
    GeneratorError
        If the model has no end token or reads fewer tokens than a row has.

    References
    ----------
    Borisov, V. et al. (2023). Language models are realistic tabular data
    generators. ICLR. arXiv 2210.06280.
    """
    from be_great import GReaT
    from be_great.great_dataset import GReaTDataset
    from be_great.great_trainer import GReaTTrainer
    from transformers import PrinterCallback

    great = GReaT(model_name)
    _require_room(great, values)
    rows = GReaTDataset.from_pandas(values)
    rows.set_tokenizer(great.tokenizer)
    with tempfile.TemporaryDirectory() as directory:
        trainer = GReaTTrainer(
            great.model,
            _training_arguments(plan, directory),
            train_dataset=rows,
            data_collator=EndedRows(great.tokenizer.eos_token_id),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return FineTunedModel(
        great.model.eval(), great.tokenizer, _learning_curve(trainer.state.log_history)
    )


def _require_room(great: Any, values: pd.DataFrame) -> None:
    end_token = great.tokenizer.eos_token_id
    most = getattr(great.model.config, "max_position_embeddings", None)
    needed = most_tokens(values, great.tokenizer) + 1
    if end_token is None or (most is not None and most < needed):
        raise GeneratorError(
            f"language model {great.llm!r}: expected an end token and room for {needed} tokens; "
            f"got end token {end_token}, room for {most}"
        )


def _training_arguments(plan: TrainingPlan, directory: str) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        directory,
        max_steps=plan.steps,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        adam_beta2=0.95,
        lr_scheduler_type="cosine",
        warmup_steps=plan.steps // 20,
        seed=plan.seed,
        logging_steps=max(plan.steps // N_CURVE_POINTS, 1),
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    )


def _learning_curve(log_history: list[dict[str, float]]) -> pd.DataFrame:
    """Give the mean loss of the steps since the row before."""
    logged = [entry for entry in log_history if "loss" in entry]
    return pd.DataFrame(
        {
            "step": [int(entry["step"]) for entry in logged],
            "loss": [float(entry["loss"]) for entry in logged],
        }
    )
