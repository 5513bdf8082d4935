"""Articles as people paste them from web pages: what is article, what is page furniture.

Nothing here knows one particular site. A line is furniture when it says so itself ("Open in
App", "Related Stories", "By A. Writer | Updated: ..."), or when it has the form of a heading or a
link and stands where pages put these. Text without any furniture passes whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from framing.data import furniture
from framing.data.segmentation import Span, paragraphs, split_sentences, stripped
from framing.records import Sentence

Role = Literal["title", "body", "debris"]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a page.

    Attributes:
        start: First character in the page's text.
        end: One past the last character.
        role: What it is.
        why: Why it is no body text; "" for body text.
    """

    start: int
    end: int
    role: Role
    why: str = ""


@dataclass(frozen=True)
class Page:
    """A page taken apart.

    Attributes:
        doc_id: The document.
        text: The page as it came.
        title: Its headline, or "".
        blocks: All paragraphs, in order.
        cut: Stretches inside body paragraphs that were left out: agency credits, sentences that
            stood in the article before.
        sentences: The article's sentences.
    """

    doc_id: str
    text: str
    title: str
    blocks: tuple[Block, ...]
    cut: tuple[Block, ...]
    sentences: tuple[Sentence, ...]

    @property
    def dropped(self) -> tuple[Block, ...]:
        """Everything left out, in the page's order; the title is not among it."""
        debris = [block for block in self.blocks if block.role == "debris"]
        return tuple(sorted([*debris, *self.cut], key=lambda block: block.start))


def article_sentences(
    text: str,
    doc_id: str,
    metadata: Mapping[str, str] | None = None,
    plain: bool = False,
    *,
    target: str = "",
    stem: str = "",
) -> Page:
    """Find the sentences of an article in the text of its page.

    Args:
        text: The page as pasted, or plain text.
        doc_id: Id of the document.
        metadata: Goes to every sentence; the headline is added to it as "title" unless it has
            one.
        plain: Take the whole text as the article.
        target: What a stance is towards, for every sentence.
        stem: From which sentence ids are made; by default the document's id.

    Returns:
        The page with its sentences and with what was left out.
    """
    blocks = tuple(_whole(text) if plain else classify(text))
    title = next((_flat(text[b.start : b.end]) for b in blocks if b.role == "title"), "")
    spans = [
        (block.start + start, block.start + end)
        for block in blocks
        if block.role == "body"
        for start, end in split_sentences(text[block.start : block.end])
    ]
    cut: list[Block] = []
    if not plain:
        spans = _without_credits(text, spans, cut)
        if cut or any(block.role == "debris" for block in blocks):
            spans = _without_repeated_lead(text, spans, blocks, cut)
    fields = {"title": title, **(metadata or {})} if title else dict(metadata or {})
    whole = Sentence(stem or doc_id, text, doc_id, target=target, metadata=fields)
    return Page(doc_id, text, title, blocks, tuple(cut), _sentences(whole, spans))


def _whole(text: str) -> list[Block]:
    return [Block(start, end, "body") for start, end in paragraphs(text)]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _sentences(whole: Sentence, spans: Sequence[Span]) -> tuple[Sentence, ...]:
    """The sentences of an article that stands in one."""
    texts = [_flat(whole.text[start:end]) for start, end in spans]
    return tuple(
        replace(
            whole,
            id=f"{whole.id}.{position}",
            text=texts[position],
            position=position,
            previous=texts[position - 1] if position else "",
            span=span,
        )
        for position, span in enumerate(spans)
    )


# "... progress," he said. (AGENCY/Wire)   ... he said. (With inputs from AGENCY)
_CREDIT_AT_END = re.compile(rf"(?<=[.!?…\"'”’])\s*(?P<credit>{furniture.AGENCY_CREDIT})\Z")


