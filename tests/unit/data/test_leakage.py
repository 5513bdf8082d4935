from __future__ import annotations

from dataclasses import replace

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from framing.data.leakage import find_leakage, find_repeats, normalised
from framing.records import Sentence

ROOF = "The mayor said on Monday that the new roof costs far too much."


def sentences(*texts: str, prefix: str = "s") -> list[Sentence]:
    return [Sentence(f"{prefix}{k}", text, f"d{k}") for k, text in enumerate(texts)]


def test_normalised() -> None:
    assert normalised("  \u201cThe ROOF\u201d \u2013 it's\u00a0\ufb01ne!_") == "the roof it s fine"
    assert normalised("Straße") == normalised("STRASSE")
    assert normalised("!?") == ""


def test_exact_near_and_short() -> None:
    training = sentences(ROOF, "Yes, he agreed.", "Nobody was at the old station.", prefix="t")
    evaluated = sentences(
        "the mayor said, on Monday, that the new roof costs far too much",
        ROOF.replace("Monday", "Tuesday"),
        "Yes he agreed!",
        "No.",
        "An entirely different sentence about fishing boats.",
        "",
    )
    report = find_leakage(training, evaluated)
    assert (report.exact, report.near, report.short, report.threshold) == (1, 1, 1, 0.8)
    assert [(a, b) for a, b, _ in report.examples] == [("s0", "t0"), ("s1", "t0")]
    assert report.examples[0][2] == 1.0
    assert 0.8 <= report.examples[1][2] < 1


def test_repeats() -> None:
    found = sentences(ROOF, ROOF.upper(), "He agreed.", "He agreed!", ROOF, "Another one.")
    found[1] = replace(found[1], doc_id="d0")
    report = find_repeats(found)
    assert (report.same, report.across, report.short) == (2, 1, 1)
    assert report.examples == (("s4", "s0"),)
    # One text with two targets is coded twice on purpose.
    other = [replace(s, target="the roof" if k else "") for k, s in enumerate(found[:2])]
    assert find_repeats(other).same == 0
    many = find_repeats(sentences(*[ROOF] * 15))
    assert (many.same, many.across, len(many.examples)) == (14, 14, 10)


def test_similarity_is_the_cosine_of_character_5_grams() -> None:
    evaluated = ROOF.replace("Monday", "Tuesday")
    report = find_leakage(
        sentences("Other words stand here.", ROOF, prefix="t"), sentences(evaluated)
    )
    counts = CountVectorizer(analyzer="char", ngram_range=(5, 5)).fit_transform(
        [normalised(ROOF), normalised(evaluated)]
    )
    expected = float(cosine_similarity(counts)[0, 1])
    assert report.examples == (("s0", "t1", pytest.approx(expected, abs=1e-3)),)


def test_threshold_decides() -> None:
    pair = sentences(ROOF, prefix="t"), sentences(ROOF.replace("Monday", "Tuesday"))
    assert find_leakage(*pair, threshold=0.99).near == 0
    assert find_leakage(*pair, threshold=0.5).near == 1


def test_more_sentences_than_a_block_and_ten_examples() -> None:
    words = ["harbour", "bridge", "school", "railway", "forest", "market", "theatre"]
    texts = [f"{a} {b} number {k}" for k, (a, b) in enumerate((a, b) for a in words for b in words)]
    texts = [f"The council spoke of {t} for {k * 37} hours." for k, t in enumerate(texts * 3)]
    report = find_leakage(sentences(*texts[::-1], prefix="t"), sentences(*texts))
    assert report.exact == len(texts) == 147
    assert len(report.examples) == 10
    shifted = [t.replace("The council", "Then the council") for t in texts]
    near = find_leakage(sentences(*texts, prefix="t"), sentences(*shifted))
    assert (near.exact, near.near) == (0, 147)
    similarities = [s for _, _, s in near.examples]
    assert similarities == sorted(similarities, reverse=True)


@pytest.mark.parametrize("one", [[], [ROOF]])
def test_nothing_to_compare(one: list[str]) -> None:
    for report in (find_leakage([], sentences(*one)), find_leakage(sentences(*one), [])):
        assert (report.exact, report.near, report.short, report.examples) == (0, 0, 0, ())


def test_only_short_or_wordless_texts() -> None:
    report = find_leakage(sentences("No.", prefix="t"), sentences("No!", "...", "a b c d"))
    assert (report.exact, report.near, report.short) == (0, 0, 1)
