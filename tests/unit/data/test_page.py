from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framing.data.furniture import reason
from framing.data.page import Page, article_sentences, classify
from tests.conftest import ROOT


def _page(text: str) -> Page:
    return article_sentences(text, "d")


def _sentences(text: str) -> list[str]:
    return [sentence.text for sentence in _page(text).sentences]


def _whole(text: str) -> str:
    return "".join(text.split())


# ---- pages in the manner of several kinds of sites ---------------------------------------------

AGENCY_SITE = """Town
Epaper

Minister hopes for quiet spring: spokeswoman

By NNA | Updated: March 3, 2022 09:15 GMT

The minister has said she hopes for a quiet spring.

Open in App

The minister has said she hopes for a quiet spring.

On Tuesday she spoke by telephone with her neighbour, and the two agreed to meet in Lund.

"I told him what we fear ... He told me what they fear," she said. (NNA/Wire)

( With inputs from NNA )

Disclaimer: This post has been auto-published from an agency feed without changes

Tags: LundTalksSpring
Open in App

Related Stories

NationalMinister to visit Lund, says spokesman
InternationalEnvoys meet in the old hall
SportsHome side loses again: Report"""

BROADSHEET = """Skip to main content
The Norrby Herald
Home › World › Europe
Sign in | Subscribe
Envoys leave Lund without a word
Talks will go on next week, officials say
Ida Holm in Lund
Mon 7 Mar 2022 18.04 GMT
Last modified on Tue 8 Mar 2022 06.00 GMT
The envoys left the hall at dusk. Nobody waved.
Sign up to our daily newsletter for the latest updates
What next?
It did not go well, a diplomat said. He would not be named.
Both sides had come with lists, and neither list was read to its end.
Most viewed
The owl that moved into a bank
Ten soups for March
© 2022 The Norrby Herald. All rights reserved."""

BROADCASTER = """NEWS
Home
Politics
World

Bridge closed after quarrel over tolls

By Sten Alm
Lund correspondent

Published
2 hours ago
Share
Image source, Getty Images

The bridge between the two towns has been closed since Monday.

The mayors blame each other.

"They stopped paying," said one of them.

You may also like:

Why tolls rose last year
The history of the bridge in pictures

Each side has called on the other to open its gate, and neither has moved since the week began.

More on this story
Bridge tolls to rise
3 March
Mayors meet in Lund
1 March"""

BLOG = """The trouble with buffers
Posted on 4 March 2022 by Anna Lind

I have been asked what a buffer is. It is a country that others draw on a map.

A few rules:

- nobody asks it
- nobody pays for it
- nobody leaves it

That is all I know about it, and it took me twenty years.

Filed under: maps, borders

12 comments

Per says: Well said! I have waited years for somebody to write this down.
Nils says: You forgot the rivers. They always come first, whatever people think.

Leave a reply"""

TABLOID = """ADVERTISEMENT

FURY OVER BRIDGE AS MAYOR STORMS OUT

EXCLUSIVE: Mayor walks out 'in tears' after row over keys
By Mia Grahn, Chief Reporter
PUBLISHED: 21:04, 7 March 2022 | UPDATED: 08:15, 8 March 2022

The mayor stormed out last night. He slammed the door.
READ MORE: Ten things about the bridge
'I have had it,' he shouted. 'Keep your keys!'
Story continues below
A porter found the keys in a bin this morning.
Share or comment on this article
Like
Reply"""

COOKIE_BANNER = """We use cookies to improve your experience and to show you advertisements.
Accept all
Manage preferences
We and our partners use cookies.
Lund talks end
March 8, 2022
The talks in Lund have ended without a paper, the host said on Tuesday night.
Another round may follow in May.
Follow us on Twitter and Facebook
Privacy Policy | Terms of Use | Contact us"""