def _without_credits(text: str, spans: Sequence[Span], cut: list[Block]) -> list[Span]:
    out = []
    for start, end in spans:
        found = _CREDIT_AT_END.search(text[start:end])
        kept = stripped(text, start, start + found.start()) if found else None
        if found and kept:
            cut.append(Block(start + found.start("credit"), end, "debris", "agency credit"))
        out.append(kept or (start, end))
    return out


#: Shorter sentences are said twice in earnest ("No.", "I do not know.").
_LEAST_REPEATED_WORDS = 6


def _without_repeated_lead(
    text: str, spans: Sequence[Span], blocks: Sequence[Block], cut: list[Block]
) -> list[Span]:
    """Leave out what the first paragraph says already: pages print their standfirst twice.

    Speakers repeat themselves in earnest, so what stands further below may stand there twice.
    """
    end = next((block.end for block in blocks if block.role == "body"), 0)
    lead = {_flat(text[slice(*span)]) for span in spans if span[1] <= end}
    out = []
    for span in spans:
        sentence = _flat(text[slice(*span)])
        long = len(sentence.split()) >= _LEAST_REPEATED_WORDS
        if span[0] >= end and long and sentence in lead:
            cut.append(Block(*span, "debris", "stands in the article before"))
        else:
            out.append(span)
    return out


_MOST_WORDS_TITLE = 30
_MOST_WORDS_HEADING = 10
_LEAST_WORDS_TITLE = 4
_LEAST_WORDS_PROSE = 6
#: A paragraph of this many words is no teaser of a link list.
_LEAST_WORDS_ARTICLE = 25
#: So many links may stand between two paragraphs of an article.
_MOST_INLINE_LINKS = 2


def classify(text: str) -> list[Block]:
    """Give every paragraph of a page its role.

    Args:
        text: The page as pasted, or plain text.

    Returns:
        All paragraphs in order.
    """
    return _Classifier(text).blocks()


