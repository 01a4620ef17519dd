"""A figure of matplotlib as an SVG to stand in a page: in the page's colours, text as text, the same bytes each time.

matplotlib is imported inside the functions: it takes a second, and most commands draw nothing.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from rnn_conformance.reports.overview.wording import cell_in_words
from rnn_conformance.reports.records.harmless import file_name
from rnn_conformance.reports.records.records import USUAL_CELL, name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """An SVG with what it shows. `name` is its own among the pictures of a page, and may be the name of a file.

    `cell` is the kind of cell that it is about, if it is about one.
    """

    name: str
    title: str
    caption: str
    svg: Markup
    cell: str = ""


@dataclass(frozen=True)
class Series:
    """How one of several lines is drawn: what tells them apart is not the colour alone."""

    color: str
    line: Any
    marker: str


# The figure is drawn in the colours of a light page. Each of them becomes a variable, so no two may be the same.
INK, FAINT, LINE, PANEL, PAPER = "#1c1f23", "#5c636d", "#dcdfe3", "#f4f5f6", "#fdfdfc"
GOOD, BAD, KNOWN, LOST, NONE = "#1c6b3a", "#a8201f", "#7a5200", "#6b3aa0", "#626973"
GOOD_PAPER, BAD_PAPER, KNOWN_PAPER, LOST_PAPER = "#edf6ef", "#fcebea", "#fbf3df", "#f3edfb"

SERIES = (
    Series("#1a5fb4", "-", "o"),
    Series("#b35900", (0, (5, 1.5)), "s"),
    Series("#1b7f4b", (0, (1.2, 1.2)), "^"),
    Series("#7b3fa0", (0, (6, 1.5, 1.2, 1.5)), "D"),
    Series("#b0246b", "-", "v"),
    Series("#00727a", (0, (5, 1.5)), "P"),
    Series("#7a4b2a", (0, (1.2, 1.2)), "X"),
    Series("#4a4f57", (0, (6, 1.5, 1.2, 1.5)), "*"),
)
"""Lines to choose from, in this order."""

_VARIABLES = {
    INK: ("ink", "#e4e7ea"),
    FAINT: ("faint", "#9aa3ad"),
    LINE: ("line", "#333a42"),
    PANEL: ("panel", "#1d2126"),
    PAPER: ("paper", "#15181c"),
    GOOD: ("good", "#84d29c"),
    BAD: ("bad", "#ff9c94"),
    KNOWN: ("known", "#e8c46c"),
    LOST: ("lost", "#c9a9f5"),
    NONE: ("none", "#9aa3ad"),
    GOOD_PAPER: ("good-paper", "#16291d"),
    BAD_PAPER: ("bad-paper", "#3a1a1a"),
    KNOWN_PAPER: ("known-paper", "#30270f"),
    LOST_PAPER: ("lost-paper", "#281e38"),
    **{
        series.color: (f"series-{i}", dark)
        for i, (series, dark) in enumerate(
            zip(
                SERIES,
                ("#7fb2f7", "#f2a65a", "#6fd09a", "#c9a2f0", "#f48fb8", "#62cdd4", "#d3a680", "#b9c0c9"),
                strict=True,
            ),
            start=1,
        )
    },
}
"""Of each colour: the variable of the page that it follows, where there is one, and the colour in the dark."""

_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.image_inline": True,
    "text.parse_math": False,  # a name with a dollar sign is a name
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that the layout is the same everywhere
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelsize": 9,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": FAINT,
    "axes.facecolor": PAPER,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "figure.facecolor": PAPER,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 2.8,
    "legend.borderaxespad": 0.2,
    "hatch.linewidth": 0.8,
}

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PIXELS = 1.45  # of a point of the figure, where the page is wide
_NOT_TEXT = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000eFFFF]+")


def picture(name: str, title: str, caption: str, draw: Callable[[], Figure], cell: str = "") -> Picture:
    """A picture of the figure that is drawn; `name` is made into one that files may have (`file_name`).

    One about a `cell` other than the simple RNN says so in its name and its title.
    """
    name = file_name(name_of(name, cell or USUAL_CELL))
    title = title if cell in ("", USUAL_CELL) else f"{title}, {shown(cell_in_words(cell))}"
    with _style(name):
        svg = _svg(draw(), name, title, caption)
    return Picture(name, title, caption, svg, cell)


def shown(text: str, length: int = 28) -> str:
    """Text from a results file as it may stand in a picture: of one line, printable and short."""
    plain = _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def panels(
    number: int, *, most: int = 4, height: float = 1.25, head: float = 0.05, below: float = 0.2, foot: float = 0.4
) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels in rows of at most so many, in inches: `height` is of the axes alone.

    `head` is above all panels, where a legend may stand, `below` under each, and `foot` under all of them.
    """
    from matplotlib.figure import Figure

    # Placed by hand: to find a layout, matplotlib would draw everything twice.
    columns = _columns(number, most)
    rows = -(-number // columns)
    left, right, between, title = 0.65, 0.1, 0.65 if most < 3 else 0.2, 0.25
    wide = {1: 4.5, 2: 6.5}.get(columns, 9) if most > 2 else 9
    panel = (wide - left - (columns - 1) * between - right) / columns
    row = title + height + below
    figure = Figure(figsize=(wide, head + rows * row + foot))
    tall = figure.get_figheight()
    axes = []
    for i in range(number):
        x, y = left + i % columns * (panel + between), foot + (rows - 1 - i // columns) * row + below
        axes.append(figure.add_axes((x / wide, y / tall, panel / wide, height / tall)))
    return figure, axes


def share_axes(axes: Sequence[Axes], value: str) -> None:
    """Give panels equal axes, with labels at the left and at the bottom alone, and the name of their values."""
    columns = _columns(len(axes), 4)
    for i, ax in enumerate(axes):
        if i:
            ax.sharex(axes[0])
            ax.sharey(axes[0])
        ax.tick_params(labelleft=i % columns == 0, labelbottom=i + columns >= len(axes))
        if i % columns == 0:
            ax.set_ylabel(value)


def _columns(number: int, most: int) -> int:
    """As few columns as the same rows need: five panels are three and two, not four and one."""
    return -(-number // -(-number // most))


def below_all(figure: Figure, text: str) -> None:
    """The name of the axis at the foot of all panels."""
    figure.text(0.5, 0.08 / figure.get_figheight(), text, ha="center", fontsize=9, color=FAINT)


def legend(figure: Figure, entries: Sequence[tuple[str, dict[str, Any]]], columns: int = 0) -> None:
    """What the lines mean, above all panels; in one row if it is not said in how many columns."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=label, **how) for label, how in entries]
    figure.legend(handles=handles, loc="upper left", ncols=columns or len(handles), columnspacing=1.6)


def decade(value: float, position: object = None) -> str:
    """A tick of a logarithmic axis: plain where that is short, and otherwise as a power of ten."""
    if value == 0 or 0.01 <= abs(value) <= 1000:
        return f"{value:g}".replace("-", "\N{MINUS SIGN}")
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    return f"{sign}10{str(round(math.log10(abs(value)))).translate(_SUPERSCRIPT)}"


@contextmanager
def _style(name: str) -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # The reader's browser has the letters that the font of the layout lacks.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        matplotlib.rcdefaults()  # whatever the user's own style is
        settings: Any = matplotlib.rcParams  # whose names are typed in new versions only
        settings.update(_RC | {"svg.hashsalt": name})
        yield


def _svg(figure: Figure, name: str, title: str, caption: str) -> Markup:
    """The figure without date, with ids that begin with the name, and with variables in the place of colours."""
    file = BytesIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    ElementTree.register_namespace("", _SVG.strip("{}"))
    root = ElementTree.fromstring(file.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):  # the style would be of the whole page
                parent.remove(child)
    _rename(root, name)
    _recolor(root)
    for path in root.iter(f"{_SVG}path"):
        # A path of gaps alone has nothing to draw; a hundredth of a point is more than can be seen.
        path.attrib["d"] = re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.2f}", path.attrib.get("d", ""))
    width = float(root.attrib["viewBox"].split()[2])
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {
        "class": "picture",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
        "style": f"width: 100%; height: auto; min-width: {width:.0f}px; max-width: {width * _PIXELS:.0f}px",
    }
    for at, (tag, text) in enumerate((("title", title), ("desc", caption))):
        element = ElementTree.Element(f"{_SVG}{tag}", {"id": f"{name}-{tag}"})
        element.text = _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)
        root.insert(at, element)
    style = ElementTree.Element(f"{_SVG}style")
    style.text = _css()
    root.insert(2, style)
    return Markup(ElementTree.tostring(root, encoding="unicode") + "\n")


def _rename(root: ElementTree.Element, name: str) -> None:
    """Ids that something refers to begin with the name; all others go."""
    used: set[str] = set()

    def renamed(match: re.Match[str]) -> str:
        used.add(match[1])
        return f"#{name}-{match[1]}"

    for element in root.iter():
        if _HREF in element.attrib:
            element.attrib["href"] = re.sub(r"^#(.+)$", renamed, element.attrib.pop(_HREF))
        for attribute in ("clip-path", "style", "fill"):
            if attribute in element.attrib:
                element.attrib[attribute] = re.sub(r"(?<=url\()#([^)]+)", renamed, element.attrib[attribute])
    for element in root.iter():
        if (own := element.attrib.pop("id", None)) in used:
            element.attrib["id"] = f"{name}-{own}"


def _recolor(root: ElementTree.Element) -> None:
    def variable(match: re.Match[str]) -> str:
        return f"var(--picture-{_VARIABLES[match[0]][0]})" if match[0] in _VARIABLES else match[0]

    for element in root.iter():
        for attribute in ("style", "fill", "stroke"):
            if attribute in element.attrib:
                value = re.sub(r"#[0-9a-f]{6}\b", variable, element.attrib[attribute])
                element.attrib[attribute] = value.replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans', sans-serif")


def _css() -> str:
    """The variables: those of the page around the picture, where it has them, and otherwise our own."""
    light, dark = (
        " ".join(f"--picture-{name}: var(--{name}, {color});" for name, color in colors)
        for colors in (
            [(name, light) for light, (name, _) in _VARIABLES.items()],
            list(_VARIABLES.values()),
        )
    )
    return f".picture {{ {light} }} @media screen and (prefers-color-scheme: dark) {{ .picture {{ {dark} }} }}"
