"""Scores as one self-contained HTML page: no scripts, nothing fetched, readable on paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from framing import __version__
from framing.codebook import Variable
from framing.evaluation.schema import Scores
from framing.report import figures
from framing.report.blocks import FigureKind, Figures
from framing.report.figures import Drawing
from framing.report.formatting import plain
from framing.report.sections import sections, subtitle, title
from framing.report.view import View

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

#: An interval, or a p-value with its sign.
_TOGETHER = re.compile(r"\[[+\u2212]?\d[\d.]*, [+\u2212]?\d[\d.]*\]|\bp (?:=|&lt;) \d[\d.]*")

_DRAWERS: Mapping[FigureKind, Callable[[View, Variable], Iterable[Drawing]]] = {
    "curves": figures.curves,
    "reliability": figures.reliability,
    "confusions": figures.confusions,
    "learning": figures.learning,
}


def render_html(scores: Scores) -> str:
    """Render the report as one HTML page.

    Args:
        scores: What evaluation wrote.

    Returns:
        The page, the same for the same scores.

    Raises:
        CodebookError: The scores hold no valid codebook.
    """
    view = View(scores)

    def forest(variable: str) -> Drawing | None:
        return figures.forest(view, view.book.variable(variable))

    def drawings(block: Figures) -> list[Drawing]:
        draw = _DRAWERS[block.figures]
        return [drawing for v in block.variables for drawing in draw(view, view.book.variable(v))]

    page = _environment().get_template("report.html")
    return page.render(
        title=title(view),
        subtitle=subtitle(view),
        language="en",
        sections=sections(view),
        forest=forest,
        drawings=drawings,
        version=__version__,
    )


def _together(text: str) -> Markup:
    """Escape a text and keep intervals and p-values in one line each."""
    from markupsafe import Markup, escape

    kept = _TOGETHER.sub(r'<span class="ends">\g<0></span>', str(escape(text)))
    return Markup(kept)  # noqa: S704 - escaped above


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("framing", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Drawings come from `svg.to_svg`, whose serialiser has escaped their texts.
    environment.filters["drawn"] = lambda drawing: Markup(drawing.svg)  # noqa: S704
    environment.filters["plain"] = plain
    environment.filters["together"] = _together
    return environment
