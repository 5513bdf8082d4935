"""Sentences of plain text, as spans of the text they were found in.

The boundaries are nupunkt's, with the few corrections that experiments/001-segmentation
measures.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nupunkt import PunktSentenceTokenizer

Span = tuple[int, int]

# nupunkt learned its undotted abbreviations from scanned papers: among them are words that end
# many a sentence ("bank", "call", "West"). This list takes their place. Dotted abbreviations
# ("U.S.", "p.m.") and single letters are kept as learned.
_ABBREVIATIONS = (
    "adm amb brig capt cmdr col cpl dr fr gen gov hon lt maj messrs mlle mme mr mrs ms mt pfc "
    "pres prof pvt rep reps rev sen sens sgt sr st ste supt "
    "approx assn asst ave bldg blvd bros cf co corp dept est etc ext ft govt inc intl jr ltd "
    "natl plc sq univ viz vs"
)
# Abbreviations only where a number follows: "No. 5" and "Dec. 3", but "The answer is no."
_BEFORE_NUMBER = re.compile(
    r"(?<!\w)(?:No|[Nn]os|[Nn]r|[Aa]pp|[Aa]rts?|[Cc]h|[Ff]igs?|[Pp]aras?|pp?|[Ss]ect?|[Vv]ols?|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.\Z"
)
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
# "MOSCOW, December 10." and "/WIRE/." open an agency's story; they are no sentences.
_DATELINE = re.compile(
    rf"(?:[A-Z]{{3,}}[A-Z ,/-]*(?:, {_MONTH} \d{{1,2}}(?:, \d{{4}})?)?\.)?"
    r"\s*(?:/[A-Z]{2,12}/\.)?\Z"
)
_DOTTED = re.compile(r"(?<![A-Za-z])(?:[A-Za-z]\.){2,}\Z")
#: Characters of the longest of those before a number, and of the least that is dotted.
_LONGEST_ENDING = 6
# A credit in brackets, such as "(AGENCY)" or "(Agency/Wire)", belongs to what it follows.
_CREDIT = re.compile(r"\((?:[A-Z][\w&-]*)(?:[ /,]+[A-Z][\w&-]*){0,3}\)(?=\s|\Z)")

#: Lines longer than this are paragraphs, not lines of hard-wrapped text.
_WIDEST_WRAP = 100
_NARROWEST_WRAP = 40


def split_sentences(text: str) -> list[Span]:
    """Find the sentences of a text.

    Paragraphs end sentences; the lines of hard-wrapped paragraphs do not. Each sentence inside
    a quotation counts by itself.

    Args:
        text: Plain text.

    Returns:
        Start and end (exclusive) of each sentence in `text`, in order, without blanks at either
        end. They leave out nothing but white space.
    """
    spans: list[Span] = []
    for start, end in paragraphs(text):
        spans.extend((start + a, start + b) for a, b in _split_paragraph(text[start:end]))
    return spans


def paragraphs(text: str) -> list[Span]:
    """Find the paragraphs of a text: its lines, joined where the text is hard-wrapped.

    Args:
        text: Plain text.

    Returns:
        Start and end (exclusive) of each paragraph, without blanks at either end.
    """
    lines = list(_lines(text))
    width = _wrap_width(text, lines)
    out: list[Span] = []
    for k, line in enumerate(lines):
        if k and width and _fills(text, lines[k - 1], line, width):
            out[-1] = (out[-1][0], line[1])
        else:
            out.append(line)
    return out


def stripped(text: str, start: int, end: int) -> Span | None:
    """The span without blanks at either end, None where nothing is left."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece.rstrip())
    return (start + left, start + right) if right else None


def _lines(text: str) -> Iterator[Span]:
    position = 0
    for line in text.splitlines(keepends=True):
        span = stripped(text, position, position + len(line))
        position += len(line)
        if span is not None:
            yield span


def _wrap_width(text: str, lines: list[Span]) -> int:
    """The width a text was hard-wrapped to, 0 where it was not wrapped.

    A wrapped line ends where the next line's first word no longer fitted, so in wrapped text
    nearly every line that another one follows directly is full.
    """
    width = max((end - start for start, end in lines), default=0)
    if not _NARROWEST_WRAP <= width <= _WIDEST_WRAP:
        return 0
    pairs = [(a, b) for a, b in itertools.pairwise(lines) if _adjacent(text, a, b)]
    full = sum(_fills(text, a, b, width) for a, b in pairs)
    # In a list of headlines only the longest line or two are full.
    return width if full > 1 and full >= 0.6 * len(pairs) else 0


def _adjacent(text: str, line: Span, following: Span) -> bool:
    return len(text[line[1] : following[0]].splitlines()) == 1


def _fills(text: str, line: Span, following: Span, width: int) -> bool:
    word = text[following[0] : following[1]].split(maxsplit=1)[0]
    return _adjacent(text, line, following) and line[1] - line[0] + 1 + len(word) > width


def _split_paragraph(paragraph: str) -> Iterator[Span]:
    # One blank for each line break: offsets stay as they are.
    flat = re.sub(r"\s", " ", paragraph)
    span: Span | None = None
    for start, end in _pieces(flat):
        if span is not None and not _joined(flat, span, (start, end)):
            yield span
            span = None
        span = (start if span is None else span[0], end)
    if span is not None:
        yield span


def _pieces(flat: str) -> Iterator[Span]:
    """Sentences by nupunkt, each credit in brackets parted from what follows it."""
    for start, end in _splitter().span_tokenize(flat):
        span = stripped(flat, start, end)
        if span is None:
            continue
        credit = _CREDIT.match(flat, *span) if span[0] else None
        rest = stripped(flat, credit.end(), span[1]) if credit else None
        if credit and rest:
            yield credit.span()
            yield rest
        else:
            yield span


def _joined(flat: str, before: Span, piece: Span) -> bool:
    """Whether nupunkt parted what belongs together."""
    (start, end), first = before, flat[piece[0]]
    # What is joined grows with every piece, so that only its end is looked at.
    near = max(start, end - _LONGEST_ENDING)
    return bool(
        (first.isdigit() and _BEFORE_NUMBER.search(flat, near, end))
        or (first.islower() and _DOTTED.search(flat, near, end))
        or _CREDIT.fullmatch(flat, *piece)
        or (start == 0 and _DATELINE.fullmatch(flat, start, end))
    )


@functools.cache
def _splitter() -> PunktSentenceTokenizer:
    import nupunkt

    splitter = nupunkt.PunktSentenceTokenizer.load(nupunkt.models.get_default_model_path())
    known = _ABBREVIATIONS.split()
    learned = {a for a in splitter.abbreviations if len(a) > 1 and a.isalpha()}
    for abbreviation in learned.difference(known):
        splitter.remove_abbreviation(abbreviation)
    splitter.add_abbreviations(known)
    return splitter
