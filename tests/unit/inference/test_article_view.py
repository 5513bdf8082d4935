from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from framing.codebook import Codebook, parse_codebook
from framing.data.page import Block, Page, article_sentences
from framing.errors import OutputError
from framing.inference.article_view import render, short_names, write_view
from framing.inference.bundle import load_bundle
from framing.inference.labeller import Labeller
from framing.inference.readout import count_marks, marking_variable, read_out
from framing.inference.table import print_table
from framing.records import Prediction, Sentence
from tests.unit.inference.tiny_bundle import write_tiny_bundle

PAGE = (
    "Open in App\n\nInflation is terrible, say critics. <script>alert(1)</script> & so on. "
    "Nobody knows why it came. (NNA)\n\nRelated Stories\nTen <b>soups</b> for March"
)


@pytest.fixture
def labeller(tiny_bundle: Path) -> Labeller:
    return Labeller(load_bundle(tiny_bundle))


def _view(labeller: Labeller, *texts: str) -> str:
    pages = [article_sentences(text, f"doc{k}") for k, text in enumerate(texts)]
    labelled = list(labeller.label_stream(s for page in pages for s in page.sentences))
    return render(pages, labelled, labeller.bundle.codebook, "run & co")


def test_labels_marks_and_debris(labeller: Labeller) -> None:
    html = _view(labeller, PAGE)
    assert html.count('<span class="s" id="s1" tabindex="0" aria-describedby="s1t">') == 1
    assert 'id="s2"' not in html
    assert "Inflation is terrible, say critics." in html
    assert "Stance: <b>" not in html
    assert "view: <b>bad</b>" in html
    assert "speaker: <b>opposition</b>" in html
    assert "<summary>2 lines left out</summary>" in html
    assert '<span class="cut" title="left out: agency credit">(NNA)</span>' in html
    assert "1 of 3 sentences labelled; 4 other lines of the page left out" in html


def test_everything_is_escaped(labeller: Labeller) -> None:
    html = _view(labeller, PAGE)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on." in html
    assert "Ten &lt;b&gt;soups&lt;/b&gt; for March" in html
    assert "the model run &amp; co" in html


def test_nothing_is_fetched(labeller: Labeller) -> None:
    html = _view(labeller, PAGE)
    assert not re.search(r"https?:|\bsrc=|<link|@import|url\(", html)
    assert "$" not in html


def test_several_documents_have_a_section_each(labeller: Labeller) -> None:
    html = _view(labeller, "Inflation rose again today.", "Unemployment fell again today.", "No.")
    assert html.count("<section>") == 3
    assert re.findall(r"<h3[^>]*>(.*?)</h3>", html) == ["doc0", "doc1"]
    assert re.findall(r'href="#(s\d)"', html) == ["s1", "s2"]
    assert "<title>3 labelled documents</title>" in html


def test_sentences_without_a_page(labeller: Labeller) -> None:
    rows = [
        Sentence("1", "Inflation rose.", "1"),
        Sentence("2", "Nobody came.", "2"),
        Sentence("3", "Unemployment fell.", "d", metadata={"title": "On jobs"}),
        Sentence("4", "It did.", "d", 1),
    ]
    html = render([], list(labeller.label_stream(rows)), labeller.bundle.codebook, "r")
    assert re.findall("<h1[^>]*>(.*?)</h1>", html) == ["Sentences", "On jobs"]


def test_an_article_of_very_many_paragraphs(labeller: Labeller) -> None:
    # Takes seconds where all sentences are looked through for each of them.
    count = 6000
    line = "It rose. (NNA)\n"
    places = range(0, count * len(line), len(line))
    page = Page(
        "d",
        line * count,
        "",
        tuple(Block(k, k + len(line) - 1, "body") for k in places),
        tuple(Block(k + 9, k + 14, "debris", "credit") for k in places),
        tuple(Sentence(f"d.{k}", "It rose.", "d", span=(k, k + 8)) for k in places),
    )
    (prediction,) = labeller.label([Sentence("1", "It rose.", "1")])
    labelled = [(sentence, prediction) for sentence in page.sentences]
    html = render([page], labelled, labeller.bundle.codebook, "r")
    cut = '<span class="cut" title="left out: credit">(NNA)</span>'
    assert html.count(f'<p dir="auto">It rose. {cut}</p>') == count


def test_texts_tell_their_own_direction(labeller: Labeller) -> None:
    prose = "Inflation rose again in the whole country today."
    html = _view(labeller, f"Open in App\n\n{prose}", "Unemployment fell today.")
    for tag in ("<p", "<h1", "<h3", '<span class="quote"'):
        assert html.count(f'{tag} dir="auto">') == 2
    assert "<li><bdi>Open in App</bdi> <i>(button or menu)</i></li>" in html


