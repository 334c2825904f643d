"""What all pictures share: size, colours, type, and bytes that depend on nothing else."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's colours, told apart with any colour vision
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
RED, SKY, BLACK, GREY = "#D55E00", "#56B4E9", "#222222", "#8C8C8C"
SERIES_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY)
SERIES_STYLES = ("-", "--", "-.", ":")
SERIES_MARKERS = ("o", "s", "^", "D", "v", "P")
WIDTH_INCHES = 7.0
DOTS_PER_INCH = 144  # 1008 px: sharp in a panel of 700
BAND_PIXELS = 40  # over a picture that is labelled


def blank_figure(height_inches: float) -> tuple[Figure, Axes]:
    """Give an empty picture, independent of matplotlib's global state."""
    figure, (axes,) = blank_panels(height_inches, 1)
    return figure, axes


def blank_panels(height_inches: float, n_panels: int) -> tuple[Figure, list[Axes]]:
    """Give an empty picture of panels one below the other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    panels = [figure.add_subplot(n_panels, 1, place + 1) for place in range(n_panels)]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9.5, color=GREY)
        axes.grid(axis="both", color="#E6E6E6", linewidth=0.7)
        axes.set_axisbelow(True)
    return figure, panels


def legend_above(figure: Figure, axes: Axes, *, n_columns: int) -> None:
    """Put the legend over the axes, where it hides nothing; areas before lines."""
    from matplotlib.lines import Line2D

    entries = sorted(
        zip(*axes.get_legend_handles_labels(), strict=True),
        key=lambda entry: isinstance(entry[0], Line2D),
    )
    figure.legend(
        *zip(*entries, strict=True),
        loc="outside upper left",
        ncols=n_columns,
        frameon=False,
        fontsize=9.5,
    )


def png_bytes(figure: Figure) -> bytes:
    """Give the picture as PNG, without the date and version that it would carry."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # a letter that the font lacks is drawn as a box: no reason to lose the picture
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def labelled_png(png: bytes, label: str) -> bytes:
    """Put a band with a label over a picture, which stays as it is below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    pixels = imread(io.BytesIO(png))
    height, width = pixels.shape[0] + BAND_PIXELS, pixels.shape[1]
    size = (width / DOTS_PER_INCH, height / DOTS_PER_INCH)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    figure.figimage(pixels)
    at = 1.0 - BAND_PIXELS / (2.0 * height)
    text = plain_text(label)
    figure.text(0.01, at, text, va="center", color=RED, fontsize=11, fontweight="bold")
    return png_bytes(figure)


def plain_text(text: str) -> str:
    """Keep a name from being read as mathematics."""
    return text.replace("$", r"\$")


def wrapped(names: Iterable[str], *, width: int) -> list[str]:
    """Break long names over lines."""
    return [fill(plain_text(name), width) for name in names]