@pytest.mark.parametrize(
    ("text", "title", "sentences"),
    [
        (
            AGENCY_SITE,
            "Minister hopes for quiet spring: spokeswoman",
            [
                "The minister has said she hopes for a quiet spring.",
                "On Tuesday she spoke by telephone with her neighbour, and the two agreed to "
                "meet in Lund.",
                '"I told him what we fear ...',
                'He told me what they fear," she said.',
            ],
        ),
        (
            BROADSHEET,
            "Envoys leave Lund without a word",
            [
                "The envoys left the hall at dusk.",
                "Nobody waved.",
                "What next?",
                "It did not go well, a diplomat said.",
                "He would not be named.",
                "Both sides had come with lists, and neither list was read to its end.",
            ],
        ),
        (
            BROADCASTER,
            "Bridge closed after quarrel over tolls",
            [
                "The bridge between the two towns has been closed since Monday.",
                "The mayors blame each other.",
                '"They stopped paying," said one of them.',
                "Each side has called on the other to open its gate, and neither has moved "
                "since the week began.",
            ],
        ),
        (
            BLOG,
            "The trouble with buffers",
            [
                "I have been asked what a buffer is.",
                "It is a country that others draw on a map.",
                "A few rules:",
                "- nobody asks it",
                "- nobody pays for it",
                "- nobody leaves it",
                "That is all I know about it, and it took me twenty years.",
            ],
        ),
        (
            TABLOID,
            "FURY OVER BRIDGE AS MAYOR STORMS OUT",
            [
                "The mayor stormed out last night.",
                "He slammed the door.",
                "'I have had it,' he shouted.",
                "'Keep your keys!'",
                "A porter found the keys in a bin this morning.",
            ],
        ),
        (
            COOKIE_BANNER,
            "",
            [
                "The talks in Lund have ended without a paper, the host said on Tuesday night.",
                "Another round may follow in May.",
            ],
        ),
    ],
    ids=["agency", "broadsheet", "broadcaster", "blog", "tabloid", "cookies"],
)
def test_pages(text: str, title: str, sentences: list[str]) -> None:
    page = _page(text)
    assert [s.text for s in page.sentences] == sentences
    assert page.title == title


# ---- what must not vanish ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "no stop at all and no page either",
        "It did not.",
        "Is it war?\n\nIt did not come to that. We waited.\n\nWho would have thought so?",
        "THE PRESIDENT: Good evening, everybody.\n\nQ    Mr. President, what about the\n\n"
        "THE PRESIDENT: I am coming to that. (Laughter.)\n\nQ    Thank you, sir --",
        "third day without water\n\nnobody says anything\n\nmy neighbour has a goose now, "
        "don't ask about the goose",
        "The river goes down to the sea,\nand no one asks it why;\nthe stones lie where they "
        "used to be\nunder the turning sky",
        "We demand three things.\n\n- a line in writing\n- a date\n- an end to it\n\nNothing "
        "else will do, we said.",
        "Our answer is short. No.\n\nNo.\n\nWe said it twice, and we shall say it again. No.",
        "By Friday the troops had left.\n\nThe town was quiet on that evening.",
        "Read the draft. Then read it again. Subscribe to nothing you have not read.",
        "Copyright law was not on the table, the envoy said with a smile.\n\nNor was fishing.",
        "Related: a list of headlines\nand nothing that reads as a sentence",
        "More in sorrow than in anger.\n\nHe left the hall as he had come, alone and on foot.",
        "We shall not leave this hall tonight. We shall not leave this hall tonight.\n\n"
        "They asked us to go home.\n\nWe shall not leave this hall tonight.",
    ],
)
def test_ordinary_text_passes_whole(text: str) -> None:
    page = _page(text)
    assert page.dropped == ()
    assert _whole("".join(s.text for s in page.sentences)) == _whole(text)


def test_only_what_the_first_paragraph_says_is_a_repetition() -> None:
    refrain = "We shall not leave this hall tonight."
    text = f"The mayor spoke for an hour.\n\nOpen in App\n\n{refrain}\n\n{refrain} {refrain}"
    assert _sentences(text) == ["The mayor spoke for an hour.", *[refrain] * 3]
    text = f"{refrain} {refrain}\n\nOpen in App\n\n{refrain} They went home."
    assert _sentences(text) == [refrain, refrain, "They went home."]


