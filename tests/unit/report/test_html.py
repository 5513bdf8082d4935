from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

from framing.evaluation.schema import Scores
from framing.report import render_html
from tests.unit.report import examples

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """Checks that elements nest, and gathers ids, attributes and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        assert len(fields) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, fields))
        if fields.get("id"):
            self.ids[str(fields["id"])] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()} does not match"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [fields for name, fields in self.elements if name == tag]


def test_well_formed_with_unique_ids(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert [name for name, n in page.ids.items() if n > 1] == []


def test_references_stay_inside_the_page(html: str) -> None:
    page = Page(html)
    for tag, fields in page.elements:
        assert tag not in {"script", "img", "link", "iframe", "object", "embed", "base"}
        assert not any(name.startswith("on") for name in fields)
        assert "src" not in fields
        for name in ("href", "aria-labelledby"):
            if name in fields:
                assert str(fields[name]).removeprefix("#") in page.ids
        for target in re.findall(r"url\(([^)]*)\)", " ".join(map(str, fields.values()))):
            assert target.removeprefix("#") in page.ids
    assert not re.search(r"https?:|@import|data:", html)


def test_data_texts_are_escaped(flagship: Scores) -> None:
    text = render_html(flagship)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; said &#34;no&#34;" in text
    assert "<script" not in text
    assert "<img" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "\U0001f680" in text


def test_nasty_names_everywhere_are_escaped(flagship: Scores) -> None:
    nasty = '"><script>x</script>&amp;'
    text = render_html(
        replace(
            flagship,
            run=nasty,
            bundle=nasty,
            data=replace(flagship.data, name=nasty, gold_rule=nasty, coders=(nasty, "B")),
            facts={nasty: nasty, "warning": nasty},
            systems=tuple(replace(s, description=nasty) for s in flagship.systems),
        )
    )
    assert Page(text).open == []
    assert "<script" not in text


def test_all_sections_are_there_and_in_the_contents(html: str) -> None:
    page = Page(html)
    sections = [str(fields["id"]) for fields in page.named("section")]
    assert sections[:3] == ["summary", "warnings", "systems"]
    sections_of_all = [name for name in sections if name != "learning-curve"]
    assert sections_of_all[-8:] == [
        "calibration",
        "agreement",
        "prevalence",
        "slices",
        "errors",
        "codebook",
        "data",
        "provenance",
    ]
    links = [str(fields["href"]) for fields in page.named("a")]
    assert links == ["#summary", *(f"#{name}" for name in sections)]


def test_accessible_tables_and_figures(html: str) -> None:
    page = Page(html)
    assert len(page.named("caption")) == len(page.named("table")) > 0
    assert all(fields.get("scope") in {"col", "row"} for fields in page.named("th"))
    assert all(f["role"] == "img" and f["aria-label"] for f in page.named("svg"))
    assert len(page.named("h1")) == 1
    assert page.named("html") == [{"lang": "en"}]


def test_figures_of_the_flagship(flagship: Scores) -> None:
    page = Page(render_html(flagship))
    names = [str(fields["aria-label"]).split(" ")[0] for fields in page.named("svg")]
    # Forest plots, curves, reliability (labels, all pooled, two decided), confusions.
    assert Counter(names) == {"Macro-F1": 3, "Precision": 3, "Observed": 6, "Confusion": 2}


def test_figures_follow_the_page_colours(html: str) -> None:
    page = Page(html)
    styles = " ".join(str(f.get("style")) for _, f in page.elements if f.get("style"))
    assert "var(--model)" in styles
    assert "DejaVu" not in styles
    # matplotlib writes black or white only where a colour was not set.
    assert re.findall(r"#[0-9a-f]{3,8}\b", styles) == []


def test_deterministic(study: Scores, html: str) -> None:
    assert render_html(study) == html


def test_undefined_values_are_said_not_hidden() -> None:
    text = render_html(examples.undefined())
    assert '<span class="value">n/a</span>' in text
    assert "no unit was coded" in text
    assert "None" not in "".join(Page(text).text)


def test_matplotlib_settings_are_left_as_they_were(flagship: Scores) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    render_html(flagship)
    assert dict(matplotlib.rcParams) == before


def test_label_names_are_no_formulas() -> None:
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", render_html(examples.dollars()))
    assert "Cost in $_0$ &lt;b&gt;" in labels


def test_learning_curve() -> None:
    page = Page(render_html(examples.with_curve()))
    drawn = [f for f in page.named("svg") if "by sentences added" in str(f.get("aria-label"))]
    assert len(drawn) == 3
    assert "0: 0.500 [0.440, 0.560]; 153: 0.600" in str(drawn[0]["aria-label"])
    assert "learning-curve" in page.ids
    # Coders are scored against other gold than the points are.
    assert "coders against one another" not in "".join(page.text)
    assert "What sentences of your own are worth" in "".join(page.text)
    assert "learning-curve" not in Page(render_html(examples.flagship())).ids
