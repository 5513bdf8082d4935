from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framing.codebook import Codebook
from framing.errors import ArtifactError
from framing.model.baselines import (
    DESCRIPTIONS,
    Fitting,
    Inputs,
    fit_baselines,
    keyword_pattern,
    nothing_to_go_on,
    predict_baselines,
)
from framing.records import GOLD, Annotation, Sentence

TEXTS = {
    "Prices rose again": ({"topics": ("prices",), "view.prices": ("bad",)}, "daily"),
    "Unemployment fell": ({"topics": ("jobs",), "view.jobs": ("good",)}, "weekly"),
    "Rain is expected": ({"topics": ()}, "weekly"),
}


def embed(sentences) -> np.ndarray:
    """A stand-in embedding: which of the three texts it is."""
    order = list(TEXTS)
    return np.array([np.eye(3)[order.index(s.text)] for s in sentences])


@pytest.fixture
def fitting(book: Codebook) -> Fitting:
    sentences, gold = [], []
    for k in range(60):
        text = list(TEXTS)[k % 3]
        values, source = TEXTS[text]
        sentences.append(Sentence(f"s{k}", text, f"d{k}", metadata={"source": source}))
        speaker = "government" if source == "daily" else "opposition"
        gold.append(Annotation(f"s{k}", GOLD, {**values, "speaker": (speaker,)}))
    return Fitting(book, sentences, gold, sentences[:30], gold[:30], ("source",), embed)


def test_each_baseline_says_what_it_can_know(fitting: Fitting, tmp_path: Path) -> None:
    fit_baselines(tmp_path, tuple(DESCRIPTIONS), fitting)
    found = predict_baselines(tmp_path, Inputs(fitting.train[:3], fitting.book, embed))
    assert list(found) == list(DESCRIPTIONS)
    for name in ("tfidf", "frozen_encoder"):
        assert [p.labels["topics"] for p in found[name]] == [("prices",), ("jobs",), ()]
        assert found[name][0].labels["view.prices"] == ("bad",)
    assert [p.labels["topics"] for p in found["keywords"]] == [("prices",), ("jobs",), ()]
    assert [p.labels["speaker"] for p in found["metadata"]] == [
        ("government",),
        ("opposition",),
        ("opposition",),
    ]
    assert {p.labels["speaker"] for p in found["majority"]} == {("opposition",)}
    assert len({p.probabilities["topics"] for p in found["majority"]}) == 1


def test_unseen_source_falls_back_to_the_prior(fitting: Fitting, tmp_path: Path) -> None:
    fit_baselines(tmp_path, ("majority", "metadata"), fitting)
    new = Sentence("x", "Anything", "d", metadata={"source": "unheard of"})
    found = predict_baselines(tmp_path, Inputs([new], fitting.book, embed))
    prior, guess = found["majority"][0], found["metadata"][0]
    assert guess.labels["speaker"] == prior.labels["speaker"]


def test_keywords_decide_alone(fitting: Fitting, tmp_path: Path) -> None:
    fit_baselines(tmp_path, ("keywords",), fitting)
    texts = ["A priceless vase", "The price of job losses", "PRICES", "enprice"]
    sentences = [Sentence(str(k), t, "d") for k, t in enumerate(texts)]
    found = predict_baselines(tmp_path, Inputs(sentences, fitting.book, embed))["keywords"]
    assert [p.labels["topics"] for p in found] == [
        ("prices",),
        ("prices", "jobs"),
        ("prices",),
        (),
    ]


def test_without_keywords_a_list_has_nothing_to_go_on(fitting: Fitting, tmp_path: Path) -> None:
    fit_baselines(tmp_path, ("keywords", "majority"), fitting)
    inputs = Inputs(fitting.train[:3], fitting.book, embed)
    found = nothing_to_go_on(tmp_path / "keywords", "keywords", inputs)
    assert found == dict.fromkeys(("view", "speaker"), "the variable's labels have no keywords")
    assert nothing_to_go_on(tmp_path / "majority", "majority", inputs) == {}


@pytest.mark.parametrize(
    ("fields", "source", "why"),
    [
        (("source",), "daily", ""),
        (("outlet", "source"), "daily", ""),
        (("source", "genre"), "new", "no scored sentence shares its source or genre with the"),
        (("source",), "", "no scored sentence shares its source with the training data"),
        (("outlet",), "daily", "no training sentence tells its outlet"),
        ((), "daily", "the config names no metadata field"),
    ],
)
def test_without_known_metadata_a_guess_has_nothing_to_go_on(
    fitting: Fitting, tmp_path: Path, fields: tuple[str, ...], source: str, why: str
) -> None:
    fit_baselines(tmp_path, ("metadata",), replace(fitting, fields=fields))
    sentences = [Sentence("x", "Anything", "d", metadata={"source": source})]
    inputs = Inputs(sentences, fitting.book, embed)
    found = nothing_to_go_on(tmp_path / "metadata", "metadata", inputs)
    assert list(found) == (["topics", "view", "speaker"] if why else [])
    assert all(text.startswith(why) for text in found.values())


def test_keyword_pattern() -> None:
    pattern = keyword_pattern(["red line*", "a.b"])
    assert pattern is not None
    assert pattern.findall("Red  lines, red line; a.b axb redline") == [
        "Red  lines",
        "red line",
        "a.b",
    ]
    assert keyword_pattern([]) is None


def test_incomplete_store(fitting: Fitting, tmp_path: Path) -> None:
    fit_baselines(tmp_path, ("tfidf",), fitting)
    (tmp_path / "tfidf" / "linear.npz").unlink()
    with pytest.raises(ArtifactError, match="stored incompletely"):
        predict_baselines(tmp_path, Inputs(fitting.train[:1], fitting.book, embed))
