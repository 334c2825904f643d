"""The figures of paper 1's three tables, as published.

Kim, Xu and Lin, *A Technical Exploration of Causal Inference with Hybrid LLM
Synthetic Data*, arXiv 2511.00318; six digits where its scripts give them for
its published data.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FigureTable:
    """One table of figures, row by row.

    Attributes
    ----------
    title : str
    columns : tuple of str
        What each figure is.
    decimals : tuple of int
        Digits after the point of each column.
    rows : dict of str to tuple of float
        By row name.
    """

    title: str
    columns: tuple[str, ...]
    decimals: tuple[int, ...]
    rows: dict[str, tuple[float, ...]]

    def printed(self, row: str) -> tuple[str, ...]:
        """Give a row's figures with the digits that the table shows."""
        shown = zip(self.rows[row], self.decimals, strict=True)
        return tuple(f"{figure:.{digits}f}" for figure, digits in shown)

    def with_rows(self, rows: dict[str, tuple[float, ...]]) -> FigureTable:
        """Give the same table with other figures."""
        return FigureTable(self.title, self.columns, self.decimals, rows)


# rows of the data files; data/<name>.csv beside the paper
FILE_ROWS = {
    "seed": 1000,
    "test": 1000,
    "gan_hybrid": 50_000,
    "gan_full": 50_000,
    "llm_hybrid": 50_000,
    "llm_full": 50_000,
    "observational": 200,
    "gan_pair": 280,
    "llm_pair": 280,
}
EFFECTS = ("iptw", "aipw", "substitution")
N_SUBSAMPLES, SUBSAMPLE_ROWS = 100, 1000
TRUTH_ROWS, TRUTH_SEED = 50_000, 42

TABLE_1 = FigureTable(
    "Table 1: prediction and effect, trial",
    ("TSTR AUC", *EFFECTS),
    (6, 6, 6, 6),
    {
        "seed": (0.770511, 0.395919, 0.377022, 0.366700),
        "gan_hybrid": (0.742519, 0.353772, 0.352561, 0.351094),
        "gan_full": (0.458331, -0.037767, -0.031847, -0.031495),
        "llm_hybrid": (0.751221, 0.429465, 0.420382, 0.419010),
        "llm_full": (0.754471, 0.506697, 0.498845, 0.496588),
    },
)
TABLE_2 = FigureTable(
    "Table 2: positivity, observational study and its pairs",
    EFFECTS,
    (6, 6, 6),
    {
        "observational": (0.316867, 0.166648, 0.158450),
        "gan_pair": (0.386112, 0.339557, 0.329250),
        "llm_pair": (0.404117, 0.362176, 0.347250),
    },
)
TABLE_3 = FigureTable(
    "Table 3: estimators on 100 subsamples of 1000 rows",
    ("large", "bias", "variance", "MSE"),
    (4, 4, 6, 6),
    {
        "iptw, llm_hybrid": (0.4295, 0.0007, 0.000648, 0.000649),
        "iptw, gan_hybrid": (0.3538, 0.0014, 0.000795, 0.000797),
        "iptw, real": (0.4172, -0.0019, 0.000582, 0.000585),
        "aipw, llm_hybrid": (0.4204, -0.0170, 0.000635, 0.000923),
        "aipw, gan_hybrid": (0.3526, -0.0156, 0.000739, 0.000983),
        "aipw, real": (0.4137, -0.0221, 0.000564, 0.001053),
        "substitution, llm_hybrid": (0.4190, -0.0228, 0.000627, 0.001147),
        "substitution, gan_hybrid": (0.3511, -0.0207, 0.000730, 0.001157),
        "substitution, real": (0.4123, -0.0283, 0.000559, 0.001359),
    },
)
