from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from framing.artifacts import BUNDLE, write_manifest
from framing.codebook import parse_codebook
from framing.encoding import TokenizedSentence, pad
from framing.errors import ArtifactError, DataError
from framing.inference.bundle import load_bundle
from framing.inference.labeller import Labeller
from framing.inference.screen import Screen, load_screen, ngram_buckets, save_screen
from framing.model.ngrams import NgramLogits
from framing.records import Sentence
from tests.conftest import SMALL_CODEBOOK
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle

BOOK = parse_codebook(SMALL_CODEBOOK)
#: Token id of "inflation" in the tiny bundle's tokenizer.
INFLATION = 4
SPECIAL = (0, 2, 3)


def screen(buckets: int = 512) -> Screen:
    """Scores 1 where the sentence is "inflation" alone, less beside other words."""
    weights = np.zeros((buckets, 2))
    weights[INFLATION, 0] = 2
    return Screen(
        idf=np.ones(buckets),
        weights=weights,
        bias=np.array([-1.0, -1.5]),
        special=np.array(SPECIAL),
        pair=False,
        labelled=np.linspace(-0.5, 1, 101),
        others=np.array([-1.0, -0.9, -0.6, 0.2]),
        probabilities=np.full(BOOK.n_logits, 0.25),
    )


def tokens(*rows: list[int]) -> list[TokenizedSentence]:
    return [TokenizedSentence((2, *row, 3), (0,) * (len(row) + 2)) for row in rows]


def test_ngrams_are_those_of_the_graph() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(30):
        first, second = rng.integers(4, 90, 5).tolist(), rng.integers(4, 90, 7).tolist()
        ids = (2, *first[: rng.integers(0, 6)], 3)
        types = (0,) * len(ids) + (1,) * (len(second) + 1)
        rows.append(TokenizedSentence((*ids, *second, 3), types))
    batch = pad(rows, 0)
    for pair in (True, False):
        module = NgramLogits(1, SPECIAL, pair, 4096)
        expected = module.features(*(torch.from_numpy(array) for array in batch.values()))
        found = ngram_buckets(batch, np.array(SPECIAL), pair, 4096)
        for theirs, ours in zip(expected, found, strict=True):
            assert ours == pytest.approx(theirs.numpy())


def test_the_score_is_the_largest_logit() -> None:
    found = screen().scores(tokens([INFLATION], [9], [INFLATION, 9]))
    # Beside another token and their pair, "inflation" is one of three features of length one.
    assert found == pytest.approx([1, -1, 2 / np.sqrt(3) - 1])


def test_many_sentences_are_scored_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    rows = tokens(*(rng.integers(4, 9, rng.integers(1, 12)).tolist() for _ in range(600)))
    one_by_one = [screen().scores([row])[0] for row in rows]
    assert screen().scores(rows) == pytest.approx(one_by_one)


def test_limits_follow_the_recall() -> None:
    found = screen()
    assert found.limit(1) == pytest.approx(-0.5, abs=2e-5)
    # 101 labelled sentences: one may be lost at 99%, ten at 90%.
    assert found.limit(0.99) == pytest.approx(-0.485, abs=2e-5)
    assert found.limit(0.9) == pytest.approx(-0.35, abs=2e-5)
    assert found.share_kept(1) == 0.25
    assert "keeps 100 of the 101 that the model labels, and 25% of the others" in found.promise(
        0.99
    )


def test_an_archive_lowers_the_limit() -> None:
    # Of 101 development sentences one may be lost, of the archive's ten none.
    archive = replace(
        screen(),
        archive_labelled=np.linspace(-0.8, 1, 10),
        archive_others=np.array([-1.0, -0.7, 0.1, 0.2]),
    )
    assert screen().limit(0.99) == pytest.approx(-0.485, abs=1e-4)
    assert archive.limit(0.99) == pytest.approx(-0.8, abs=1e-4)
    assert replace(archive, archive_labelled=np.ones(3)).limit(0.99) == screen().limit(0.99)
    assert archive.promise(0.99) == (
        "screen: of the development sentences it keeps 101 of the 101 that the model labels, and "
        "50% of the others; of the archive's, 10 of 10 and 75%"
    )


