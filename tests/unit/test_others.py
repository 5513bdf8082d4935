from pathlib import Path

import pytest

from framing.artifacts import RUN
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


def other(bundle: Bundle, seen: list[Sentence] | None, name: str = "old") -> OtherModel:
    return OtherModel(name, bundle, None if seen is None else text_hashes(seen))


def test_documents_that_another_model_learnt_from_are_left_out(
    bundle: Bundle, scored: Scored
) -> None:
    # Case, spaces and punctuation do not hide a text; half of a document counts as all of it.
    known = [Sentence("x", "PRICES rose  by 2", "y"), Sentence("z", "Prices rose by 6!", "y")]
    rest, words = unseen(scored, [other(bundle, known), other(bundle, None, "unknown")])
    assert [s.doc_id for s in rest.sentences] == ["d0", "d0", "d2", "d2"]
    assert [g.sentence_id for g in rest.gold] == [s.id for s in rest.sentences]
    assert {a.sentence_id for a in rest.annotations} == {s.id for s in rest.sentences}
    assert rest.hash != scored.hash
    assert words == "2 documents with 4 sentences, from which old has learnt"


def test_a_phrase_that_recurs_leaves_a_document_in(bundle: Bundle, scored: Scored) -> None:
    longer = [*SENTENCES, Sentence("d0-2", "He agreed.", "d0")]
    more = Scored("own", "test", "", "", "", longer, [], [])
    rest, words = unseen(more, [other(bundle, [Sentence("x", "He agreed.", "y")])])
    assert rest is more
    assert words == ""


def test_nothing_left_to_compare_on(bundle: Bundle, scored: Scored) -> None:
    with pytest.raises(DataError, match=r"own: old learnt from every one .*\(--data\)"):
        unseen(scored, [other(bundle, SENTENCES)])


def test_what_a_report_must_say(bundle: Bundle) -> None:
    assert told([other(bundle, [])], "") == {}
    facts = told([other(bundle, None)], "1 document")
    assert facts["left out"] == "1 document"
    assert "not known what old has learnt from" in facts["warning_others"]


def test_models_that_cannot_be_compared(folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"new: the very model that is scored"):
        open_others([folder], folder, bundle)
    book = parse_codebook(SMALL_CODEBOOK.replace("{id: opposition}", "{id: critics}"))
    words = {word: label.replace("opposition", "critics") for word, label in SMALL_WORDS.items()}
    write_tiny_bundle(tmp_path / "old", book, words)
    with pytest.raises(DataError, match=r"old: expected .*'opposition'.*found .*'critics'"):
        open_others([tmp_path / "old"], folder, bundle)


def test_models_are_named_by_their_folders(bundle: Bundle, tmp_path: Path) -> None:
    book = parse_codebook(SMALL_CODEBOOK.replace("name: Prices", "name: Costs of living"))
    twins = [tmp_path / week / "run" for week in ("monday", "friday")]
    for twin in twins:
        write_tiny_bundle(twin, book, SMALL_WORDS)
    (first,) = open_others(twins[:1], twins[1], bundle)
    assert (first.name, first.ahead) == ("run", None)
    with pytest.raises(DataError, match="found two named 'run'"):
        open_others(twins, twins[1], bundle)


def test_what_both_have_learnt_from_favours_neither(
    folder: Path, bundle: Bundle, tmp_path: Path
) -> None:
    book = parse_codebook(SMALL_CODEBOOK.replace("name: Prices", "name: Costs of living"))
    write_tiny_bundle(tmp_path / "old" / "bundle", book, SMALL_WORDS)
    for run, texts in ((tmp_path / "new", "a b"), (tmp_path / "old", "b c")):
        run.mkdir(exist_ok=True)
        (run / RUN.seen).write_text("\n".join(texts.split()) + "\n", encoding="ascii")
    (found,) = open_others([tmp_path / "old"], tmp_path / "new", bundle)
    assert found.ahead == {"c"}
