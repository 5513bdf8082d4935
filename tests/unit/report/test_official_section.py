from dataclasses import replace

from framing.evaluation.schema import Official, OfficialResult, PublishedResult, Scores
from framing.report import render_html, render_markdown

FIGURE = Official(
    name="Mean F1",
    value=68.42,
    low=65.61,
    high=71.18,
    n=1249,
    scale=100,
    protocol="Mean of two | labels.",
    note="",
    baselines=(
        OfficialResult("metadata", 65.2, 61.8, 67.5),
        OfficialResult("tfidf", None, None, None),
    ),
    published=(PublishedResult("RoBERTa <base>", 68.0, "125M", "its README"),),
)


def test_a_benchmark_stands_beside_published_results(flagship: Scores) -> None:
    systems = tuple(
        replace(s, basis="target") if s.name == "metadata" else s for s in flagship.systems
    )
    scores = replace(flagship, systems=systems, official=(FIGURE,))
    text = render_markdown(scores)
    assert "Mean F1: Mean of two \\| labels." in text
    assert "| **Model** | **68.4 [65.6, 71.2]** |  | **this run** |" in text
    assert "| Target alone | 65.2 [61.8, 67.5] |  | this run |" in text
    assert "| TF-IDF | n/a |  | this run |" in text
    assert "| RoBERTa &lt;base&gt; | 68 | 125M | its README |" in text
    assert "Guessing from target without reading the sentence scores" in text
    assert "Outlet or genre" not in text
    page = render_html(scores)
    assert "[65.6, 71.2]" in page
    assert "RoBERTa &lt;base&gt;" in page


def test_a_figure_of_a_part_warns(flagship: Scores) -> None:
    part = replace(FIGURE, value=0.5, low=0.4, high=0.6, scale=1, note="280 test sentences only")
    text = render_markdown(replace(flagship, official=(part,)))
    assert "280 test sentences only" in text
    assert "**0.500 [0.400, 0.600]**" in text


def test_other_reports_have_no_such_section(flagship: Scores) -> None:
    assert "Beside published results" not in render_markdown(flagship)