def test_no_labels_and_no_sentences(labeller: Labeller) -> None:
    assert "No sentence was given a label." in _view(labeller, "Nobody came to the hall.")
    assert "0 of 0 sentences" in render([], [], labeller.bundle.codebook, "r")


def test_two_labels_in_one_sentence(labeller: Labeller) -> None:
    html = _view(labeller, "Inflation and unemployment rose again.")
    assert '<span class="m d0 k0 u0"><span class="m d1 k1 u1">' in html


def test_a_codebook_without_multi_label_variable(tmp_path: Path) -> None:
    text = "{name: t, variables: [{id: tone, kind: single_label, labels: [{id: a}, {id: b}]}]}"
    book = parse_codebook(text)
    labeller = Labeller(load_bundle(write_tiny_bundle(tmp_path / "b", book, {"word": "tone/b"})))
    assert marking_variable(book).id == "tone"
    html = _view(labeller, "One word is enough here.")
    assert '<b class="swatch k1 u1">b</b>' in html


def test_the_view_is_written_whole(tmp_path: Path, labeller: Labeller) -> None:
    path = tmp_path / "new" / "view.html"
    write_view(path, [], [], labeller.bundle.codebook, "r")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    # The same view may be there already, another file not.
    write_view(path, [], [], labeller.bundle.codebook, "r")
    with pytest.raises(OutputError, match=r"view\.html: exists already"):
        write_view(path, [], [], labeller.bundle.codebook, "s")
    write_view(path, [], [], labeller.bundle.codebook, "s", overwrite=True)


def test_tags_are_short_and_unlike() -> None:
    assert short_names(["Security guarantees", "Some goods", "Jobs", "jobless", "A b c d"]) == [
        "SG",
        "SG2",
        "JOB",
        "JOB2",
        "ABC",
    ]


def test_read_out_by_hand(book: Codebook) -> None:
    prediction = Prediction(
        "1",
        {
            "topics": (0.9, 0.2),
            "view.prices": (0.1, 0.8, 0.1),
            "view.jobs": (0.4, 0.3, 0.3),
            "speaker": (0.3, 0.7),
        },
        {"topics": ("prices",), "view.prices": ("bad",), "speaker": ("opposition",)},
        "h",
    )
    readout = read_out(Sentence("1", "x", "d"), prediction, book)
    (mark,) = readout.marks
    assert (mark.value.label, mark.value.probability, mark.index) == ("Prices", 0.9, 0)
    assert [(v.variable, v.label, v.probability) for v in mark.dependents] == [("view", "bad", 0.8)]
    assert [(v.variable, v.label_id) for v in readout.others] == [("speaker", "opposition")]
    assert count_marks([readout, readout], book) == {"Prices": 2, "Jobs": 0}


def test_the_table_for_a_terminal(labeller: Labeller) -> None:
    page = article_sentences("Inflation is terrible, say critics. [red]Nobody[/red] knows.", "d")
    book = labeller.bundle.codebook
    readouts = [read_out(s, p, book) for s, p in labeller.label_stream(page.sentences)]
    file = io.StringIO()
    print_table(readouts, book, Console(file=file, width=100), left_out=3)
    text = file.getvalue()
    assert "Prices 0.98" in text
    assert "bad 1.00" in text
    assert "[red]Nobody[/red] knows." in text
    assert "2 sentences · Prices 1 · Jobs 0 · 3 other lines of pages left out" in text


def test_names_with_square_brackets_in_the_table(tmp_path: Path) -> None:
    text = """
name: t
variables:
  - {id: tone, name: "Tone [1]", kind: multi_label, labels: [{id: a, name: "[/b] [red]"}]}
  - {id: who, name: "Who [/]", kind: single_label, labels: [{id: x}, {id: y}]}
"""
    book = parse_codebook(text)
    labeller = Labeller(load_bundle(write_tiny_bundle(tmp_path / "b", book, {"word": "tone/a"})))
    sentence = Sentence("1", "One word.", "d", metadata={"title": "[On] words"})
    readouts = [read_out(s, p, book) for s, p in labeller.label_stream([sentence])]
    file = io.StringIO()
    print_table(readouts, book, Console(file=file, width=120), left_out=0)
    for part in ("Tone [1]", "Who [/]", "[/b] [red] 0.98", "[/b] [red] 1", "[On] words"):
        assert part in file.getvalue()
