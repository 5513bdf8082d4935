from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framing.arrays import gold_array
from framing.artifacts import BUNDLE, write_manifest
from framing.codebook import Codebook
from framing.decisions import Decisions, to_predictions
from framing.errors import ArtifactError
from framing.evaluation.details import prevalence
from framing.evaluation.units import people_answers, system_answers
from framing.inference.bundle import load_bundle
from framing.inference.development import (
    Outcomes,
    development_outcomes,
    load_outcomes,
    save_outcomes,
)
from framing.records import Annotation
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle


def outcomes() -> Outcomes:
    """Three documents, two labels; the fourth sentence is not coded."""
    return Outcomes(
        document=np.array([0, 0, 1, 1, 2]),
        coded=np.array([[1, 1], [1, 1], [1, 1], [0, 0], [1, 1]], dtype=bool),
        gold=np.array([[1, 0], [1, 0], [0, 1], [0, 0], [0, 0]], dtype=bool),
        labelled=np.array([[1, 0], [0, 1], [0, 1], [1, 1], [0, 0]], dtype=bool),
        scores=np.array([0.1, 0.4, 0.3, 0.9, 0.2]),
    )


def test_counts_by_hand() -> None:
    found = outcomes().counts()
    assert found.tp.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert found.fn.tolist() == [[1, 0], [0, 0], [0, 0]]
    assert found.fp.tolist() == [[0, 1], [0, 0], [0, 0]]
    assert found.tn.tolist() == [[0, 1], [1, 0], [1, 1]]
    assert (outcomes().sentences, outcomes().documents) == (5, 3)


def test_screened_sentences_have_no_label() -> None:
    found = outcomes().counts(limit=0.35)
    assert found.tp.sum() == 0
    assert found.fn.sum(axis=0).tolist() == [2, 1]
    # The second sentence is kept, and so is its false alarm.
    assert found.fp.tolist() == [[0, 1], [0, 0], [0, 0]]


def _random(book: Codebook, n: int = 60) -> tuple[list[Annotation], np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    gold = []
    for k in range(n):
        values = {
            "topics": tuple(x for x in ("prices", "jobs") if rng.random() < 0.3),
            "speaker": ("government",),
        }
        if not k % 7:
            del values["topics"]
        gold.append(Annotation(str(k), "gold", values))
    probabilities = rng.random((n, book.n_logits))
    for head in book.heads:
        if head.kind == "single_label":
            probabilities[:, head.slice] /= probabilities[:, head.slice].sum(axis=1, keepdims=True)
    return gold, probabilities, [f"d{k // 4}" for k in range(n)]


def test_totals_are_those_of_reports(book: Codebook) -> None:
    gold, probabilities, documents = _random(book)
    decisions = Decisions.identity(book.n_logits)
    found = development_outcomes(gold_array(gold, book), probabilities, documents, book, decisions)
    counts = found.counts()
    predictions = to_predictions([a.sentence_id for a in gold], probabilities, book, decisions, "")
    reported = [
        p
        for p in prevalence(
            people_answers(gold, book), system_answers(predictions, book, "model"), book
        )
        if p.head == "topics"
    ]
    assert (counts.tp + counts.fn).sum(axis=0).tolist() == [p.gold for p in reported]
    assert (counts.tp + counts.fp).sum(axis=0).tolist() == [p.predicted for p in reported]
    everything = counts.tp + counts.fp + counts.fn + counts.tn
    assert everything.sum(axis=0).tolist() == [p.n for p in reported]
    assert found.documents == 15


def test_outcomes_are_read_as_they_were_written(book: Codebook, tmp_path: Path) -> None:
    path = tmp_path / "development.npz"
    save_outcomes(path, outcomes())
    found = load_outcomes(path, book)
    for name in ("document", "coded", "gold", "labelled"):
        assert np.array_equal(getattr(found, name), getattr(outcomes(), name))
    assert found.scores == pytest.approx(outcomes().scores)
    before = path.read_bytes()
    save_outcomes(path, found)
    assert path.read_bytes() == before


def test_other_files_are_refused(book: Codebook, tmp_path: Path) -> None:
    path = tmp_path / "development.npz"
    path.write_bytes(b"PK no archive")
    with pytest.raises(
        ArtifactError,
        match=r"not labels of a development split: it is no archive of arrays; export the run",
    ):
        load_outcomes(path, book)
    np.savez(path, document=np.arange(3))
    with pytest.raises(ArtifactError, match=r"split: coded is not a file in the archive; export"):
        load_outcomes(path, book)
    np.savez(path, document=np.array([{}], dtype=object))
    with pytest.raises(ArtifactError, match=r"split: its arrays are damaged; export the run"):
        load_outcomes(path, book)
    save_outcomes(path, outcomes())
    content = path.read_bytes()
    path.write_bytes(content[:60] + bytes(90) + content[150:])
    with pytest.raises(ArtifactError, match=r"split: its arrays are damaged; export the run"):
        load_outcomes(path, book)
    narrow = outcomes()
    save_outcomes(
        path,
        Outcomes(narrow.document, narrow.coded[:, :1], narrow.gold, narrow.labelled, narrow.scores),
    )
    with pytest.raises(ArtifactError, match=r"expected 'coded' of shape \(5, 2\).*found \(5, 1\)"):
        load_outcomes(path, book)


def test_the_manifest_covers_it(book: Codebook, tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "bundle", book, SMALL_WORDS)
    before = load_bundle(folder)
    assert before.development is None
    save_outcomes(folder / BUNDLE.development, outcomes())
    write_manifest(folder, BUNDLE.manifest)
    after = load_bundle(folder)
    assert after.hash != before.hash
    assert after.development is not None
    (folder / BUNDLE.development).write_bytes(b"altered")
    with pytest.raises(ArtifactError, match=r"development\.npz: hash differs"):
        load_bundle(folder)