def test_screens_of_before_know_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "screen.npz"
    save_screen(path, screen())
    with np.load(path) as file:
        arrays = {name: file[name] for name in file if not name.startswith("archive")}
    np.savez_compressed(path, **arrays)
    found = load_screen(path)
    assert found.archive_labelled.size == found.archive_others.size == 0
    assert found.limit(0.9) == pytest.approx(screen().limit(0.9), abs=1e-6)


def test_a_screen_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_screen(tmp_path / "screen.npz", screen())
    found = load_screen(tmp_path / "screen.npz")
    assert found.scores(tokens([INFLATION, 9])) == pytest.approx(
        screen().scores(tokens([INFLATION, 9]))
    )
    assert found.pair is False


def test_a_sentence_at_the_limit_is_kept(tmp_path: Path) -> None:
    rows = tokens([INFLATION, 9], [INFLATION, 8, 9], [9])
    rng = np.random.default_rng(0)
    for _ in range(20):
        fitted = replace(screen(), weights=rng.normal(size=(512, 2)))
        fitted = replace(fitted, labelled=np.sort(fitted.scores(rows)))
        save_screen(tmp_path / "screen.npz", fitted)
        assert load_screen(tmp_path / "screen.npz").kept(rows, recall=1).all()


def test_another_file_is_no_screen(tmp_path: Path) -> None:
    path = tmp_path / "screen.npz"
    path.write_bytes(b"PK no archive")
    with pytest.raises(ArtifactError, match=r"not a screen.*export the run again"):
        load_screen(path)


@pytest.fixture
def screened(tmp_path: Path) -> Path:
    folder = write_tiny_bundle(tmp_path / "bundle", BOOK, SMALL_WORDS)
    save_screen(folder / BUNDLE.screen, screen())
    write_manifest(folder, BUNDLE.manifest)
    return folder


def test_dismissed_sentences_get_no_label(screened: Path) -> None:
    bundle = load_bundle(screened)
    sentences = [Sentence(str(k), t, "d") for k, t in enumerate(["inflation", "rain", "inflation"])]
    plain = Labeller(bundle).label(sentences)
    found = Labeller(bundle, recall=0.99).label(sentences)
    assert [p.sentence_id for p in found] == ["0", "1", "2"]
    assert (found[0], found[2]) == (plain[0], plain[2])
    assert found[1].labels == {"topics": ()}
    assert set(found[1].probabilities["topics"]) == {0.25}
    assert "speaker" in plain[1].labels


def test_a_screen_may_dismiss_everything(screened: Path) -> None:
    (found,) = Labeller(load_bundle(screened), recall=0.99).label([Sentence("a", "rain", "d")])
    assert found.labels == {"topics": ()}


def test_a_screen_must_be_there(tiny_bundle: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has no screen; make one with `framing export RUN`"):
        Labeller(load_bundle(tiny_bundle), recall=0.99)


def test_a_recall_is_a_share(screened: Path) -> None:
    with pytest.raises(DataError, match=r"expected a recall between 0\.5 and 1, found 99"):
        Labeller(load_bundle(screened), recall=99)


def test_repeated_sentences_are_computed_once(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeller = Labeller(load_bundle(tiny_bundle))
    seen: list[int] = []
    run = labeller.logits
    monkeypatch.setattr(labeller, "logits", lambda found: seen.append(len(found)) or run(found))
    sentences = [Sentence(str(k), t, str(k)) for k, t in enumerate(["rain", "inflation", "rain"])]
    found = labeller.label(sentences)
    assert seen == [2]
    assert [p.labels["topics"] for p in found] == [(), ("prices",), ()]
    assert [p.sentence_id for p in found] == ["0", "1", "2"]
