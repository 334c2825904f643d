"""Rows of REaLTabFormer 0.2.4, in a virtual environment of its own (started by language_quality).

It needs transformers below 5, which the project is past:
python3.11 -m venv PEER && PEER/bin/pip install realtabformer==0.2.4 'transformers<5' 'datasets<4'
REALTABFORMER=PEER/bin/python python -m benchmarks language_quality

Usage: PEER/bin/python benchmarks/realtabformer_rows.py SEED.csv ROWS.csv N_ROWS

Its own network (six layers of width 768) takes minutes an epoch on a CPU: here it has two layers of
width 64, as the other language models of the comparison, and learns at .003, without the search
for the epoch to stop at (n_critic=0). The rest is its default.
"""

import json
import sys
import tempfile
import time

import pandas as pd

EPOCHS, BATCH_SIZE, LEARNING_RATE = 60, 32, 3e-3


def main(seed: str, rows: str, n_rows: int) -> None:
    import torch
    import transformers
    from realtabformer import REaLTabFormer
    from transformers.models.gpt2 import GPT2Config

    torch.set_num_threads(1)
    table = pd.read_csv(seed)
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        peer = REaLTabFormer(
            model_type="tabular",
            tabular_config=GPT2Config(
                n_layer=2, n_embd=64, n_head=4, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0
            ),
            checkpoints_dir=f"{folder}/checkpoints",
            samples_save_dir=f"{folder}/samples",
            full_save_dir=f"{folder}/full",
            epochs=EPOCHS,
            batch_size=BATCH_SIZE,
            gradient_accumulation_steps=1,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="cosine",
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        )
        peer.fit(table, device="cpu", n_critic=0)
    fit = time.process_time() - start
    drawn = peer.sample(n_samples=n_rows, gen_batch=1_000, device="cpu")
    told = {"fit": fit, "draw": time.process_time() - start - fit, "n_rows": len(drawn)}
    drawn.to_csv(rows, index=False)
    print(json.dumps({**told, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
