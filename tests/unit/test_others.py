from pathlib import Path

import pytest

from framing.artifacts import BUNDLE, RUN, read_json, write_json, write_manifest
from framing.codebook import parse_codebook
from framing.data.leakage import text_hashes
from framing.errors import DataError
from framing.inference.bundle import Bundle, load_bundle
from framing.others import OtherModel, open_others, told, unseen
from framing.records import Annotation, Sentence
from framing.scoring import Scored
from tests.conftest import SMALL_CODEBOOK
from tests.unit.data.helpers import note
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle

SENTENCES = [Sentence(f"d{k // 2}-{k % 2}", f"Prices rose by {k}.", f"d{k // 2}") for k in range(8)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("others") / "new"
    return write_tiny_bundle(made, parse_codebook(SMALL_CODEBOOK), SMALL_WORDS)


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load_bundle(folder)


@pytest.fixture
def scored() -> Scored:
    annotations: list[Annotation] = [note(s.id, "Ana", topics=["prices"]) for s in SENTENCES]
    gold = [note(s.id, "gold", topics=["prices"]) for s in SENTENCES]
    return Scored("own", "test", "0" * 64, "adjudicator", "", SENTENCES, annotations, gold)


def other(bundle: Bundle, apart: list[Sentence] | None, name: str = "old") -> OtherModel:
    return OtherModel(name, bundle, None if apart is None else text_hashes(apart))


def test_documents_that_one_model_alone_has_learnt_from_are_left_out(
    bundle: Bundle, scored: Scored
) -> None:
    # Case, spaces and punctuation do not hide a text; a part of a document counts as all of it.
    known = [Sentence("x", "PRICES rose  by 2", "y"), Sentence("z", "Prices rose by 6!", "y")]
    rest, words = unseen(scored, [other(bundle, known), other(bundle, None, "unknown")])
    assert [s.doc_id for s in rest.sentences] == ["d0", "d0", "d2", "d2"]
    assert [g.sentence_id for g in rest.gold] == [s.id for s in rest.sentences]
    assert {a.sentence_id for a in rest.annotations} == {s.id for s in rest.sentences}
    assert rest.hash != scored.hash
    assert words.startswith("2 documents with 4 sentences, from which one of the models")


def test_a_short_phrase_that_recurs_leaves_a_document_in(bundle: Bundle) -> None:
    sentences = [*SENTENCES, Sentence("d0-2", "He agreed.", "d0")]
    more = Scored("own", "test", "", "", "", sentences, [], [])
    rest, words = unseen(more, [other(bundle, [Sentence("x", "He agreed.", "y")])])
    assert rest is more
    assert words == ""


def test_nothing_left_to_compare_on(bundle: Bundle, scored: Scored) -> None:
    with pytest.raises(DataError, match=r"own: of every one of its documents .*\(--data\)"):
        unseen(scored, [other(bundle, SENTENCES)])


def test_what_a_report_must_say(bundle: Bundle) -> None:
    assert told([other(bundle, [])], "") == {}
    facts = told([other(bundle, None)], "1 document")
    assert facts["warning_left_out"] == "Left out of the comparison: 1 document."
    assert "not known what this model or old has learnt from" in facts["warning_others"]
    warned = OtherModel("old", bundle, frozenset(), ("The teacher knew.",))
    assert told([warned], "") == {"warning_other_1": "old: The teacher knew."}


def test_models_that_cannot_be_compared(folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"new: the very model that is scored"):
        open_others([folder], folder, bundle)
    book = parse_codebook(SMALL_CODEBOOK.replace("{id: opposition}", "{id: critics}"))
    words = {word: label.replace("opposition", "critics") for word, label in SMALL_WORDS.items()}
    write_tiny_bundle(tmp_path / "old", book, words)
    with pytest.raises(DataError, match=r"old: expected .*opposition\), found .*critics"):
        open_others([tmp_path / "old"], folder, bundle)


def test_models_are_named_by_their_folders(folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    book = parse_codebook(SMALL_CODEBOOK.replace("name: Prices", "name: Costs of living"))
    twins = [tmp_path / week / "run" / "bundle" for week in ("monday", "friday")]
    for twin in twins:
        write_tiny_bundle(twin, book, SMALL_WORDS)
    (first,) = open_others(twins[:1], folder, bundle)
    assert first.name == "run"
    with pytest.raises(DataError, match="another system is called 'run'"):
        open_others(twins, folder, bundle)
    (tmp_path / "monday" / "run").rename(tmp_path / "tfidf")
    with pytest.raises(DataError, match="another system is called 'tfidf'"):
        open_others([tmp_path / "tfidf"], folder, bundle)


def test_what_both_have_learnt_from_favours_neither(
    folder: Path, bundle: Bundle, tmp_path: Path
) -> None:
    book = parse_codebook(SMALL_CODEBOOK.replace("name: Prices", "name: Costs of living"))
    old, new = tmp_path / "old", tmp_path / "new"
    write_tiny_bundle(old / "bundle", book, SMALL_WORDS)
    change_run(old / "bundle", "another")
    for run, texts in ((new, "a b"), (old, "b c")):
        run.mkdir(exist_ok=True)
        (run / RUN.seen).write_text("\n".join(texts.split()) + "\n", encoding="ascii")
    for path in (old, old / "bundle"):
        (found,) = open_others([path], new, bundle)
        assert found.apart == {"a", "c"}
    (old / RUN.seen).unlink()
    (found,) = open_others([old], new, bundle)
    assert found.apart is None


def change_run(folder: Path, name: str) -> None:
    """Let a bundle say that it was made from another run."""
    settings = read_json(folder / BUNDLE.settings)
    write_json(folder / BUNDLE.settings, settings | {"run": name})
    write_manifest(folder, BUNDLE.manifest)


def test_another_bundle_of_the_run_has_learnt_from_the_same(
    folder: Path, bundle: Bundle, tmp_path: Path
) -> None:
    book = parse_codebook(SMALL_CODEBOOK.replace("name: Prices", "name: Costs of living"))
    write_tiny_bundle(tmp_path / "run-int8", book, SMALL_WORDS)
    # Even where nobody knows from what.
    (found,) = open_others([tmp_path / "run-int8"], tmp_path / "run", bundle)
    assert found.apart == frozenset()
