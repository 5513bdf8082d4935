from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from framing.artifacts import BUNDLE, write_manifest
from framing.codebook import parse_codebook
from framing.errors import OutputError
from framing.inference.bundle import Bundle, load_bundle
from framing.inference.development import save_outcomes
from framing.inference.parts import PartSummary
from framing.inference.screen import save_screen
from framing.inference.summary import (
    count_lines,
    estimate_lines,
    summarize_work,
    write_summary,
)
from tests.conftest import SMALL_CODEBOOK
from tests.unit.inference.test_screen import screen
from tests.unit.inference.tiny_bundle import SMALL_WORDS, tiny_outcomes, write_tiny_bundle

BOOK = parse_codebook(SMALL_CODEBOOK)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """With a screen."""
    folder = write_tiny_bundle(tmp_path_factory.mktemp("b") / "bundle", BOOK, SMALL_WORDS)
    save_screen(folder / BUNDLE.screen, screen())
    save_outcomes(folder / BUNDLE.development, tiny_outcomes())
    write_manifest(folder, BUNDLE.manifest)
    return load_bundle(folder)


def totals(sentences: int = 1000, **labels: Mapping[str, int]) -> PartSummary:
    return PartSummary(sentences=sentences, labels=labels or {"topics": {"prices": 140}})


def test_lines(bundle: Bundle) -> None:
    summary = summarize_work(
        totals(topics={"prices": 140, "jobs": 20}, speaker={"government": 1000}), bundle, None
    )
    assert list(count_lines(summary)) == [
        "  topics: prices 140 (14.0%), jobs 20 (2.0%)",
        "  speaker: government 1,000 (100.0%), opposition 0 (0.0%)",
    ]
    header, prices, jobs = estimate_lines(summary)
    assert header == (
        "true shares of these sentences, if the model errs here as on its development split (95% "
        "intervals from 1,000 resamples of its 20 documents):"
    )
    assert prices.startswith("  topics: prices 12.0% (")
    assert jobs == (
        "  topics: jobs cannot be estimated: only 0 development sentences, in 0 documents, have "
        "it; 20 sentences in 20 documents are needed"
    )


def test_false_alarms_are_named(bundle: Bundle) -> None:
    summary = summarize_work(totals(topics={"prices": 30}), bundle, None)
    _, prices, _ = estimate_lines(summary)
    assert prices.startswith("  topics: prices 0.0% (0.0% to ")
    assert prices.endswith("; false alarms alone may give this many")


def test_a_screen_misses_more(bundle: Bundle) -> None:
    plain, screened = (summarize_work(totals(), bundle, recall) for recall in (None, 0.9))
    first, second = (s.heads[0].labels[0].estimate for s in (plain, screened))
    assert first is not None
    assert second is not None
    # The screen dismisses one of the four sentences in five documents that are found else.
    assert (first.tpr, second.tpr) == (0.8, 0.75)
    assert second.share == pytest.approx(0.09 / 0.70)
    assert screened.screen == 0.9


def test_short_inputs_have_no_estimates(bundle: Bundle) -> None:
    summary = summarize_work(totals(99, topics={"prices": 50}), bundle, None)
    assert list(estimate_lines(summary)) == []
    assert (summary.estimates, summary.note) == (None, "fewer than 100 sentences")
    assert summarize_work(totals(100, topics={"jobs": 5}), bundle, None).estimates is not None


def test_bundles_of_earlier_versions(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    (line,) = estimate_lines(summarize_work(totals(), bundle, None))
    assert line.startswith("no estimates of true shares: this bundle does not hold")
    assert "`framing export RUN` makes one that does" in line
    assert list(estimate_lines(summarize_work(totals(99), bundle, None))) == []


def test_codebooks_without_multi_label_variables(bundle: Bundle) -> None:
    text = (
        "name: n\nversion: 1\nvariables: [{id: v, kind: single_label, labels: [{id: a}, {id: b}]}]"
    )
    other = dataclasses.replace(bundle, codebook=parse_codebook(text))
    summary = summarize_work(totals(v={"a": 900, "b": 100}), other, None)
    assert list(estimate_lines(summary)) == []
    assert (summary.estimates, summary.note) == (None, "")


def test_json(bundle: Bundle, tmp_path: Path) -> None:
    summary = summarize_work(totals(speaker={"government": 3}), bundle, None)
    write_summary(tmp_path / "s.json", summary, overwrite=False)
    fields = json.loads((tmp_path / "s.json").read_text())
    assert (fields["format"], fields["bundle"], fields["sentences"]) == (1, bundle.hash, 1000)
    topics, view, _, speaker = fields["heads"]
    assert topics["labels"][0]["count"] == 0
    assert topics["labels"][0]["share"] == 0
    assert set(topics["labels"][0]["estimate"]) == {"share", "low", "high", "tpr", "fpr", "note"}
    assert (view["sentences"], view["labels"][0]["share"]) == (0, None)
    assert speaker["labels"][0] == {
        "label": "government",
        "count": 3,
        "share": 1.0,
        "estimate": None,
    }
    signature = fields["estimates"]
    method = signature.pop("method")
    assert "Rogan and Gladen" in method
    assert method.startswith("share of the sentences labelled, not of a population")
    assert signature == {
        "confidence": 0.95,
        "resamples": 1000,
        "seed": 0,
        "development_sentences": 500,
        "development_documents": 20,
    }


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0.0%"),
        (3, "0.00030%"),
        (996, "0.10%"),
        (4_812, "0.48%"),
        (9_960, "1.0%"),
        (12_340, "1.2%"),
        (1_000_000, "100.0%"),
    ],
)
def test_small_shares_have_two_digits(bundle: Bundle, count: int, text: str) -> None:
    summary = summarize_work(totals(1_000_000, topics={"prices": count}), bundle, None)
    (line,) = count_lines(summary)
    assert line == f"  topics: prices {count:,} ({text}), jobs 0 (0.0%)"


def test_small_shares_in_json(bundle: Bundle) -> None:
    summary = summarize_work(totals(30_000_000, topics={"prices": 7}), bundle, None)
    fields = json.loads(summary.to_json())
    assert fields["heads"][0]["labels"][0]["share"] == 2.33333e-07


def test_only_another_summary_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    summary = summarize_work(totals(), bundle, None)
    for _ in range(2):
        write_summary(path, summary, overwrite=False)
    other = dataclasses.replace(summary, sentences=7)
    with pytest.raises(OutputError, match="exists already"):
        write_summary(path, other, overwrite=False)
    write_summary(path, other, overwrite=True)
    assert json.loads(path.read_text())["sentences"] == 7
