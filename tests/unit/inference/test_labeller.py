from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framing.codebook import Codebook
from framing.inference.batching import batches
from framing.inference.bundle import load_bundle
from framing.inference.labeller import Labeller
from framing.records import Sentence
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle


def _sentence(text: str, number: int = 0, previous: str = "") -> Sentence:
    return Sentence(f"d.{number}", text, "d", number, previous)


@pytest.fixture
def labeller(tiny_bundle: Path) -> Labeller:
    return Labeller(load_bundle(tiny_bundle))


def test_words_give_their_labels(labeller: Labeller) -> None:
    found = labeller.label(
        [
            _sentence("Inflation is terrible, say critics.", 0),
            _sentence("The weather was fine.", 1),
            _sentence("Unemployment and inflation: sackings.", 2),
        ]
    )
    assert [p.sentence_id for p in found] == ["d.0", "d.1", "d.2"]
    assert found[0].labels == {
        "topics": ("prices",),
        "view.prices": ("bad",),
        "speaker": ("opposition",),
    }
    assert found[1].labels == {"topics": (), "speaker": ("government",)}
    assert found[2].labels == {
        "topics": ("prices", "jobs"),
        "view.prices": ("good",),
        "view.jobs": ("bad",),
        "speaker": ("government",),
    }


def test_probabilities_by_hand(labeller: Labeller) -> None:
    (found,) = labeller.label([_sentence("inflation")])
    # Logits of topics: -4 + 8 and -4; sigmoid(4) = 0.98201, sigmoid(-4) = 0.01799.
    assert found.probabilities["topics"] == pytest.approx((0.982014, 0.017986), abs=1e-5)
    assert found.probabilities["speaker"] == pytest.approx((0.5, 0.5))
    assert found.bundle == labeller.bundle.hash


def test_no_sentences(labeller: Labeller) -> None:
    assert labeller.label([]) == []
    assert list(labeller.label_stream(iter([]))) == []


def test_neither_order_nor_batches_matter(tiny_bundle: Path) -> None:
    words = ["inflation", "unemployment", "terrible", "and", "so", "critics"]
    sentences = [
        _sentence(" ".join(words[(k * j) % 6] for j in range(1, 2 + k % 9)), k) for k in range(60)
    ]
    bundle = load_bundle(tiny_bundle)
    alone = [Labeller(bundle).label([s])[0] for s in sentences]
    for budget in (1, 50, 100_000):
        assert Labeller(bundle, budget).label(sentences) == alone
    streamed = list(Labeller(bundle).label_stream(sentences, chunk=7))
    assert [s for s, _ in streamed] == sentences
    assert [p for _, p in streamed] == alone


def test_a_stream_is_read_no_further_than_needed(labeller: Labeller) -> None:
    read = []

    def source() -> object:
        for k in range(100):
            read.append(k)
            yield _sentence("inflation", k)

    stream = labeller.label_stream(source(), chunk=10)  # type: ignore[arg-type]
    next(stream)
    assert len(read) == 10


def test_the_sentence_before_counts_where_the_bundle_says_so(
    tmp_path: Path, book: Codebook, labeller: Labeller
) -> None:
    folder = write_tiny_bundle(tmp_path / "b", book, SMALL_WORDS, context=("previous",))
    sentence = _sentence("It is terrible.", 1, previous="Inflation rose.")
    with_context = Labeller(load_bundle(folder)).label([sentence])[0]
    assert with_context.labels["topics"] == ("prices",)
    assert labeller.label([sentence])[0].labels["topics"] == ()


def test_batches_by_hand() -> None:
    assert batches([5, 2, 9, 2, 4], token_budget=10) == [[1, 3], [4, 0], [2]]
    assert batches([], token_budget=10) == []
    assert batches([50, 60], token_budget=10) == [[0], [1]]
    assert batches([4, 3, 4, 3], 8) == [[1, 3], [0, 2]]
    # Of like length within a pool of batches, and of like number of own tokens in a batch.
    assert batches([4, 3, 4, 3], 8, second=[3, 1, 1, 3]) == [[1, 2], [0, 3]]


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 200))
def test_batches_hold_each_sequence_once_and_keep_the_budget(
    lengths: list[int], budget: int
) -> None:
    for own in (None, [1 + length // 3 for length in reversed(lengths)]):
        found = batches(lengths, budget, own)
        assert sorted(k for batch in found for k in batch) == list(range(len(lengths)))
        for batch in found:
            assert len(batch) == 1 or len(batch) * max(lengths[k] for k in batch) <= budget
