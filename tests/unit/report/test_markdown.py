from __future__ import annotations

import json
import os
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from framing.evaluation.schema import Scores, from_dict, to_dict
from framing.evaluation.seeds import SeedScore, SeedSummary
from framing.report import render_card, render_html, render_markdown, render_seed_summary
from framing.report.blocks import Block
from framing.report.markdown import code, escape, render
from framing.report.sections import sections
from framing.report.view import View
from tests.unit.report import examples

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
SCORES, REPORT = GOLDEN / "report_scores.json", GOLDEN / "report.md"


def test_golden() -> None:
    """Set UPDATE_GOLDEN=1 to write both files anew, and read the difference."""
    if os.environ.get("UPDATE_GOLDEN"):
        made = examples.small()
        SCORES.write_text(json.dumps(to_dict(made), ensure_ascii=False) + "\n", encoding="utf-8")
        REPORT.write_text(render_markdown(made), encoding="utf-8")
    scores = from_dict(json.loads(SCORES.read_text(encoding="utf-8")))
    assert render_markdown(scores) == REPORT.read_text(encoding="utf-8")


def _numbers(value: Any) -> set[str]:
    """Every float below a value, as reports print it without a sign."""
    if isinstance(value, float):
        return {f"{abs(value):.3f}", f"{abs(round(value, 3)):.3f}"}
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return set().union(*map(_numbers, value))
    return set()


def test_every_figure_stands_in_the_scores(study: Scores, html: str) -> None:
    known = _numbers(to_dict(study)) | {"0.001"}
    for page in (render_markdown(study), html):
        # SVG paths and styles have coordinates of other precision.
        text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
        printed = set(re.findall(r"(?<![\d.])\d\.\d{3}(?!\d)", text))
        assert printed <= known
        assert len(printed) > 3 or "n/a" in text


def test_tables_have_as_many_cells_in_every_row(study: Scores) -> None:
    text = render_markdown(study)
    widths: list[int] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            widths = []
            continue
        widths.append(len(re.findall(r"(?<!\\)\|", line)))
        assert widths[0] == widths[-1], line


def test_html_and_markdown_tell_the_same(study: Scores) -> None:
    text = render_markdown(study)
    for section in sections(View(study)):
        assert f"\n## {escape(section.title)}\n" in text


def test_differences_of_few_documents_have_no_p_value(flagship: Scores) -> None:
    few = replace(flagship, signature=replace(flagship.signature, documents=7))
    note = "p: too few documents to test differences (7 documents, 10 are needed)."
    for page in (render_markdown(few), render_html(few), render_card(few)):
        assert note in page
        assert "p = 0.002" not in page
        assert "| 0.002 |" not in page
        assert "than chance explains" not in page
    assert note not in render_markdown(flagship)


def test_deterministic(study: Scores) -> None:
    assert render_markdown(study) == render_markdown(study)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", "a\\|b"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("*x* `y` ~z~ $1$", "\\*x\\* \\`y\\` \\~z\\~ \\$1\\$"),
        ("snake_case", "snake_case"),
        ("_em_", "\\_em\\_"),
        ("[a](b)", "[a\\](b)"),
        ("[a]: b", "[a\\]: b"),
        ("[x] no task", "\\[x] no task"),
        ("0.5 [0.4, 0.6]", "0.5 [0.4, 0.6]"),
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("1. no list", "1\\. no list"),
        ("--- ", "\\---"),
        ("+0.2", "+0.2"),
        ("two\nlines", "two lines"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_code_holds_backticks() -> None:
    assert code("plain") == "`plain`"
    assert code("a `b` c") == "`` a `b` c ``"


def test_nasty_data_stays_text(flagship: Scores) -> None:
    text = render_markdown(flagship)
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "\x00" not in text


def test_every_kind_of_block_can_be_rendered() -> None:
    kinds = Block.__args__
    assert all(is_dataclass(kind) and fields(kind) for kind in kinds)
    assert set(kinds) <= set(render.registry)


def test_unknown_block_is_refused() -> None:
    with pytest.raises(TypeError, match="no Markdown for int"):
        render(3)  # type: ignore[arg-type]


def test_seed_summary(flagship: Scores) -> None:
    summary = SeedSummary(
        runs=("a-s1", "a-s2"),
        data="d" * 64,
        scores=(
            SeedScore("f1", "frames", "frames", "macro", 0.7, 0.02, 0.68, 0.72, 2, 0.52, 0.88),
            SeedScore("kappa", "stance", "", "", 0.5, None, 0.5, 0.5, 1, None, None),
            SeedScore("exact_match", "all", "", "", 0.61, 0.01, 0.6, 0.62, 2, 0.5, 0.7),
        ),
    )
    text = render_seed_summary(summary, replace(flagship, run="a-s1"))
    assert "| Frames | Macro | F1 | 0.700 | 0.020 | 0.680 | 0.720 | [0.520, 0.880] | 2 |" in text
    assert "| Stance |  | Cohen's kappa | 0.500 | n/a | 0.500 | 0.500 | n/a | 1 |" in text
    assert "| All variables |  | Exact match |" in text
    assert "- a-s1\n- a-s2" in text
