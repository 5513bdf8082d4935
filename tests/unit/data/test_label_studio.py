"""`label_studio.json` is an export of Label Studio 1.23.2: coder 1 worked in a browser with the
labelling screen that `framing tasks` makes of the bundled codebook, coder 2 through its API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framing.codebook import Codebook, load_codebook
from framing.data.columns import ColumnMapping
from framing.data.corpus import Corpus
from framing.data.readers import read_corpus
from framing.errors import DataError
from tests.conftest import ROOT

EXPORT = ROOT / "tests" / "data" / "label_studio.json"
BOOK = ROOT / "framing" / "corpora" / "security_talks" / "codebook.yaml"


def values(corpus: Corpus) -> dict[tuple[str, str], dict[str, tuple[str, ...]]]:
    return {(a.sentence_id, a.coder): dict(a.values) for a in corpus.annotations}


def result(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": kind, "value": {kind: value}}


def task(number: int, *annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    text = {"text": f"Sentence {number}."}
    return {"id": number, "data": text | data, "annotations": list(annotations)}


def coded(*results: dict[str, Any], by: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"completed_by": by, "result": list(results), "was_cancelled": False, **fields}


def write(path: Path, *tasks: Any) -> Path:
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return path


def test_an_export_is_read_as_it_is() -> None:
    corpus = read_corpus(EXPORT, load_codebook(BOOK))
    guarantees = {
        "frames": ("security_guarantees",),
        "stance.security_guarantees": ("favor",),
        "holder": ("ukraine",),
    }
    assert values(corpus) == {
        ("talks.24", "1"): guarantees,
        # The annotation was marked as ground truth.
        ("talks.24", "adjudicator"): guarantees,
        ("talks.24", "2"): {
            "frames": ("security_guarantees", "nato_concerns"),
            "stance.security_guarantees": ("none",),
            "stance.nato_concerns": ("favor",),
            "holder": ("ukraine",),
        },
        # Nothing was chosen of the frames, which says that none is present.
        ("talks.5", "1"): {"frames": (), "holder": ("russia",)},
        ("talks.5", "2"): {"frames": (), "holder": ("none",)},
        ("talks.6", "1"): {
            "frames": ("deescalation_demand", "nato_concerns"),
            "stance.deescalation_demand": ("against",),
            "stance.nato_concerns": ("against",),
            "holder": ("russia",),
        },
        # A frame with its stance was chosen and taken back.
        ("talks.7", "1"): {"frames": (), "holder": ("russia",)},
    }
    # Skipped and uncoded tasks are sentences still.
    assert len(corpus.sentences) == 12
    first = next(s for s in corpus.sentences if s.id == "talks.24")
    assert (first.doc_id, first.position) == ("talks", 24)
    assert first.previous.startswith("Hardly anyone, says")
    assert first.metadata["chosen"] == "unsure"


def test_controls_and_choices_of_another_screen(book: Codebook, tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.json",
        task(
            7,
            coded(
                result("spans", "labels", ["Job"]),
                result("spans", "labels", ["Price"]),
                result("who", "taxonomy", [["Side", "Gov"]]),
                result("note", "textarea", ["unclear", "really"]),
                result("sure", "rating", 3),
                {"type": "relation", "from_id": "a", "to_id": "b"},
                by={"id": 4, "email": "ana@example.org"},
            ),
        ),
        task(8, coded(by={"id": 5})),
        task(9),
    )
    mapping = {
        "variables": {
            "topics": {"column": "spans", "values": {"Job": "jobs", "Price": "prices"}},
            "speaker": {"column": "who", "values": {"Gov": "government"}},
        }
    }
    corpus = read_corpus(path, book, ColumnMapping.from_dict(mapping))
    assert values(corpus) == {
        ("7", "ana@example.org"): {"topics": ("prices", "jobs"), "speaker": ("government",)},
        ("8", "5"): {"topics": ()},
    }
    assert corpus.sentences[0].metadata == {"note": "unclear really", "sure": "3"}
    assert [s.id for s in corpus.sentences] == ["7", "8", "9"]


def test_an_array_of_plain_objects(book: Codebook, tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "T", "topics": ["jobs"]}, {"id": "b", "text": "U", "topics": []}]
    corpus = read_corpus(write(tmp_path / "x.json", *rows), book)
    assert values(corpus) == {
        ("a", "gold"): {"topics": ("jobs",)},
        ("b", "gold"): {"topics": ()},
    }


TWO = coded(result("topics", "choices", ["jobs"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "x.json: expected an array of objects, found dict; in Label Studio choose Export"),
        ('{"text": "a"}\n{"text": "b"}', "x.json:2: not JSON: Extra data at character 1. If every"),
        ("[1", "x.json:1: not JSON: Expecting ',' delimiter at character 3"),
        ("[]", "x.json: expected at least one row, found none"),
        ("[" * 100_000, "x.json: not usable JSON"),
        ("[3]", "x.json, row 1: expected an object such as"),
        (json.dumps([task(1, coded(result("a", "brushlabels", [])))]), "control 'a': expected res"),
        (json.dumps([task(1, {"completed_by": 1})]), "row 1: annotation: expected an object with"),
        (json.dumps([task(1, coded(by=None))]), "row 1: annotation: expected who completed it"),
        (
            json.dumps([task(1, coded()), {"data": 3}]),
            "row 2: expected a task with an object `data`",
        ),
        (json.dumps([{"annotator": 1, "annotation_id": 2}]), "row 1: this is a short export"),
        (json.dumps([task(1, TWO, TWO)]), "sentence '1', coder '1': coded twice"),
        (
            json.dumps([task(1, coded(result("topics", "choices", ["Jobs"])))]),
            "row 1: column 'topics': topics: unknown label 'Jobs'; known: prices, jobs. Did you",
        ),
        (
            json.dumps([task(1, coded(result("speaker", "choices", ["government"] * 2)))]),
            "speaker: expected one label, found",
        ),
    ],
)
def test_what_cannot_be_read(book: Codebook, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_corpus(tmp_path / "x.json", book)
    assert message in str(caught.value)


def test_bytes_that_are_no_text(book: Codebook, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'[{"text": "\xe4"}]')
    with pytest.raises(DataError, match=r"x\.json: expected UTF-8, found byte 0xe4 at offset 11"):
        read_corpus(tmp_path / "x.json", book)
    (tmp_path / "y.json.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"y\.json\.gz: "):
        read_corpus(tmp_path / "y.json.gz", book)
