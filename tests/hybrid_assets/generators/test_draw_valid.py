"""How rows are accepted, with small generators that are wrong on purpose."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from hybrid_assets.errors import GeneratorError, YieldTooLow
from hybrid_assets.generators import GENERATORS
from hybrid_assets.generators.drawing import ValidRows, draw_valid
from hybrid_assets.generators.drawn_block import MIN_VALID_SHARE, DrawReport
from hybrid_assets.processes import LocalProcesses
from hybrid_assets.schema import ColumnSchema, TableSchema

SCHEMA = TableSchema(
    study="tiny",
    columns=(
        ColumnSchema(
            name="x", role="covariate", kind="continuous", minimum=0, maximum=1, decimals=2
        ),
        ColumnSchema(name="site", role="covariate", kind="categorical", levels=("a", "b")),
    ),
)


class Cycling:
    """Gives the rows of a short list over and over."""

    blocks_together = 1

    def __init__(self, rows):
        self.rows, self.n_calls, self.at = rows, 0, 0

    def sample(self, n_rows, rng):
        self.n_calls += 1
        picked = (np.arange(n_rows) + self.at) % len(self.rows)
        self.at += n_rows
        return self.rows.iloc[picked].reset_index(drop=True)


def rows(x, site):
    return pd.DataFrame({"x": pd.Series(x, dtype=object), "site": pd.Series(site, dtype=object)})


def drawn(generator, n_rows):
    return draw_valid(generator, SCHEMA, n_rows, np.random.default_rng(0))


def test_valid_rows_pass_rounded_and_typed():
    table, report = drawn(Cycling(rows([0.123, 1.0], ["a", "b"])), 5)
    assert table["x"].tolist() == [0.12, 1.0, 0.12, 1.0, 0.12]
    assert table["site"].tolist() == ["a", "b", "a", "b", "a"]
    assert table.dtypes["x"] == np.float64
    assert table.dtypes["site"] == pd.CategoricalDtype(["a", "b"])
    assert report == DrawReport(n_rows=5, n_drawn=14, n_dropped=0)
    assert report.valid_share == 1.0


def test_invalid_rows_are_dropped_and_counted_by_column():
    # per cycle of 8: one NaN, one beyond the range, one word, one unknown level, one bad twice
    cycle = rows(
        [0.5, np.nan, 1.2, "much", 0.4, -1.0, 0.3, 0.2], ["a", "b", "a", "b", "c", None, "a", "b"]
    )
    table, report = drawn(Cycling(cycle), 30)
    assert table["x"].isin([0.5, 0.3, 0.2]).all()
    assert len(table) == report.n_rows == 30
    n_cycles = report.n_drawn / 8
    assert report.n_dropped / n_cycles == pytest.approx(5, abs=0.5)
    assert report.dropped_by_column["x"] / n_cycles == pytest.approx(4, abs=0.5)
    assert report.dropped_by_column["site"] / n_cycles == pytest.approx(2, abs=0.5)
    assert report.valid_share == pytest.approx(3 / 8, abs=0.05)


def test_nearest_edges_of_the_range_survive_rounding():
    table, report = drawn(Cycling(rows([-0.0049, 1.0049], ["a", "b"])), 4)
    assert table["x"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert not np.signbit(table["x"]).any()
    assert report.n_dropped == 0


def test_never_valid_gives_up_and_says_why():
    generator = Cycling(rows([np.inf], ["c"]))
    with pytest.raises(
        YieldTooLow,
        match=r"'tiny': 0 of 10 rows were valid after drawing \d+; .*'x': \d+, 'site': \d+",
    ):
        drawn(generator, 10)
    assert generator.n_calls <= 3


def test_a_rare_valid_row_is_enough_and_bounded():
    generator = Cycling(rows([0.5] + [np.inf] * 39, ["a"] * 40))
    table, report = drawn(generator, 50)
    assert table["x"].eq(0.5).all()
    assert report.n_drawn <= 2 * 50 / MIN_VALID_SHARE


def test_wrong_columns_are_refused():
    generator = Cycling(rows([0.5], ["a"])[["site", "x"]])
    with pytest.raises(GeneratorError, match=r"columns \['site', 'x'\], expected \['x', 'site'\]"):
        drawn(generator, 3)


def test_same_seed_same_rows(mixed_table):
    from hybrid_assets.generators.bootstrap import BootstrapGenerator, BootstrapSettings

    table, schema = mixed_table
    generator = BootstrapGenerator(BootstrapSettings()).fit(table, schema, np.random.default_rng(0))
    first, second = (draw_valid(generator, schema, 50, np.random.default_rng(7)) for _ in range(2))
    pd.testing.assert_frame_equal(first[0], second[0])
    assert first[1] == second[1]


class Memory:
    """Keeps parts as a draw would find them after a kill."""

    def __init__(self, kept=()):
        self.kept = dict(kept)

    def part(self, name):
        return self.kept.get(name)

    def keep(self, name, part):
        self.kept[name] = part


class Uneven:
    """Draws from its random generator, one row in five out of range, and reports a mass."""

    blocks_together = 1

    def __init__(self):
        self.n_calls = 0

    def sample(self, n_rows, rng):
        self.n_calls += 1
        self.valid_mass_ = {"x": float(rng.random())}
        return rows(rng.uniform(0, 1.25, n_rows), rng.choice(["a", "b"], n_rows))


@pytest.mark.parametrize("there", [[], ["0"], ["1", "3"], ["0", "1", "2", "3"]])
def test_kept_blocks_are_not_drawn_again_and_nothing_changes(there, monkeypatch):
    monkeypatch.setattr("hybrid_assets.generators.drawing.BLOCK_ROWS", 30)

    def draw(generator, parts):
        return draw_valid(generator, SCHEMA, 100, np.random.default_rng(3), parts)

    memory = Memory()
    wanted, wanted_report = draw(Uneven(), memory)
    assert sorted(memory.kept) == sorted(f"{n}{w}" for n in range(4) for w in ("rows", "report"))
    left = Memory((n, p) for n, p in memory.kept.items() if n[0] in there)
    left.kept |= {"2rows": memory.kept["2rows"]}  # a kill between the two files of a block
    if "2" not in there:
        left.kept.pop("2report", None)
    generator = Uneven()
    table, report = draw(generator, left)
    pd.testing.assert_frame_equal(table, wanted, check_exact=True)
    assert report == wanted_report
    assert report.n_rows == len(table) == 100
    assert report.n_drawn > report.n_dropped > 0
    assert report.dropped_by_column == {"x": report.n_dropped}
    assert (generator.n_calls > 0) == (len(there) < 4)
    assert draw(Uneven(), None)[0].equals(wanted)


def test_blocks_have_streams_of_their_own(monkeypatch):
    monkeypatch.setattr("hybrid_assets.generators.drawing.BLOCK_ROWS", 30)
    table, _ = draw_valid(Uneven(), SCHEMA, 60, np.random.default_rng(3))
    assert not table["x"][:30].reset_index(drop=True).equals(table["x"][30:].reset_index(drop=True))
    first, _ = draw_valid(Uneven(), SCHEMA, 90, np.random.default_rng(3))
    pd.testing.assert_frame_equal(first[:60], table)


@pytest.mark.parametrize("kind", ["bootstrap", "cart"])
def test_processes_draw_the_rows_of_one(kind, mixed_table, monkeypatch):
    monkeypatch.setattr("hybrid_assets.generators.drawing.BLOCK_ROWS", 40)
    table, schema = mixed_table
    kind = GENERATORS[kind]
    monkeypatch.setattr(kind, "blocks_together", 3)
    generator = kind(kind.settings_class()).fit(table, schema, np.random.default_rng(0))
    wanted, wanted_report = draw_valid(generator, schema, 500, np.random.default_rng(3))
    memory = Memory()
    drawn = ValidRows(generator, schema, 500, np.random.default_rng(3), memory)
    with LocalProcesses(2) as workers:
        spread = pd.concat(drawn.blocks(workers), ignore_index=True)
    pd.testing.assert_frame_equal(spread, wanted, check_exact=True)
    assert drawn.report == wanted_report
    assert len(memory.kept) == 2 * 5  # thirteen blocks
    whole, _ = draw_valid(generator, schema, 500, np.random.default_rng(3), memory)
    pd.testing.assert_frame_equal(whole, wanted, check_exact=True)


class Stored(Uneven):
    """Waits in the first block that is begun, and comes back from files."""

    settings = None

    def __init__(self, slow=None):
        super().__init__()
        self.slow = slow

    def sample(self, n_rows, rng):
        drawn = super().sample(n_rows, rng)
        if self.slow is not None and self.slow.acquire(blocking=False):
            assert self.goes_on.wait(20)
        return drawn

    def to_files(self):
        return {}

    @classmethod
    def from_files(cls, files, settings, schema):
        return cls(cls.first)


def test_a_killed_draw_has_kept_what_ended_first(monkeypatch):
    """One block is slow; what was done beside it outlives the kill, and nothing changes."""
    monkeypatch.setattr("hybrid_assets.generators.drawing.BLOCK_ROWS", 30)
    Stored.first, Stored.goes_on = threading.Semaphore(1), threading.Event()
    wanted, _ = draw_valid(Uneven(), SCHEMA, 120, np.random.default_rng(3))

    class Killed(Memory):
        def keep(self, name, part):
            super().keep(name, part)
            if len(self.kept) == 6:
                Stored.goes_on.set()
                raise KeyboardInterrupt

    memory = Killed()
    drawn = ValidRows(Stored(), SCHEMA, 120, np.random.default_rng(3), memory)
    with ThreadPoolExecutor(2) as workers, pytest.raises(KeyboardInterrupt):
        list(drawn.blocks(workers))
    assert len({name[0] for name in memory.kept}) == 3
    left = Memory(memory.kept)
    again = Uneven()
    table, _ = draw_valid(again, SCHEMA, 120, np.random.default_rng(3), left)
    pd.testing.assert_frame_equal(table, wanted, check_exact=True)
    assert again.n_calls == 1  # for the block that was slow
