"""Labelled articles as one HTML file that needs nothing beside it."""

from __future__ import annotations

import string
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from framing.artifacts import write_output
from framing.codebook import Codebook
from framing.data.page import Block, Page
from framing.inference.readout import (
    Mark,
    Readout,
    Value,
    count_marks,
    marking_variable,
    read_out,
)
from framing.records import Prediction, Sentence

#: Colours and underline styles of the template; together they tell 40 labels apart.
_COLOURS = 8
_LINES = 5
_DEEPEST = 3

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Document:
    """One section of the view: a page, or sentences without one."""

    heading: str
    note: str
    page: Page | None
    readouts: tuple[Readout, ...]


def write_view(
    path: Path,
    pages: Sequence[Page],
    labelled: Sequence[tuple[Sentence, Prediction]],
    book: Codebook,
    run: str,
    *,
    overwrite: bool = False,
) -> None:
    """Write the view, atomically; one that stands there with the same content stays.

    Args:
        path: An HTML file.
        pages: The pages that sentences were taken from, in the order of the sentences.
        labelled: All sentences with their predictions, with or without a page.
        book: The codebook of the predictions.
        run: Name of the run that made them.
        overwrite: Replace another file.

    Raises:
        OutputError: Another file stands there, or it cannot be written.
    """
    write_output(path, render(pages, labelled, book, run), overwrite)


def render(
    pages: Sequence[Page],
    labelled: Sequence[tuple[Sentence, Prediction]],
    book: Codebook,
    run: str,
) -> str:
    """The view as HTML; arguments as those of `write_view`."""
    readouts = [read_out(sentence, prediction, book) for sentence, prediction in labelled]
    documents = list(_documents(pages, readouts))
    view = _View(book)
    sections = "\n".join(view.section(document) for document in documents)
    names = [document.heading for document in documents]
    template = resources.files("framing.inference") / "templates" / "article.html"
    return string.Template(template.read_text(encoding="utf-8")).substitute(
        language=escape(book.language),
        title=escape(names[0] if len(names) == 1 else f"{len(names)} labelled documents"),
        summary=escape(_summary(readouts, pages)),
        variable=escape(marking_variable(book).name),
        legend=view.legend(count_marks(readouts, book)),
        sections=sections,
        list=view.side_list(documents),
        footer=escape(_footer(labelled, book, run)),
    )


def _documents(pages: Sequence[Page], readouts: Sequence[Readout]) -> Iterator[_Document]:
    """Sections in the order of the inputs."""
    waiting = deque(pages)
    loose: list[Readout] = []
    position = 0
    while position < len(readouts) or waiting:
        if waiting and _begins(waiting[0], readouts, position):
            yield from _without_page(loose)
            loose = []
            page = waiting.popleft()
            end = position + len(page.sentences)
            title = page.title or page.doc_id
            note = page.doc_id if page.title else ""
            yield _Document(title, note, page, tuple(readouts[position:end]))
            position = end
        else:
            loose.append(readouts[position])
            position += 1
    yield from _without_page(loose)


def _begins(page: Page, readouts: Sequence[Readout], position: int) -> bool:
    return not page.sentences or readouts[position].sentence is page.sentences[0]


def _without_page(readouts: Sequence[Readout]) -> Iterator[_Document]:
    """Documents of tables; those of a single sentence share one section."""
    groups = [list(g) for _, g in groupby(readouts, key=lambda r: r.sentence.doc_id)]
    for single, run in groupby(groups, key=lambda group: len(group) == 1):
        if single:
            yield _Document("Sentences", "", None, tuple(group[0] for group in run))
            continue
        for group in run:
            title = group[0].sentence.metadata.get("title", "")
            doc_id = group[0].sentence.doc_id
            yield _Document(title or doc_id, doc_id if title else "", None, tuple(group))


def _summary(readouts: Sequence[Readout], pages: Sequence[Page]) -> str:
    marked = sum(bool(readout.marks) for readout in readouts)
    left_out = sum(len(page.dropped) for page in pages)
    text = f"{marked} of {len(readouts)} sentences labelled"
    return f"{text}; {left_out} other lines of the page left out" if left_out else text


