"""Scores as GitHub-flavoured Markdown: the same facts as the HTML page, without figures."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence

from framing import __version__
from framing.codebook import Label
from framing.evaluation.schema import Scores
from framing.evaluation.seeds import SeedSummary
from framing.report.blocks import (
    Block,
    Bullets,
    Column,
    Commands,
    Definition,
    Definitions,
    Figures,
    Mistakes,
    Row,
    Section,
    Table,
    Text,
    Verdict,
)
from framing.report.formatting import UNDEFINED, count, interval, number, plain, titled
from framing.report.sections import sections, subtitle, title
from framing.report.view import METRIC_TITLES, View, variable_name

_SPECIAL = re.compile(
    r"[\\`*|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|\](?=[(\[:])"  # a link, or what a link refers to
    r"|^\[(?=[ xX]\])|^[-+#=](?=[\s#=-]|$)"  # a task, a list, a heading or a rule
)
_NUMBERED = re.compile(r"^(\d+)(?=[.)](?:\s|$))")


def render_markdown(scores: Scores) -> str:
    """Render the report as Markdown.

    Args:
        scores: What evaluation wrote.

    Returns:
        The text, the same for the same scores.

    Raises:
        CodebookError: The scores hold no valid codebook.
    """
    view = View(scores)
    head = [f"# {escape(title(view))}: scores", escape(subtitle(view))]
    foot = f"Made by framing {__version__} from scores.json; every number here stands there."
    return join([*head, *render_sections(sections(view)), foot])


def render_sections(parts: Iterable[Section]) -> Iterator[str]:
    """Sections as Markdown paragraphs."""
    for section in parts:
        yield f"## {escape(section.title)}"
        for block in section.blocks:
            yield from render(block)


def join(paragraphs: Iterable[str]) -> str:
    """Paragraphs with blank lines between them."""
    return "\n\n".join(p for p in paragraphs if p) + "\n"


def escape(text: str) -> str:
    """Text of the data as one line that Markdown and HTML leave as it is."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _NUMBERED.sub(r"\1\\", _SPECIAL.sub(r"\\\g<0>", text))


def code(text: str) -> str:
    """Text of the data as code; longer fences hold text with backticks."""
    text = plain(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


@functools.singledispatch
def render(block: Block) -> Iterator[str]:
    """A block as Markdown paragraphs; figures have none, since tables hold their numbers."""
    raise TypeError(f"no Markdown for {type(block).__name__}")


@render.register
def _(_: Figures) -> Iterator[str]:
    yield from ()


@render.register
def _(block: Text) -> Iterator[str]:
    yield from map(escape, block.paragraphs)


@render.register
def _(block: Bullets) -> Iterator[str]:
    yield _list(block.items)


@render.register
def _(block: Commands) -> Iterator[str]:
    yield "\n".join(f"    {plain(line)}" for line in block.lines)


@render.register
def _(block: Definitions) -> Iterator[str]:
    show = code if block.code else escape
    yield "\n".join(f"- {escape(term)}: {show(value)}" for term, value in block.items)


@render.register
def _(block: Verdict) -> Iterator[str]:
    value = f"{block.value} {block.interval}".rstrip()
    yield f"### {escape(block.title)}: {escape(value)} macro-F1"
    yield escape(block.lead)
    yield _list(block.sentences)


@render.register
def _(block: Table) -> Iterator[str]:
    yield f"**{escape(block.caption)}**"
    rule = ("---:" if column.numeric else "---" for column in block.columns)
    lines = [_line(escape(c.name) for c in block.columns), _line(rule)]
    lines += [_table_row(row) for row in block.rows]
    yield "\n".join(lines)
    yield from map(escape, block.notes)


@render.register
def _(block: Mistakes) -> Iterator[str]:
    for number_, mistake in enumerate(block.items, start=1):
        yield f"**{number_}. {escape(mistake.heading)}** ({escape(mistake.origin)})"
        lines = [f"> Before: {escape(mistake.previous)}", ">"] if mistake.previous else []
        yield "\n".join([*lines, f"> {escape(mistake.text)}"])
        yield "\n".join(f"- {escape(term)}: {escape(value)}" for term, value in mistake.fields)


@render.register
def _(block: Definition) -> Iterator[str]:
    variable = block.variable
    yield f"### {escape(block.name)} ({code(variable.id)})"
    yield block.how
    yield escape(variable.definition)
    if variable.rules:
        yield "Rules for hard cases:"
        yield _list(variable.rules)
    for label in variable.labels:
        yield f"#### {escape(label.name)} ({code(label.id)})"
        yield from _label(label)


def _label(label: Label) -> Iterator[str]:
    yield escape(label.definition)
    if label.proposition:
        yield f"Proposition: {escape(label.proposition)}"
    for term, texts in (("Included", label.include), ("Excluded", label.exclude)):
        if texts:
            yield f"{term}:"
            yield _list(texts)
    if label.keywords:
        yield f"Keywords: {escape(', '.join(label.keywords))}"


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {escape(item)}" for item in items)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table_row(row: Row) -> str:
    cells = (escape(cell) for cell in row.cells)
    return _line(f"**{cell}**" if row.strong and cell else cell for cell in cells)


def render_seed_summary(summary: SeedSummary, scores: Scores) -> str:
    """Render the model's figures over several seeds as Markdown.

    Args:
        summary: What `framing.evaluation.seeds.summarise_seeds` gave.
        scores: Of one of the runs, for the codebook's names.

    Returns:
        The text.
    """
    view = View(scores)
    rows = []
    for score in summary.scores:
        where = "All variables"
        if score.variable != "all":
            variable = view.book.variable(score.variable)
            where = view.head_name(score.head) if score.head else variable_name(variable)
        label = score.label
        if label and score.variable != "all":
            label = view.label_name(score.variable, label)
        figures = (score.mean, score.deviation, score.minimum, score.maximum)
        ends = interval(score.low, score.high) or UNDEFINED
        metric = METRIC_TITLES.get(score.metric, titled(score.metric))
        rows.append(Row((where, label, metric, *map(number, figures), ends, count(score.n))))
    names = ("Variable", "Label", "Figure")
    numbers = ("Mean", "Deviation", "Lowest", "Highest", "95% interval of the mean", "Seeds")
    table = Table(
        id="seeds",
        caption="The model over seeds",
        columns=(*(Column(name, numeric=False) for name in names), *map(Column, numbers)),
        rows=tuple(rows),
        notes=("Deviation is that of a sample; the interval is Student's t over the seeds.",),
    )
    runs = Bullets(tuple(summary.runs))
    data = f"Runs that differ in their seed alone, scored on the data {code(summary.data)}:"
    head = f"# {escape(title(view))}: scores over seeds"
    return join([head, data, *render(runs), *render(table)])