class _Classifier:
    """Looks at the paragraphs of one page, first each alone, then where they stand."""

    def __init__(self, text: str) -> None:
        self.spans = paragraphs(text)
        self.texts = [_flat(text[start:end]) for start, end in self.spans]
        self.words = [len(t.split()) for t in self.texts]
        self.why = [furniture.reason(t) for t in self.texts]
        self.ended = [furniture.ends_like_a_sentence(t) for t in self.texts]
        self.byline = next((k for k in self.indices if furniture.is_byline(self.texts[k])), None)
        self.title: int | None = None

    def blocks(self) -> list[Block]:
        if any(self.prose(k) for k in self.indices):
            self.find_title()
            if any(self.why):
                self.end_at_comments()
                self.drop_link_lists()
                self.drop_headings()
        else:
            # Nothing reads as an article, so nothing can be told from it.
            self.why = [""] * len(self.texts)
        return [
            Block(start, end, self.role(k), self.why[k])
            for k, (start, end) in enumerate(self.spans)
        ]

    @property
    def indices(self) -> range:
        return range(len(self.texts))

    def role(self, k: int) -> Role:
        if k == self.title:
            return "title"
        return "debris" if self.why[k] else "body"

    def prose(self, k: int) -> bool:
        """Whether a paragraph reads as part of an article by itself."""
        return not self.why[k] and self.ended[k] and self.words[k] >= _LEAST_WORDS_PROSE

    def first_prose(self) -> int:
        return next(k for k in self.indices if self.prose(k))

    # ---- title

    def find_title(self) -> None:
        """The headline: the line above the byline, else the first long line above the prose."""
        first = self.first_prose()
        if self.byline is not None and self.byline <= first + 1:
            # The last candidates above the byline are headline, standfirst, author's name.
            above = [k for k in range(self.byline) if self.could_be_title(k, question=True)]
            near = [k for k in above[-3:] if self.byline - k <= 3] or above[-1:]
            self.title = next(iter(near), None)
        if self.title is None and self.prose_after(first) and (first == 1 or any(self.why)):
            above = [k for k in range(first) if self.could_be_title(k, question=False)]
            self.title = next(iter(above), None)
        if self.title is not None:
            self.drop_repeated_title(self.title)

    def could_be_title(self, k: int, question: bool) -> bool:
        text = self.texts[k]
        asks = question and text[-1] in "?!" and self.words[k] <= _MOST_WORDS_TITLE
        return (
            not self.why[k]
            and self.words[k] >= _LEAST_WORDS_TITLE
            and (asks or furniture.could_be_heading(text, _MOST_WORDS_TITLE))
            and text[0].upper() == text[0]
            and "#" not in text
        )

    def prose_after(self, k: int) -> bool:
        return any(self.prose(j) for j in range(k + 1, len(self.texts)))

    def drop_repeated_title(self, title: int) -> None:
        self.why[title] = "headline"
        for k in self.indices:
            if k != title and self.texts[k] == self.texts[title]:
                self.why[k] = "repeats the headline"

    # ---- lists of links

    def end_at_comments(self) -> None:
        """Drop readers' comments, which read as prose but stand below the article."""
        prose = [k for k in self.indices if self.prose(k)]
        for k in self.indices:
            if not furniture.starts_reader_comments(self.texts[k]):
                continue
            before = sum(self.words[j] for j in prose if j < k)
            after = sum(self.words[j] for j in prose if j > k)
            if before and before >= after:
                self.drop(range(k + 1, len(self.texts)), "below the readers' comments")

    def drop(self, indices: Sequence[int], why: str) -> None:
        for k in indices:
            if k != self.title:
                self.why[k] = self.why[k] or why

    def drop_link_lists(self) -> None:
        """From the heading of a link list on, drop everything until the article resumes."""
        links = -1
        for k in self.indices:
            if furniture.starts_link_list(self.texts[k]):
                links = 0
            elif links >= 0 and self.resumes(k, links):
                links = -1
            elif links >= 0:
                links += not self.why[k]
                self.drop([k], "in a link list")

    def resumes(self, k: int, links: int) -> bool:
        """Whether a paragraph below a link list is the article again, and no teaser."""
        if not self.prose(k):
            return False
        following = next((j for j in range(k + 1, len(self.texts)) if self.speaks(j)), None)
        if self.words[k] >= _LEAST_WORDS_ARTICLE:
            return True
        if following is None or furniture.starts_link_list(self.texts[following]):
            return links <= _MOST_INLINE_LINKS
        if self.prose(following):
            return True
        return links <= _MOST_INLINE_LINKS and self.ended[following]

    def speaks(self, k: int) -> bool:
        """Whether a line is no furniture, or begins a list of links."""
        return not self.why[k] or furniture.starts_link_list(self.texts[k])

    # ---- headings

    def drop_headings(self) -> None:
        """Drop open-ended lines where pages have menus, subheadings and links."""
        prose = [k for k in self.indices if self.prose(k)]
        first, last = (prose[0], prose[-1]) if prose else (0, -1)
        for k in self.indices:
            if not self.why[k]:
                self.why[k] = self.place(k, first, last)

    def place(self, k: int, first: int, last: int) -> str:
        """Why an open-ended line is no part of an article that has prose at `first` to `last`."""
        text = self.texts[k]
        if self.byline is not None and k < min(self.byline, first) and not self.ended[k]:
            return "above the article"
        if not first <= k <= last and furniture.could_be_heading(text, _MOST_WORDS_TITLE):
            return "above the article" if k < first else "below the article"
        heading = furniture.could_be_heading(text, _MOST_WORDS_HEADING)
        if heading and (self.alone(k) or furniture.is_title_cased(text)):
            return "heading or link"
        return ""

    def alone(self, k: int) -> bool:
        """Whether the neighbours are no open-ended lines: verses and lists stand together."""
        near = [j for j in (k - 1, k + 1) if j in self.indices]
        return all(self.ended[j] or self.why[j] for j in near)
