"""matplotlib's SVG made fit to stand inside a page.

Figures are drawn in stand-in colours that become CSS custom properties, so that one drawing
follows the page's light or dark colours; ids are made unique to the figure; texts stay texts and
take the page's font.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010101"
MUTED = "#020202"
GRID = "#030303"
MODEL = "#040404"
CODERS = "#050505"
BASELINE = "#060606"
HEAT = "#070707"
PAPER = "#080808"

_PROPERTIES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    MODEL: "var(--model)",
    CODERS: "var(--coders)",
    BASELINE: "var(--baseline)",
    HEAT: "var(--heat)",
    PAPER: "var(--paper)",
}

_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    # Names of labels may hold dollar signs, which are not formulas.
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}

#: matplotlib counts in points; at 96 pixels an inch a 9-point letter is 12 pixels high.
_PIXELS_A_POINT = 96 / 72
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_COLOUR = re.compile(r"#(0[1-8])\1\1\b")
_FONT = re.compile(r"'DejaVu Sans'(?:, *(?:'[^']*'|[\w-]+))*")


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in stand-in colours and small letters; matplotlib's settings are put back after."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def to_svg(figure: Figure, name: str, description: str) -> str:
    """An ``<svg>`` element for a page.

    Args:
        figure: Drawn inside `drawing`.
        name: Unique within the page; letters, digits and hyphens.
        description: Read out instead of the picture.

    Returns:
        The element, the same for the same figure, without references to anything outside it.
    """
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        # The reader's browser draws the letters; only widths are guessed for unknown ones.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(
            buffer, format="svg", bbox_inches="tight", pad_inches=0.04, metadata={"Date": None}
        )
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib's own output
    return _for_page(root, name, description)


def _for_page(root: ElementTree.Element, name: str, description: str) -> str:
    _drop_metadata(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _rename_attributes(element, name)
    box = root.attrib["viewBox"]
    width, height = (float(x) * _PIXELS_A_POINT for x in box.split()[2:])
    root.attrib.clear()
    root.attrib.update(
        {
            "viewBox": box,
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "role": "img",
            "aria-label": description,
        }
    )
    return ElementTree.tostring(root, encoding="unicode")


def _drop_metadata(root: ElementTree.Element) -> None:
    """Remove dates and names of programs, and rules that would apply to the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)


def _rename_attributes(element: ElementTree.Element, name: str) -> None:
    attributes = element.attrib
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    link = attributes.pop(_LINK, None)
    if link is not None:
        attributes["href"] = f"#{name}-{link.removeprefix('#')}"
    if "clip-path" in attributes:
        attributes["clip-path"] = attributes["clip-path"].replace("url(#", f"url(#{name}-")
    if "style" in attributes:
        style = _COLOUR.sub(lambda m: _PROPERTIES[m.group()], attributes["style"])
        attributes["style"] = _FONT.sub("var(--font)", style)