def test_a_headline_above_plain_paragraphs_is_the_title() -> None:
    text = "Envoys leave Lund without a word\n\n" + "They left at dusk without a word. " * 2
    page = _page(text + "\n\nThe hall was dark by six that evening.")
    assert page.title == "Envoys leave Lund without a word"
    assert page.sentences[0].metadata == {"title": page.title}


def test_metadata_that_are_given_win() -> None:
    page = article_sentences(BLOG, "d", {"title": "Mine", "source": "x"})
    assert page.sentences[0].metadata == {"title": "Mine", "source": "x"}


def test_a_paragraph_after_an_inline_link_is_the_article_again() -> None:
    text = "{}\n\nAlso read\n\nSnow closes passes\n\n{}\n\nTags: snow, passes"
    first, last = "The first paragraph of the article.", "It was the last they heard of it."
    assert _sentences(text.format(first, last)) == [first, last]


def test_teasers_of_a_link_list_are_not_the_article() -> None:
    text = (
        "The envoys left the hall at dusk.\n\nRelated Stories\n\nWhy the bridge was closed\n"
        "The mayors cannot agree who pays for it.\nTen soups for March\n"
        "A cook tells what she eats when it is cold.\nOwls in the bank\n"
        "Nobody knows how they came in there."
    )
    assert _sentences(text) == ["The envoys left the hall at dusk."]


def test_what_was_left_out_is_told_with_reasons() -> None:
    page = _page(AGENCY_SITE)
    told = {page.text[b.start : b.end]: b.why for b in page.dropped}
    assert told["Open in App"] == "button or menu"
    assert told["(NNA/Wire)"] == "agency credit"
    assert told["Related Stories"] == "heading of a link list"
    assert told["By NNA | Updated: March 3, 2022 09:15 GMT"] == "byline or date"
    assert told["The minister has said she hopes for a quiet spring."] == (
        "stands in the article before"
    )
    assert [b.start for b in page.dropped] == sorted(b.start for b in page.dropped)


def test_plain_keeps_everything() -> None:
    page = article_sentences(AGENCY_SITE, "d", plain=True)
    assert page.dropped == ()
    assert page.title == ""
    assert _whole("".join(s.text for s in page.sentences)) == _whole(AGENCY_SITE)


def test_targets_and_ids_of_a_row() -> None:
    page = article_sentences("One came. Two left.", "d", target="the plan", stem="row-7")
    assert [(s.id, s.doc_id, s.target) for s in page.sentences] == [
        ("row-7.0", "d", "the plan"),
        ("row-7.1", "d", "the plan"),
    ]


def test_records_hang_together() -> None:
    page = _page(BROADSHEET)
    for position, sentence in enumerate(page.sentences):
        assert sentence.id == f"d.{position}"
        assert sentence.doc_id == "d"
        assert sentence.position == position
        assert sentence.previous == (page.sentences[position - 1].text if position else "")
        assert sentence.span is not None
        assert " ".join(BROADSHEET[slice(*sentence.span)].split()) == sentence.text


def test_an_empty_text_has_no_sentences() -> None:
    assert _page(" \n ").sentences == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Facebook Twitter WhatsApp", "button or menu"),
        ("5 min read", "byline or date"),
        ("3:40 P.M. EST", "byline or date"),
        ("January 7, 2022", "byline or date"),
        ("WRITTEN BY ANNA LIND", ""),
        ("Written by Anna Lind", "byline or date"),
        ("(Reuters)", "agency credit"),
        ("(Laughter.)", ""),
        ("[Applause]", ""),
        ("Editor's picks", "heading of a link list"),
        ("More from Europe", "heading of a link list"),
        ("WorldEnvoys meet in Lund", "link with its section"),
        ("WorldEnvoys met in Lund, and nobody came.", ""),
        ("Please enable JavaScript to view comments.", "notice of the site"),
        ("https://example.org/a/b", "path or address"),
        ("The talks took 5 minutes.", ""),
        ("Help!", ""),
        ("Next.", ""),
    ],
)
def test_lines_by_themselves(line: str, why: str) -> None:
    assert reason(line) == why