def _footer(labelled: Sequence[tuple[Sentence, Prediction]], book: Codebook, run: str) -> str:
    made = {prediction.bundle[:12] for _, prediction in labelled}
    bundle = f", bundle {', '.join(sorted(made))}" if made else ""
    return (
        f"Labelled by the model {run}{bundle}, codebook {book.name} version {book.version}. "
        "Probabilities are calibrated; labels are a model's, not a coder's."
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Tags of two or three letters, one a name and no two alike."""
    out: list[str] = []
    for name in names:
        words = name.split()
        tag = "".join(word[0] for word in words[:3]) if len(words) > 1 else name[:3]
        tag, number = tag.upper(), 1
        while tag in out:
            number += 1
            tag = f"{tag.rstrip('0123456789')}{number}"
        out.append(tag)
    return out


class _View:
    """Turns readouts into HTML; numbers the marked sentences."""

    def __init__(self, book: Codebook) -> None:
        self.labels = marking_variable(book).labels
        self.tags = short_names([label.name for label in self.labels])
        self.anchors: dict[int, str] = {}

    def legend(self, counts: dict[str, int]) -> str:
        return "\n".join(
            f'<li class="{"some" if count else "none"}"><span class="tag {_style(k)}">'
            f'{escape(self.tags[k])}</span> <span class="swatch {_style(k)}">{escape(name)}</span>'
            f" <b>{count}</b></li>"
            for k, (name, count) in enumerate(counts.items())
        )

    def section(self, document: _Document) -> str:
        note = f'<p class="doc">{escape(document.note)}</p>' if document.note else ""
        if document.page is None:
            body = "\n".join(f'<p dir="auto">{self.sentence(r)}</p>' for r in document.readouts)
        else:
            body = "\n".join(self.blocks(document.page, document.readouts))
        heading = f'<h1 dir="auto">{escape(document.heading)}</h1>'
        return f"<section>{heading}{note}\n{body}\n</section>"

    def blocks(self, page: Page, readouts: Sequence[Readout]) -> Iterator[str]:
        """The page's paragraphs; neighbouring lines that were left out are folded together."""
        # The title stands above them already.
        blocks = [block for block in page.blocks if block.role != "title"]
        placed = [readout for readout in readouts if readout.sentence.span]
        cuts = sorted(page.cut, key=_cut_start)
        for role, group in groupby(blocks, key=lambda block: block.role):
            if role == "debris":
                yield _folded(page, list(group))
                continue
            for block in group:
                inside = _within(block, placed, _start)
                text = self.paragraph(page, inside, _within(block, cuts, _cut_start))
                yield f'<p dir="auto">{text}</p>'

    def paragraph(self, page: Page, readouts: Sequence[Readout], cuts: Sequence[Block]) -> str:
        """A body paragraph in its original order: sentences, and what was cut from it."""
        pieces = [(_start(readout), self.sentence(readout)) for readout in readouts]
        pieces += [(cut.start, _cut(page, cut)) for cut in cuts]
        return " ".join(text for _, text in sorted(pieces))

    def sentence(self, readout: Readout) -> str:
        text = escape(readout.sentence.text)
        if not readout.marks:
            return text
        anchor = f"s{len(self.anchors) + 1}"
        self.anchors[id(readout)] = anchor
        for depth, mark in reversed(list(enumerate(readout.marks))):
            nesting = f"d{min(depth, _DEEPEST)}"
            text = f'<span class="m {nesting} {_style(mark.index)}">{text}</span>'
        return (
            f'<span class="s" id="{anchor}" tabindex="0" aria-describedby="{anchor}t">{text}'
            f'{self.tag_list(readout)}<span class="tip" role="tooltip" id="{anchor}t">'
            f"{_tip(readout)}</span></span>"
        )

    def tag_list(self, readout: Readout) -> str:
        return "".join(self.tag(mark) for mark in readout.marks)

    def tag(self, mark: Mark) -> str:
        return f'<span class="tag {_style(mark.index)}">{escape(self.tags[mark.index])}</span>'

    def side_list(self, documents: Sequence[_Document]) -> str:
        parts = []
        for document in documents:
            marked = [readout for readout in document.readouts if readout.marks]
            if len(documents) > 1 and marked:
                parts.append(f'<h3 dir="auto">{escape(document.heading)}</h3>')
            if marked:
                items = "\n".join(self.entry(readout) for readout in marked)
                parts.append(f"<ol>\n{items}\n</ol>")
        return "\n".join(parts) or "<p>No sentence was given a label.</p>"

    def entry(self, readout: Readout) -> str:
        parts = [
            " ".join([self.tag(mark), *(escape(value.label) for value in mark.dependents)])
            for mark in readout.marks
        ]
        parts += [escape(value.label) for value in readout.others]
        return (
            f'<li><a href="#{self.anchors[id(readout)]}">'
            f'<span class="what">{" · ".join(parts)}</span>'
            f'<span class="quote" dir="auto">{escape(readout.sentence.text)}</span></a></li>'
        )


def _start(readout: Readout) -> int:
    return readout.sentence.span[0] if readout.sentence.span else 0


def _cut_start(cut: Block) -> int:
    return cut.start


def _within(block: Block, items: Sequence[_Item], start: Callable[[_Item], int]) -> Sequence[_Item]:
    """Those that begin in a block, of items in the order of their places."""
    first = bisect_left(items, block.start, key=start)
    return items[first : bisect_left(items, block.end, lo=first, key=start)]


def _style(index: int) -> str:
    return f"k{index % _COLOURS} u{index % _LINES}"


def _folded(page: Page, blocks: Sequence[Block]) -> str:
    lines = "\n".join(
        f"<li><bdi>{escape(' '.join(page.text[b.start : b.end].split()))}</bdi> "
        f"<i>({escape(b.why)})</i></li>"
        for b in blocks
    )
    count = "1 line" if len(blocks) == 1 else f"{len(blocks)} lines"
    return (
        f'<details class="debris"><summary>{count} left out</summary><ul>\n{lines}\n</ul></details>'
    )


def _cut(page: Page, cut: Block) -> str:
    text = escape(" ".join(page.text[cut.start : cut.end].split()))
    return f'<span class="cut" title="left out: {escape(cut.why)}">{text}</span>'


def _tip(readout: Readout) -> str:
    lines = [line for mark in readout.marks for line in _mark_lines(mark)]
    lines += [f"<span>{_value(value)}</span>" for value in readout.others]
    return "".join(lines)


def _mark_lines(mark: Mark) -> Iterator[str]:
    yield (
        f'<span><b class="swatch {_style(mark.index)}">{escape(mark.value.label)}</b> '
        f"{_probability(mark.value)}</span>"
    )
    for dependent in mark.dependents:
        yield f'<span class="dependent">{_value(dependent)}</span>'


def _value(value: Value) -> str:
    return f"{escape(value.variable)}: <b>{escape(value.label)}</b> {_probability(value)}"


def _probability(value: Value) -> str:
    return f'<span class="p">{value.probability:.2f}</span>'
