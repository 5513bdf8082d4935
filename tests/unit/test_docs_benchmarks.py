"""docs/benchmarks.md says what the cards say."""

from __future__ import annotations

import pytest

from framing.corpora import BENCHMARKS
from framing.data.benchmarks import load_card
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_counts_and_places(name: str) -> None:
    card = load_card(name)
    counts = card.counts
    sizes = " / ".join(f"{counts[split]:,}" for split in ("train", "dev", "test"))
    assert f"| {counts['sentences']:,} | {sizes} |" in PAGE
    root = f"`{card.folder}`" if card.folder else "top folder"
    assert f"| `{name}` | {card.repository} | `{card.commit}` | {root} |" in PAGE
    if card.hub:
        assert f"`{card.hub}`" in PAGE


@pytest.mark.parametrize("name", BENCHMARKS)
def test_published_results(name: str) -> None:
    section = PAGE.split(f"### {name}\n")[1].split("\n#")[0]
    for figure in load_card(name).official:
        for found in figure.published:
            (row,) = [r for r in section.splitlines() if r.startswith(f"| {found.system} |")]
            cells = [cell.strip() for cell in row.split("|")]
            assert f"{found.value:g}" in cells
            assert found.source in cells
            assert not found.parameters or found.parameters in cells
