import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from hybrid_assets.errors import EvaluationError
from hybrid_assets.privacy.dcr import DistanceQuantiles
from hybrid_assets.published import PUBLISHED_GENERATOR_LABEL, PUBLISHED_LABEL
from hybrid_assets.report import figures
from hybrid_assets.report.canvas import BAND_PIXELS, BLUE, GREEN, GREY, ORANGE, RED, labelled_png
from hybrid_assets.report.figures import (
    dcr_box_plot,
    grouped_counts,
    learning_curve_plot,
    marginals_plot,
    overlap_plot,
)
from hybrid_assets.report.forest_plot import ate_forest_plot

MARGINALS = pd.DataFrame(
    {
        "column": ["age", "site", "$cost$"],
        "statistic": ["KS", "TV", "KS"],
        "distance": [0.02, 0.0, 0.1],
        "holdout_distance": [0.04, 0.01, 0.03],
    }
)
CURVE = pd.DataFrame(
    {"step": [10, 20, 30], "train_loss": [3.0, 2.0, 1.5], "validation_loss": [3.1, np.nan, 1.9]}
)


def chunks(png):
    """Names and contents of a PNG file's chunks, checksums verified."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, found = 8, []
    while at < len(png):
        size, name = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
            name + body
        )
        found.append((name.decode(), body))
        at += 12 + size
    return found


def n_pixels(png, colour):
    """Count pixels of exactly this colour."""
    image = (imread(io.BytesIO(png))[..., :3] * 255).round().astype(int)
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return int((image == wanted).all(axis=-1).sum())


@pytest.fixture
def all_pictures(rows, dcr):
    rng = np.random.default_rng(0)
    propensity = rng.beta(2, 3, 400)
    treatment = rng.binomial(1, propensity)
    return {
        "dcr": lambda: dcr_box_plot({"gan": dcr, "llm": dcr}),
        "overlap": lambda: overlap_plot(propensity, treatment, bound=0.03),
        "forest": lambda: ate_forest_plot(rows, true_effect=0.418),
        "curve": lambda: learning_curve_plot(CURVE),
        "marginals": lambda: marginals_plot(MARGINALS),
    }


@pytest.mark.parametrize("name", ["dcr", "overlap", "forest", "curve", "marginals"])
def test_same_numbers_same_bytes_and_no_date(all_pictures, name):
    png = all_pictures[name]()
    assert png == all_pictures[name]()
    names = [chunk for chunk, _ in chunks(png)]
    assert set(names) <= {"IHDR", "pHYs", "IDAT", "IEND"}
    width, height = struct.unpack(">II", chunks(png)[0][1][:8])
    assert width == 1008
    assert 300 < height < 1000


def test_pictures_leave_matplotlib_as_it_was(all_pictures):
    import matplotlib.pyplot as plt

    before = plt.get_fignums(), dict(plt.rcParams)
    for draw in all_pictures.values():
        draw()
    assert (plt.get_fignums(), dict(plt.rcParams)) == before


def test_boxes_come_from_quantiles(dcr):
    png = dcr_box_plot({"gan": dcr})
    areas = [n_pixels(png, colour) for colour in (BLUE, ORANGE, GREY)]
    # heights of the boxes: .6 − .2, .7 − .25, .6 − .22 (and the legend's three patches)
    assert areas[0] / areas[2] == pytest.approx(0.40 / 0.38, rel=0.05)
    assert areas[1] / areas[2] == pytest.approx(0.45 / 0.38, rel=0.05)


def test_a_table_of_copies_is_named_so(dcr, monkeypatch):
    texts = []
    from matplotlib.axes import Axes

    drawn = Axes.text
    monkeypatch.setattr(
        Axes, "text", lambda self, *a, **k: (texts.append(a[2]), drawn(self, *a, **k))[1]
    )
    dcr_box_plot({"gan": dcr})
    assert texts == []
    dcr_box_plot({"bootstrap": replace(dcr, synthetic_to_train=DistanceQuantiles(0, 0, 0, 0, 0))})
    assert texts == ["copies"]


def test_bins_are_merged_until_they_hold_ten_people():
    # 3 people in the first bin, 8 in the second, a hole, 30 at .5, 2 at .98
    propensity = np.repeat([0.01, 0.06, 0.51, 0.98], [3, 8, 30, 2])
    edges, counts = grouped_counts(propensity)
    assert counts.sum() == 43
    assert set(counts) == {0, 11, 32}
    assert edges[:-1][counts == 0].min() == 0.1  # the hole is still seen, beyond the merged bin
    assert edges[:2].tolist() == [0.0, 0.1]
    assert edges[-1] == 1.0
    last = int(np.flatnonzero(counts == 32)[0])
    assert edges[last : last + 2].tolist() == [0.5, 1.0]


def test_no_bar_stands_for_fewer_than_ten_people():
    rng = np.random.default_rng(1)
    for n_people in (1, 9, 10, 15, 60, 500):
        for _ in range(20):
            edges, counts = grouped_counts(rng.beta(0.7, 2, n_people))
            assert ((counts == 0) | (counts >= figures.MIN_PEOPLE)).all()
            assert counts.sum() == (n_people if n_people >= 10 else 0)
            assert (np.diff(edges) > 0).all()
            assert (edges[0], edges[-1], len(edges)) == (0.0, 1.0, len(counts) + 1)


def test_arms_are_drawn_on_their_side():
    propensity = np.full(300, 0.5)
    png = overlap_plot(propensity, np.repeat([1, 0], [100, 200]))
    image = (imread(io.BytesIO(png))[..., :3] * 255).round().astype(int)
    rows_of = {
        colour: np.flatnonzero(
            (image == [int(colour[k : k + 2], 16) for k in (1, 3, 5)]).all(-1).sum(1) > 30
        )
        for colour in (BLUE, ORANGE)
    }
    bars = {colour: rows[rows > 100] for colour, rows in rows_of.items()}  # below the legend
    assert bars[BLUE].max() < bars[ORANGE].min()
    assert len(bars[ORANGE]) / len(bars[BLUE]) == pytest.approx(2, rel=0.05)


def test_small_arms_are_not_shown():
    png = overlap_plot(np.full(29, 0.5), np.repeat([1, 0], [9, 20]))
    assert n_pixels(png, ORANGE) > 20 * n_pixels(png, BLUE)  # the legend only


def test_forest_plot_shows_truth_and_exact_effects_if_there_are_any(rows):
    png = ate_forest_plot(rows, true_effect=0.418)
    assert n_pixels(png, RED) > 200
    assert n_pixels(png, GREEN) > 60
    seed_only = ate_forest_plot(rows[:1])
    assert n_pixels(seed_only, RED) == n_pixels(seed_only, GREEN) == 0


def test_forest_plot_tells_the_published_recipe_once_and_keeps_its_room(rows):
    marked = [replace(row, table=f"{row.table} ({PUBLISHED_LABEL})") for row in rows]
    plain, told = ate_forest_plot(rows), ate_forest_plot(marked)
    assert told != plain
    assert n_pixels(told, BLUE) == pytest.approx(n_pixels(plain, BLUE), rel=0.05)


def test_forest_plot_tells_be_greats_own_tables_apart_and_keeps_its_room(rows):
    marked = [
        *rows[:-1],
        replace(rows[-1], table=f"{rows[-1].table} ({PUBLISHED_GENERATOR_LABEL})"),
    ]
    plain, told = ate_forest_plot(rows), ate_forest_plot(marked)
    assert told != plain
    assert n_pixels(told, BLUE) == pytest.approx(n_pixels(plain, BLUE), rel=0.05)


def test_names_are_drawn_literally():
    names = MARGINALS.assign(column=["$x^$", "a_b", "年龄"])
    assert marginals_plot(names).startswith(b"\x89PNG")
    odd = CURVE.rename(columns={"train_loss": r"$\bad$"})
    assert learning_curve_plot(odd).startswith(b"\x89PNG")


def test_nothing_to_draw_is_refused():
    for draw in (
        lambda: dcr_box_plot({}),
        lambda: overlap_plot(np.array([]), np.array([])),
        lambda: learning_curve_plot(CURVE.iloc[:0]),
        lambda: marginals_plot(MARGINALS.iloc[:0]),
        lambda: ate_forest_plot([]),
    ):
        with pytest.raises(EvaluationError, match=r"needs .*; got none"):
            draw()


def test_a_labelled_picture_is_the_picture_below_a_band():
    png = learning_curve_plot(CURVE)
    labelled = labelled_png(png, PUBLISHED_LABEL)
    before, after = (imread(io.BytesIO(each)) for each in (png, labelled))
    assert after.shape[0] == before.shape[0] + BAND_PIXELS
    assert np.array_equal(after[BAND_PIXELS:], before)
    assert (after[:BAND_PIXELS] != 1.0).any()
    assert labelled == labelled_png(png, PUBLISHED_LABEL)
    assert labelled != labelled_png(png, "another label")