LINES = st.sampled_from(
    [*AGENCY_SITE.splitlines(), *BROADCASTER.splitlines(), *BLOG.splitlines(), "1/", "(A)", ": "]
)


@given(st.lists(LINES | st.text(max_size=12), max_size=25).map("\n".join))
def test_blocks_cover_any_text(text: str) -> None:
    position = 0
    for block in classify(text):
        assert position <= block.start < block.end
        assert not text[position : block.start].strip()
        assert (block.role == "body") == (block.why == "")
        position = block.end
    assert not text[position:].strip()


# ---- real and bundled texts --------------------------------------------------------------------


def _documents(path: Path) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        out.setdefault(row["doc_id"], []).append(row["text"])
    return out


def _lost(documents: dict[str, list[str]], size: int) -> int:
    """Sentences of documents, printed in paragraphs of `size`, that are not found again."""
    lost = 0
    for doc_id, sentences in documents.items():
        parts = [" ".join(sentences[k : k + size]) for k in range(0, len(sentences), size)]
        page = article_sentences("\n\n".join(parts), doc_id)
        found = _whole(page.title) + _whole("".join(s.text for s in page.sentences))
        lost += sum(_whole(sentence) not in found for sentence in sentences)
    return lost


@pytest.mark.parametrize("size", [1, 3])
def test_the_bundled_corpus_passes_nearly_whole(size: int) -> None:
    corpus = ROOT / "framing" / "corpora" / "security_talks" / "sentences.jsonl"
    documents = _documents(corpus)
    # Some descriptions under videos hold "Subscribe ..." and the like, which is rightly left out.
    assert _lost(documents, size) <= 0.0015 * sum(map(len, documents.values()))


@pytest.mark.shared
def test_real_texts_pass_whole(shared: Path) -> None:
    assert _lost(_documents(shared / "real" / "sentences.jsonl"), 3) == 0


@pytest.mark.shared
def test_a_real_page_gives_its_article(shared: Path) -> None:
    page = _page((shared / "real" / "article.txt").read_text(encoding="utf-8"))
    assert page.title.startswith("Biden hopes for progress")
    assert [(s.text[:12], s.text[-12:]) for s in page.sentences] == [
        ("US President", "nt progress."),
        ("On late Thur", "nd Brussels."),
        ('"Well, I got', "he month ..."),
        ("He laid out ", "id out ours."),
        ("I made it cl", "scalated ..."),
        ("Well, I alwa", "White House."),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Read more Share " * 18 + "Kyiv talks resume", ""),
        ("view all share " * 18 + "Kyiv ~", ""),
        ("Share on Twitter Email " * 18 + "in Kyiv.", ""),
        ("Sponsored by Share Email Print Save Like Reply " * 6 + "Kyiv talks resume " * 3, ""),
        ("Click here to Share Email Print Save Like Reply " * 6 + "| Menu", "button or menu"),
        ("10:00 " + "12.30.10 " * 19 + "Kyiv", ""),
        ("10.00" + "-10.00.10.00" * 18 + " GMT", "byline or date"),
        ("10.00" + "-10.00.10.00" * 18 + " Kyiv", ""),
    ],
)
def test_lines_that_can_be_divided_in_many_ways(line: str, why: str) -> None:
    # With one pattern for the whole line each of these takes seconds, and a longer one for ever.
    assert reason(line) == why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Share on X Email Follow us", "button or menu"),
        ("Share on Follow us", "button or menu"),
        ("Share on the old committee", ""),
        ("Click here to enter | Menu :", "button or menu"),
        ("12.30.2024", "byline or date"),
        ("10.00-10.30 IST", "byline or date"),
        ("Updated: 3 March 2022, 10:30:15 +05:30", "byline or date"),
        ("12 March 202410:30 AM", "byline or date"),
        ("10:30 talks", ""),
    ],
)
def test_what_begins_like_something_shorter(line: str, why: str) -> None:
    assert reason(line) == why
